"""The front end of the quick checks in a browser, on a page of their own."""

import json
import threading
from fractions import Fraction

import pytest
import sympy
from axe_playwright_python.sync_playwright import Axe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import expect

from tools import site
from unrolled.teaching.notebook import STATIC
from unrolled.teaching.number import read_number
from unrolled.teaching.quickcheck import Misconception, Option, QuickCheck


def double(x):
    return 2 * x


def check_double(function):
    if function(3) != 6:
        raise AssertionError("Twice 3 is 6.")


PRIMES = QuickCheck.choice(
    name="test.prime",
    prompt="Which number is *prime*, that is, has no divisor $d$ with $1 < d < n$?",
    options=[
        Option(f"${n}$", lambda n=n: sympy.isprime(n), f"About {n}: $n = {n}$.") for n in (4, 5, 6)
    ],
    explanation="Count the divisors.",
)
SEVERAL = QuickCheck.choice(
    name="test.primes",
    prompt="Which numbers are prime?",
    several=True,
    options=[Option(f"${n}$", lambda n=n: sympy.isprime(n), f"About {n}.") for n in (2, 3, 4)],
)
FIFTH = QuickCheck.numeric(
    name="test.fifth",
    prompt="What is $v_4$?\n\n$$\nv_K = \\frac{1}{1 + K}\n$$",
    answer=lambda: Fraction(1, 5),
    misconceptions=[Misconception(0.25, "That is $v_3$.")],
    explanation="Four layers.",
    unit="$\\mathrm{m}$",
)
CODE = QuickCheck.code(
    name="test.double",
    prompt="Write `double(x)`.",
    stub="def double(x):\n    # A line that a phone cannot show without scrolling.\n    ...",
    check=check_double,
    solution=double,
    wrong=[lambda x: x],
)
QUESTIONS = (PRIMES, SEVERAL, FIFTH, CODE)
PAGE = """<!doctype html>
<html lang="en" data-content_root="./" data-theme="{theme}">
<head><meta charset="utf-8"><title>Quick checks</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<style>body {{ background: var(--unrolled-surface); font-family: sans-serif }}</style>
<link rel="stylesheet" href="unrolled.css"><link rel="stylesheet" href="quickcheck.css">
<script defer src="quickcheck.js"></script></head>
<body><main><h1 style="color: var(--unrolled-text)">Quick checks</h1>{body}</main></body></html>"""


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    for name in ("unrolled.css", "quickcheck.css", "quickcheck.js"):
        (folder / name).write_bytes((STATIC / name).read_bytes())
    body = "".join(question.page() for question in QUESTIONS)
    body += CODE.grade(double)._repr_html_() + CODE.grade(lambda x: x)._repr_html_()
    for theme in ("light", "dark"):
        (folder / f"{theme}.html").write_text(PAGE.format(theme=theme, body=body))
    with site.listen(folder, port=0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def page(browser, host):
    """A page that must stay silent: no error, no warning, no request to anyone else."""
    context = browser.new_context()
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    page.on(
        "request",
        lambda request: request.url.startswith((host, "data:")) or complaints.append(request.url),
    )
    page.goto(f"{host}/light.html")
    yield page
    context.close()
    assert not complaints


def root(page, question):
    return page.locator(f'[id="quickcheck-{question.name}"]')


def focused(page):
    return page.evaluate("document.activeElement.type + ' ' + document.activeElement.value")


def test_a_choice_by_mouse_wrong_then_right(page):
    primes = root(page, PRIMES)
    status = primes.get_by_role("status")
    primes.get_by_role("button", name="Check").click()
    expect(status).to_have_text("Choose an answer first.")

    primes.get_by_text("6", exact=True).click()  # the text belongs to the target
    primes.get_by_role("button", name="Check").click()
    expect(status).to_contain_text("Not quite")
    expect(status).to_contain_text("About 6")
    expect(status.locator("math")).to_have_count(1)
    expect(primes.get_by_text("answered")).to_be_hidden()

    primes.get_by_role("radio").nth(1).check()
    expect(status).to_have_text("")
    primes.get_by_role("button", name="Check").click()
    expect(status).to_contain_text("Right")
    expect(status).to_contain_text("About 5")
    expect(status).to_contain_text("Count the divisors.")
    expect(primes.get_by_text("answered")).to_be_visible()
    # The grade is told by a mark and a word, not by colour alone.
    expect(primes.locator("label").nth(1)).to_contain_text("✓Right")


def test_a_choice_by_keyboard_alone(page):
    primes = root(page, PRIMES)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert focused(page) == "radio 0"
    page.keyboard.press("Enter")
    expect(primes.get_by_role("status")).to_contain_text("About 4")
    assert focused(page) == "radio 0"
    page.keyboard.press("ArrowDown")
    assert focused(page) == "radio 1"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(primes.get_by_role("status")).to_contain_text("About 5")
    expect(primes.get_by_role("button", name="Check")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # try again
    assert focused(page) == "radio 0"
    expect(primes.get_by_role("status")).to_have_text("")
    expect(primes.get_by_role("radio", checked=True)).to_have_count(0)


def test_several_options_must_all_be_found(page):
    several = root(page, SEVERAL)
    boxes, check = several.get_by_role("checkbox"), several.get_by_role("button", name="Check")
    status = several.get_by_role("status")
    boxes.nth(0).check()
    check.click()
    expect(status).to_contain_text("More is right than that.")
    boxes.nth(2).check()
    check.click()
    expect(status).to_contain_text("About 4.")
    expect(status).not_to_contain_text("More is right")
    boxes.nth(2).uncheck()
    boxes.nth(1).check()
    check.click()
    expect(status).to_contain_text("✓ Right")


def test_a_number_by_keyboard(page):
    fifth = root(page, FIFTH)
    status, entry = fifth.get_by_role("status"), fifth.get_by_label("Your answer")
    for typed, said in [
        ("", "Type a number first."),
        ("0,2", "Write a decimal point, not a comma."),
        ("one fifth", "That is not a number."),
        ("0.25", "That is"),
        ("0.2001", "Close, but not exact."),
        ("17", "Not quite"),
        ("2/10", "Four layers."),
    ]:
        entry.fill(typed)
        entry.press("Enter")
        expect(status).to_contain_text(said)
        expect(entry).to_be_focused()
    expect(fifth.get_by_text("answered")).to_be_visible()


def test_the_answer_to_a_number_is_shown_on_request(page):
    fifth = root(page, FIFTH)
    fifth.get_by_label("Your answer").fill("7")
    fifth.get_by_role("button", name="Check").click()
    expect(fifth.get_by_text("Four layers.")).to_be_hidden()
    fifth.get_by_text("Show the answer").click()
    expect(fifth.get_by_text("Four layers.")).to_be_visible()
    expect(fifth.get_by_role("status").locator("mfrac")).to_be_visible()


def test_code_shows_its_stub_and_folded_solution(page):
    code = root(page, CODE)
    expect(code.get_by_text("def double(x):").first).to_be_visible()
    expect(code.get_by_text("return 2 * x")).to_be_hidden()
    code.get_by_text("Solution").click()
    expect(code.get_by_text("return 2 * x")).to_be_visible()
    expect(code.get_by_role("button", name="Check")).to_be_hidden()


def test_progress_is_remembered_until_the_question_changes(page):
    primes, fifth = root(page, PRIMES), root(page, FIFTH)
    primes.get_by_role("radio").nth(1).check()
    primes.get_by_role("button", name="Check").click()
    fifth.get_by_label("Your answer").fill("1/4")
    fifth.get_by_label("Your answer").press("Enter")

    page.reload()
    expect(primes.get_by_text("answered")).to_be_visible()
    expect(primes.get_by_role("radio").nth(1)).to_be_checked()
    expect(primes.get_by_role("status")).to_contain_text("About 5")
    expect(fifth.get_by_label("Your answer")).to_have_value("1/4")
    expect(fifth.get_by_role("status")).to_contain_text("That is")
    expect(fifth.get_by_text("answered")).to_be_hidden()
    expect(root(page, SEVERAL).get_by_text("answered")).to_be_hidden()

    key = "unrolled.quickcheck.test.prime"
    saved = json.loads(page.evaluate("key => localStorage.getItem(key)", key))
    assert saved["version"] == PRIMES.payload()["version"]
    page.evaluate(
        "([key, saved]) => localStorage.setItem(key, saved)",
        [key, json.dumps(saved | {"version": "of another question"})],
    )
    page.reload()
    expect(primes.get_by_text("answered")).to_be_hidden()
    expect(primes.get_by_role("radio", checked=True)).to_have_count(0)


def test_a_forgotten_answer_stays_forgotten(page):
    primes = root(page, PRIMES)
    primes.get_by_role("radio").nth(1).check()
    primes.get_by_role("button", name="Check").click()
    primes.get_by_role("button", name="Try again").click()
    page.reload()
    expect(primes.get_by_text("answered")).to_be_hidden()


def test_a_browser_that_keeps_nothing_still_grades(browser, host):
    page = browser.new_page()
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('blocked') } })"
    )
    page.goto(f"{host}/light.html")
    primes = root(page, PRIMES)
    primes.get_by_role("radio").nth(1).check()
    primes.get_by_role("button", name="Check").click()
    expect(primes.get_by_text("answered")).to_be_visible()
    page.close()


