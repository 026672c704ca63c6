"""The README's picture is what the book draws now."""

from tools import picture


def test_the_picture_is_up_to_date():
    drawn, kept = picture.picture(), picture.PICTURE.read_text(encoding="utf-8")
    assert kept == drawn, "run `make picture`"
    assert "var(" not in kept
