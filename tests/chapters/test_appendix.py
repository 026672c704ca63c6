"""The tables of the appendix leave nothing out, and write numbers for people."""

from unrolled.chapters import BOOK, appendix


def test_the_table_lists_every_theorem_with_what_it_assumes():
    shown = appendix.theorems().data
    theorems = [theorem for chapter in BOOK for theorem in chapter.theorems]
    lines = [line for line in shown.splitlines() if "{prf:ref}" in line]
    for theorem, line in zip(theorems, lines, strict=True):
        assert theorem.title in line
        assert line.count("; ") >= len(theorem.assumptions) - 1
        droppable = [a for a in theorem.assumptions if a.violate is not None]
        assert line.count("**") == 2 * len(droppable)
        assert line.endswith(f"| {len(theorem.derivation.steps) or 'none'} |")
    places = [shown.index(chapter.title) for chapter in BOOK]
    assert places == sorted(places)
    assert BOOK[0].title not in appendix.theorems(BOOK[1:]).data


def test_the_table_of_claims_lists_every_refutation():
    table = appendix.claims().data
    titles = [refutation.title for chapter in BOOK for refutation in chapter.refutations]
    assert titles
    assert all(title in table for title in titles)
    assert len(table.splitlines()) == len(titles) + 2


def test_a_link_has_the_number_of_the_box_that_a_theorem_is_in():
    theorems = {theorem.name: theorem for chapter in BOOK for theorem in chapter.theorems}
    for theorem in theorems.values():
        box = theorems[theorem.completes] if theorem.completes else theorem
        own, of_box = (appendix.link(one).split("`")[1] for one in (theorem, box))
        assert own.split()[0] == of_box.split()[0]
        assert own.split("<")[1] == of_box.split("<")[1]


def test_numbers_are_written_for_people():
    assert appendix.plain(128556.1) == "129,000"
    assert appendix.plain(0.0018800390) == "0.00188"
    assert appendix.plain(2755743.8) == "2,760,000"
    assert appendix.plain(0.0) == "0"
    assert appendix.plain(1.0) == "1"
    assert appendix.plain(7.327e-16) == r"$7.33 \cdot 10^{-16}$"