def test_the_question_and_its_folded_answer_are_there_without_a_script(browser, host):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{host}/light.html")
    for question, answer in ((PRIMES, "About 5"), (FIFTH, "Four layers"), (CODE, "return 2 * x")):
        shown = root(page, question)
        expect(shown.get_by_text("Quick check")).to_be_visible()
        expect(shown.get_by_text(answer)).to_be_hidden()
        shown.locator("summary").click()
        expect(shown.get_by_text(answer)).to_be_visible()
    expect(root(page, PRIMES).get_by_role("listitem")).to_have_count(3)
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_accessibility_violation_and_nothing_wider_than_the_page(browser, host, theme, width):
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(f"{host}/{theme}.html")
    for state in ("unanswered", "wrong", "right"):
        if state != "unanswered":
            root(page, PRIMES).get_by_role("radio").nth(0 if state == "wrong" else 1).check()
            root(page, SEVERAL).get_by_role("checkbox").nth(0 if state == "wrong" else 1).check()
            root(page, FIFTH).get_by_label("Your answer").fill("1/4" if state == "wrong" else "1/5")
            for question in (PRIMES, SEVERAL, FIFTH):
                root(page, question).get_by_role("button", name="Check").click()
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()
    page.get_by_text("Solution").click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.close()


# ---- The page reads numbers as Python does

