"""One dialect of docstrings: prose first, then Google's sections, whose names are in the code."""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import unrolled

LIBRARY = Path(unrolled.__file__).parent
MODULES = {
    str(path.relative_to(LIBRARY)): path.read_text(encoding="utf-8")
    for path in sorted(LIBRARY.rglob("*.py"))
}
SECTIONS = ("Args", "Attributes", "Returns", "Raises", "Example")

HEAD = re.compile(r"^(\w[\w ]*):$\n(?= )", re.MULTILINE)
ENTRY = re.compile(r" {4}(\w+(?:, \w+)*): \S")
CODE = re.compile(r"`.*?`")
MARKUP = re.compile(r"``|:\w+:`")  # of reStructuredText
# Where an entry may begin outside of a section: with a paragraph or line, or after a sentence.
BARE = re.compile(r"(?:^|(?<=[.;] ))(\w+(?:, \w+)*): ", re.MULTILINE)
SPOKEN = re.compile(r"(?:^|(?<=[.;] ))(Returns \S+|Raises [A-Z]\w+)", re.MULTILINE)

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def definitions(node: ast.AST, inside: str = "") -> Iterator[tuple[str, Definition]]:
    """Every class and function in a module, with the dotted name that it has there."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            yield inside + child.name, child
            yield from definitions(child, f"{inside}{child.name}.")
        else:
            yield from definitions(child, inside)


def classes(*sources: str) -> dict[str, ast.ClassDef]:
    """The classes of modules by their names."""
    trees = [ast.parse(source) for source in sources]
    found = [node for tree in trees for _, node in definitions(tree)]
    return {node.name: node for node in found if isinstance(node, ast.ClassDef)}


def ancestors(node: ast.ClassDef, known: dict[str, ast.ClassDef]) -> Iterator[ast.ClassDef]:
    """A class and those that it inherits from, as far as they are known."""
    yield node
    for base in bases(node):
        if base in known and base != node.name:
            yield from ancestors(known[base], known)


def bases(node: ast.ClassDef) -> list[str]:
    """The last words of what a class inherits from: "Module" of `nn.Module`."""
    return [re.sub(r"\[.*", "", ast.unparse(base)).split(".")[-1] for base in node.bases]


def is_record(node: ast.ClassDef) -> bool:
    """Whether a class is a dataclass or a named tuple, so that its fields are its parameters."""
    return "NamedTuple" in bases(node) or any(
        "dataclass" in ast.unparse(decorator) for decorator in node.decorator_list
    )


def is_property(node: Definition) -> bool:
    return any("property" in ast.unparse(decorator) for decorator in node.decorator_list)


def parameters(node: Definition, known: dict[str, ast.ClassDef]) -> set[str]:
    """The names that a caller may give to a function, or to the constructor of a class."""
    if isinstance(node, ast.ClassDef):
        return {
            name
            for cls in ancestors(node, known)
            for name in [
                *(name for part in cls.body for name in field(part)),
                *(name for part in cls.body for name in arguments(part, "__init__")),
            ]
        }
    return set(arguments(node))


def attributes(node: Definition, known: dict[str, ast.ClassDef]) -> set[str]:
    """The fields and properties of a class, and what its methods set on `self`."""
    if not isinstance(node, ast.ClassDef):
        return set()
    parts = [part for cls in ancestors(node, known) for part in cls.body]
    return {
        *(name for part in parts for name in field(part)),
        *(part.name for part in parts if isinstance(part, Definition) and is_property(part)),
        *(
            target.attr
            for part in parts
            for target in ast.walk(part)
            if isinstance(target, ast.Attribute)
            and isinstance(target.ctx, ast.Store)
            and ast.unparse(target.value) == "self"
        ),
    }


def field(part: ast.stmt) -> list[str]:
    """The name that a statement of a class body declares with its type, if it does."""
    annotated = isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
    return [part.target.id] if annotated else []


def arguments(part: ast.stmt, name: str | None = None) -> list[str]:
    """The parameters of a function, if the statement is one and has this name."""
    if not isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) or name not in (
        None,
        part.name,
    ):
        return []
    return [arg.arg for arg in ast.walk(part.args) if isinstance(arg, ast.arg)]


def is_error(name: str, known: dict[str, ast.ClassDef]) -> bool:
    """Whether a name is that of an exception class, Python's or the library's."""
    if name in known:
        return any(is_error(base, known) for base in bases(known[name]) if base != name)
    found = getattr(builtins, name, None)
    return isinstance(found, type) and issubclass(found, BaseException)


def split(docstring: str) -> tuple[str, list[tuple[str, list[str]]]]:
    """The prose of a docstring without its literal blocks, and its sections: head and lines."""
    prose, sections = [], []
    for block in re.split(r"\n(?:[ ]*\n)+(?! )", docstring):
        if head := HEAD.match(block):
            sections.append((head[1], block.split("\n")[1:]))
        elif sections:
            sections[-1][1].append(block)  # no entry, because it is not indented
        else:
            prose.append(re.sub(r"(::\n(?:[ ]*\n)+)(?: .*\n?|[ ]*\n)+", r"\1", block))
    return "\n\n".join(prose), sections


def faults(source: str, known: dict[str, ast.ClassDef]) -> list[str]:
    """What is not in the dialect, in the docstrings of a module, each with its place."""
    return [
        f"{name}: {fault}"
        for name, node in definitions(ast.parse(source))
        if (docstring := ast.get_docstring(node))
        for fault in faults_of(node, docstring, known)
    ]


def faults_of(node: Definition, docstring: str, known: dict[str, ast.ClassDef]) -> Iterator[str]:
    if found := MARKUP.search(docstring):
        yield f"{node.name}: {found[0]}…, where `code` is enough"
    prose, sections = split(docstring)
    may = parameters(node, known)
    has = attributes(node, known)
    for entry in BARE.finditer(prose):
        names = entry[1].split(", ")
        # No sentence begins in lower case: what does so, and is no name any more, was one once.
        begins = re.search(r"(?:^|\n\n|\.\s)$", prose[: entry.start()])
        if all(name in may | has or (begins and re.match("[a-z_]{2}", name)) for name in names):
            yield f"“{entry[1]}:” outside of a section"
    for spoken in SPOKEN.finditer(prose):
        yield f"“{spoken[1]}” outside of a section"
    if is_property(node) and ":" in CODE.sub("", docstring.split("\n")[0]):
        yield "a colon in the first line of a property, where napoleon looks for its type"
    for head, lines in sections:
        if head not in SECTIONS:
            yield f"“{head}:” is not a section"
        elif head == "Returns" and ":" in CODE.sub("", lines[0]):
            yield "a colon in the first line of Returns, where napoleon looks for a type"
        elif head in ("Args", "Attributes", "Raises"):
            record = isinstance(node, ast.ClassDef) and is_record(node)
            if head == "Args" and record:
                yield "“Args:” in a dataclass, whose fields are Attributes"
            for line in lines:
                if not (entry := ENTRY.match(line)):
                    if not re.match(r" {8}\S", line):
                        yield f"“{line.strip()}” is not an entry of {head}"
                    continue
                for name in entry[1].split(", "):
                    if head == "Raises" and not is_error(name, known):
                        yield f"{name} is not an exception"
                    elif head == "Args" and name not in may:
                        yield f"{name} is not a parameter"
                    elif head == "Attributes" and name not in has:
                        yield f"{name} is not an attribute"


KNOWN = classes(*MODULES.values())


@pytest.mark.parametrize("module", MODULES)
def test_docstrings_are_in_one_dialect(module):
    assert faults(MODULES[module], KNOWN) == []


GOOD = """
class Trouble(ValueError):
    '''What went wrong.'''

