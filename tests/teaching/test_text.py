import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.teaching.text import to_html

FORMULAS = [
    r"\frac{1}{5}",
    r"\lVert x_K - x_\star \rVert \le \prod_{k=1}^{K} \rho(\alpha_k)",
    r"v_{k+1} = \frac{\sigma^2 + c v_k}{1 + \sigma^2 + c v_k}",
    r"x < y \text{ and } \eta_k = 1/\theta_k",
    r"\begin{cases} 1 & x > 0 \\ 0 & \text{else} \end{cases}",
]


@pytest.mark.parametrize("latex", FORMULAS)
def test_a_formula_becomes_well_formed_mathml(latex):
    for markdown, display in ((f"see ${latex}$", "inline"), (f"$$\n{latex}\n$$", "block")):
        html = to_html(markdown)
        (formula,) = ElementTree.fromstring(f"<root>{html}</root>").iter(
            "{http://www.w3.org/1998/Math/MathML}math"
        )
        assert formula.get("display") == display
        assert "$" not in html
        assert "\\" not in html


@pytest.mark.parametrize(
    "latex", [r"\frac{1}{", "x^", "a_b_c", r"\left( x", r"\nonsense{x}", "a & b"]
)
def test_a_formula_that_cannot_be_converted_is_an_error(latex):
    with pytest.raises(ValueError, match="formula"):
        to_html(f"see ${latex}$")


@pytest.mark.parametrize("blank", ["", " \n", None])
def test_blank_text_is_an_error(blank):
    with pytest.raises(ValueError, match="markdown must be text"):
        to_html(blank)


def test_markdown_is_rendered():
    assert to_html("one *two* `three`\n\nfour") == (
        "<p>one <em>two</em> <code>three</code></p>\n<p>four</p>"
    )


def test_inline_text_has_no_paragraph():
    assert to_html("one *two*", inline=True) == "one <em>two</em>"


@pytest.mark.parametrize(("after", "kept"), [(".", "."), ("), that", "),"), (" and", None)])
def test_a_mark_behind_a_formula_stays_on_its_line(after, kept):
    html = to_html(f"see $x${after}", inline=True)
    together = re.search(r'<span style="white-space: nowrap"><math.*</math>(.*)</span>', html)
    assert (together and together[1]) == kept
    assert re.sub("<[^>]*>", "", html) == f"see x{after}"


def test_upright_letters_stay_upright():
    assert "<mtext>d</mtext>" in to_html(r"$\mathrm{d}x$")


@given(st.text(st.characters(blacklist_characters="$", blacklist_categories=["Cs"]), min_size=1))
def test_html_in_the_text_is_shown_not_obeyed(text):
    html = to_html(f"x <script>{text}</script><img src=x onerror=alert(1)>")
    assert "<script" not in html
    assert "<img src=x" not in html