ATOMS = st.one_of(
    st.integers(0, 10**6).map(str),
    st.floats(0, allow_infinity=False, allow_nan=False).map(repr),
    st.sampled_from(["pi", "π", ".5", "2.", "0", "1e-320", "1e308", "007"]),
)
SUMS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", " * ", "/", "×", "−"]), inner).map("".join),
        st.tuples(inner, st.sampled_from(["^2", "**3", "^-1", "^64", "^65"])).map("".join),
        inner.map("({})".format),
        inner.map("sqrt({})".format),
        inner.map("√{}".format),
        inner.map("-{}".format),
    ),
    max_leaves=8,
)
TYPED = st.one_of(SUMS, st.text("0123456789.,eE+-−*/^()√π sqrtpi\u00a0\ta", max_size=20), st.text())


@given(st.lists(TYPED, min_size=20, max_size=60))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_page_reads_numbers_as_python_does(page, typed):
    def read(text):
        try:
            return read_number(text)
        except ValueError as error:
            return str(error)

    found = page.evaluate(
        """async (typed) => {
          const script = await (await fetch("./quickcheck.js")).text();
          const readNumber = eval(script.replace(/}\\)\\(\\);\\s*$/, "return readNumber; })()"));
          return typed.map((text) => {
            try { return [String(readNumber(text))]; } catch (error) { return error.message; }
          });
        }""",
        typed,
    )
    # A list holds a number, which travels as text to keep all its bits.
    found = [float(*each) if isinstance(each, list) else each for each in found]
    expected = [read(text) for text in typed]
    assert found == expected, [
        (text, here, there)
        for text, here, there in zip(typed, expected, found, strict=True)
        if here != there
    ]


@pytest.mark.parametrize(
    "typed", ["1/5", "0.25", "0.2001", "17", "0,2", "", "2/10", "0.2000000000001"]
)
def test_the_page_grades_numbers_as_python_does(page, typed):
    grade = FIFTH.grade(typed)
    fifth = root(page, FIFTH)
    fifth.get_by_label("Your answer").fill(typed)
    fifth.get_by_role("button", name="Check").click()
    verdict = {True: "✓ Right", False: "✗ Not quite", None: grade.message}[grade.passed]
    expect(fifth.get_by_role("status")).to_contain_text(verdict)


# ---- In a notebook, which shows one output after the other

SHOW = """(html) => {
  document.querySelector("main").innerHTML = html;
  document.dispatchEvent(new Event("unrolled"));
}"""


def test_what_is_shown_later_is_brought_to_life_and_keeps_its_keys(page):
    page.evaluate(SHOW, PRIMES.page())
    page.evaluate(
        "document.addEventListener('keydown', ({ key }) => (window.reached ??= []).push(key))"
    )
    primes = root(page, PRIMES)
    primes.get_by_role("radio").nth(0).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(primes.get_by_role("status")).to_contain_text("About 5")
    page.keyboard.press("Control+s")
    # JupyterLab listens on the document: its bare keys must not reach it, its commands must.
    assert page.evaluate("reached") == ["Control", "s"]


def test_a_question_for_code_follows_the_grade(page):
    page.evaluate("delete document.documentElement.dataset.content_root")  # as in a notebook
    page.evaluate(SHOW, CODE.page())
    code = root(page, CODE)
    expect(code).to_contain_text("Complete the function in the next cell")
    expect(code.get_by_text("# A line that a phone")).to_have_count(0)
    expect(code.get_by_text("answered")).to_be_hidden()
    for function, said in ((lambda x: x, "Not quite"), (double, "✓ Right"), (double, "✓ Right")):
        page.evaluate(SHOW, CODE.page() + CODE.grade(function)._repr_html_())
        expect(code.get_by_role("status")).to_contain_text(said)
    expect(code.get_by_text("answered")).to_be_visible()
    expect(code.get_by_role("button", name="Try again")).to_be_hidden()
    page.evaluate(SHOW, CODE.page() + CODE.grade(lambda x: None)._repr_html_())
    expect(code.get_by_text("answered")).to_be_hidden()