class Base(Module):
    '''A base: with a colon.

    width: none of its parameters, but a sentence with a head.
    '''
    def __init__(self, depth): self.net = depth

class Net(nn.Base):
    '''A net.

    `net(y)`: (B, m) to (B, n). Source: Somebody; others: nobody, of the
    kind: this one. For example::

        depth: a literal block.

        Raises ValueError too.

    It goes on.

    Args:
        depth: how deep it is, and
            what it does: nothing.

    Raises:
        Trouble: depth < 1.
        OSError: no file.
    '''

@dataclass
class Record:
    '''A record.

    Attributes:
        low, high: the ends.
        middle: between them.

    Example:
        >>> Record(1, 2)
        x: 3
    '''
    low: int
    high: int
    @property
    def middle(self):
        '''What `x: y` is.'''

def f(x, *rest, y=1, **more):
    '''Do it.

    The values of x: they fall.

    Args:
        x, y: numbers.
        rest: others.
        more: options.

    Returns:
        A pair
        of two: x and y.
    '''
""".replace("width: none of its", "Width: none of its")


def test_what_is_in_the_dialect_has_no_faults():
    assert faults(GOOD, classes(GOOD)) == []


@pytest.mark.parametrize(
    ("code", "docstring", "fault"),
    [
        ("def f(x)", "Do it to ``x``.", "where `code` is enough"),
        ("def f(x)", "Do it as :func:`g`.", "where `code` is enough"),
        ("def f(x)", "Do it.\n\nx: a number.", "“x:” outside of a section"),
        ("def f(x)", "Do it.\n\nIt is done. x: a number.", "“x:” outside of a section"),
        ("def f(x, y)", "Do it.\n\nOn one.\nx, y: a number.", "“x, y:” outside of a section"),
        ("def f(x)", "Do it.\n\nIt is. gone: a number.", "“gone:” outside of a section"),
        ("def f(x)", "Do it. Raises ValueError for x < 0.", "“Raises ValueError” outside of"),
        ("def f(x)", "Do it.\n\nReturns (n,) of it.", "“Returns (n,)” outside of a section"),
        ("def f(x)", "Do it.\n\nParameters:\n    x: a number.", "“Parameters:” is not a section"),
        ("def f(x)", "Do it.\n\nArgs:\n    z: a number.", "z is not a parameter"),
        ("def f(x)", "Do it.\n\nArgs:\n    x, z: numbers.", "z is not a parameter"),
        ("def f(x)", "Do it.\n\nAttributes:\n    x: a number.", "x is not an attribute"),
        ("def f(x)", "Do it.\n\nArgs:\n    x, a number.", "“x, a number.” is not an entry of Args"),
        ("def f(x)", "Do it.\n\nArgs:\n  x: a number.", "“x: a number.” is not an entry of Args"),
        (
            "def f(x)",
            "Do it.\n\nArgs:\n    x: one.\n\nAnd so.",
            "“And so.” is not an entry of Args",
        ),
        ("def f(x)", "Do it.\n\nRaises:\n    Trouble: x < 0.", "Trouble is not an exception"),
        ("def f(x)", "Do it.\n\nRaises:\n    int: x < 0.", "int is not an exception"),
        ("def f(x)", "Do it.\n\nReturns:\n    A pair: x.", "a colon in the first line of Returns"),
        ("@property\ndef f(x)", "The answer: x.", "a colon in the first line of a property"),
        ("@dataclass\nclass C", "It is.\n\nArgs:\n    x: one.", "“Args:” in a dataclass"),
        ("@dataclass\nclass C", "It is.\n\nx: one.", "“x:” outside of a section"),
        ("class C(NamedTuple)", "It is.\n\nArgs:\n    x: one.", "“Args:” in a dataclass"),
        ("class C(Base)", "It is.\n\ndepth: one.", "“depth:” outside of a section"),
    ],
)
def test_what_is_not_in_the_dialect_is_found(code, docstring, fault):
    base = "class Base:\n    def __init__(self, depth): ...\n\n"
    body = f"'''{docstring}'''\nx: int"
    source = f"{base}{code}:\n{textwrap.indent(body, '    ')}"
    assert any(fault in found for found in faults(source, classes(source)))
