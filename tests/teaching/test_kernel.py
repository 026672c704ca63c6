"""What a kernel does with code that asks for its end, and with views that were closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from jupyter_client.manager import start_new_kernel

SOURCE = """
import sys
from ipywidgets import Widget
from unrolled.teaching import Choice, Lab, QuickCheck

def twice(x):
    return 2 * x

def check(function):
    assert function(2) == 4, "Twice 2 is 4."

def leave(by):
    get_ipython().user_ns[by]() if by != "sys" else sys.exit()

question = QuickCheck.code(
    name="q", prompt="Write `twice`.", stub="def twice(x):\\n    ...",
    check=check, solution=twice, wrong=(lambda x: x,),
)
lab = Lab(
    name="lab", title="Leave", controls=(Choice("by", "leave by", ("no", "sys", "exit"), "no"),),
    compute=lambda progress, by: by if by == "no" else leave(by),
    draw=lambda picture, result: picture.subplots().plot([0, 1]),
    alt="One line that rises to the right.", caption="A line.",
)
"""


@pytest.fixture(scope="module")
def run() -> Iterator[Callable[..., list[dict]]]:
    """Runs a cell and gives what it sends, one content for each message. The kernel lives on."""
    manager, client = start_new_kernel(kernel_name="python3")

    def cell(source: str, **options: bool) -> list[dict]:
        sent: list[dict] = []
        reply = client.execute_interactive(
            source,
            timeout=120,
            output_hook=lambda message: sent.append(message["content"]),
            **options,
        )
        # What a cell asks of the front end: to let the kernel go, for instance.
        assert reply["content"].get("payload", []) == []
        assert manager.is_alive()
        return sent

    cell(SOURCE)
    yield cell
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def said(sent: list[dict]) -> str:
    return "".join(content.get("text", "") for content in sent)


def shown(sent: list[dict]) -> list[set[str]]:
    """The MIME types of each output."""
    return [set(content["data"]) for content in sent if "text/plain" in content.get("data", {})]


@pytest.mark.parametrize("by", ["sys", "exit", "quit"])
def test_a_function_that_asks_for_the_end_gets_a_sentence(run, by):
    told = said(run(f"print(question.grade(lambda x: leave('{by}')))"))
    assert "Your function stopped on line 1 with SystemExit." in told
    assert "✓ Right." in said(run("print(question.grade(twice))"))


@pytest.mark.parametrize("by", ["sys", "exit"])
def test_a_lab_that_asks_for_the_end_gets_a_sentence(run, by):
    source = f"lab.widget.entered = {{'by': '{by}'}}\nawait lab.widget.task"
    (error,) = (content for content in run(source) if "ename" in content)
    assert error["evalue"] == "the end of Python was asked for"
    assert "the end of Python was asked for" in said(run("print(lab.widget.alert)"))


def test_outside_of_what_is_graded_the_end_is_the_end(run):
    assert "None" in said(run("print(vars(get_ipython()).get('ask_exit'))"))


def test_a_lab_that_was_closed_is_shown_anew(run):
    still, live = shown(run("lab", allow_stdin=True))
    assert still == {"text/html", "text/plain"}
    assert "application/vnd.jupyter.widget-view+json" in live
    assert shown(run("Widget.close_all(); display(lab)", allow_stdin=True)) == [still, live]
    assert shown(run("display(question)")) == [{"text/html", "text/plain"}]


def test_where_nobody_sits_there_is_no_live_view(run):
    assert shown(run("lab", allow_stdin=False)) == [{"text/html", "text/plain"}]
