"""Nothing is typed twice: each formula of a statement is used by something that would notice.

A statement's text names things; what it says of them with a formula it takes from an expression.
Every such expression is changed here, its module run anew, and some check has to fail.
"""

import ast
import importlib
import pkgutil
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import sympy as sp

from unrolled.chapters import BOOK
from unrolled.guarantees import Theorem

THEOREMS = {theorem.name: theorem for chapter in BOOK for theorem in chapter.theorems}
FORMULAS = [(name, key) for name, theorem in THEOREMS.items() for key in theorem.formulas]
DEFINITIONS = [(name, key) for name, theorem in THEOREMS.items() for key in theorem.definitions]

# ---- what is typed -------------------------------------------------------------------------------

# The range of an index, the kind of thing that a letter stands for, a limit, a sum of placeholders.
NAMED = re.compile(
    r"[a-z]=[01],\\dots,[A-Za-z]|[A-Za-z]\\in\\mathbb R\S*|\\to(?:\\infty|\s*0)|i\\ne\s*j"
    r"|(?<=@)\+(?=@)"
)
ATTACHED = re.compile(r"[_^](?:\{(?:[^{}]|\{[^{}]*\})*\}|\\[A-Za-z]+|\S)")  # indices, exponents
SAID = re.compile(r"\\(?:[lr]?VERT|text\{[^}]*\}|[bB]ig+[lr]?|left|right|q?quad|[,;!])")
COMPUTED = re.compile(
    r"[-+/*<>]|\d|\\(?:cdot|[td]?frac|sqrt|sum|prod|max|min|le|ge|ne|lt|gt|times)(?![A-Za-z])"
)
RELATED = re.compile(r"=|\\(?:leftarrow|in|sim|to|approx)(?![A-Za-z])")


def typed(statement: str) -> list[str]:
    """The formulas of a statement that are typed into it: what computes or relates by itself."""
    text = re.sub(r"<<.*?>>", "@", statement)
    text = re.sub(r"\{prf:ref\}`[^`]*`", "", text)
    found = []
    for formula in re.findall(r"\$\$(.*?)\$\$|\$(.*?)\$", text, flags=re.DOTALL):
        whole = "".join(formula)
        bare = re.sub(r"\\underbrace\{@\}_\{\\text\{\w+\}\}", "@", re.sub(r"\s+(?=\\u)", "", whole))
        bare = NAMED.sub("", bare)
        while ATTACHED.search(bare):
            bare = ATTACHED.sub("", bare)
        bare = SAID.sub("", bare)
        if COMPUTED.search(bare) or (RELATED.search(bare) and "@" not in bare):
            found.append(" ".join(whole.split()))
    return found


@pytest.mark.parametrize("name", THEOREMS)
def test_no_formula_is_typed_into_a_statement_or_an_assumption(name):
    theorem = THEOREMS[name]
    assert typed(theorem.statement) == []
    assert [found for each in theorem.assumptions for found in typed(each.statement)] == []


UNDERBRACED = re.compile(r"\\underbrace\{<<(.*?)>>\}")


@pytest.mark.parametrize("name", [n for n, t in THEOREMS.items() if "underbrace" in t.statement])
def test_the_terms_that_are_shown_add_up_to_the_bound(name):
    theorem = THEOREMS[name]
    terms = [theorem.formulas[key] for key in UNDERBRACED.findall(theorem.statement)]
    assert sum(terms) == theorem.bound


@pytest.mark.parametrize(
    "text",
    [
        "$t>1-2/M$", r"$\beta=r^2$", r"$b=\int\lambda^4g^2\,d\nu$", r"$\delta_{5s-1}<1/\sqrt2$",
        r"$\mathcal N(0,1/m)$", "$K\\ge2$", "$$ x = y $$", "$\\rho<<relation>>1/2$",
    ],
)  # fmt: skip
def test_formulas_that_are_typed_are_found(text):
    assert typed(text)


@pytest.mark.parametrize(
    "text",
    [
        "$x_0$", "$x^{k+1}=<<layer>>$", r"$q_0,q_1,\dots$", "$$<<quantity>> <<relation>> <<it>>$$",
        r"$k=1,\dots,K$", r"$a=\int<<density>>\,d\nu$", r"$A^\top y$", r"$i\ne j$",
    ],
)  # fmt: skip
def test_names_may_be_typed(text):
    assert typed(text) == []


# ---- what is used --------------------------------------------------------------------------------


def mutants(formula: sp.Basic) -> list[sp.Basic]:
    """The formula with a number in it changed, or its size, or its direction."""
    if isinstance(formula, sp.Rel):
        larger = formula.func(formula.lhs, formula.rhs * sp.Rational(11, 10) + sp.Rational(1, 10))
        return [larger, formula.reversedsign if formula.rhs == 0 else formula.negated]
    grown = sp.Rational(1, 10) if formula == 0 else formula * sp.Rational(11, 10)
    numbers = [n for n in sorted(formula.atoms(sp.Rational), key=str) if n not in (1, -1)]
    return [grown, *(formula.xreplace({number: number + 1}) for number in numbers[:2])]


def home(theorem: Theorem) -> ModuleType:
    """The module that defines a theorem."""
    package = importlib.import_module(f"unrolled.guarantees.{theorem.name.partition('.')[0]}")
    for found in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{found.name}")
        source = ast.parse(Path(module.__file__).read_text())
        if any(
            isinstance(node, ast.keyword)
            and node.arg == "name"
            and isinstance(node.value, ast.Constant)
            and node.value.value == theorem.name
            for node in ast.walk(source)
        ):
            return module
    raise AssertionError(f"{theorem.name} is defined nowhere")


def names_of(module: ModuleType, formula: sp.Basic) -> list[str]:
    """The names under which a module knows this very object."""
    return [name for name, thing in vars(module).items() if thing is formula]


def with_changed(module: ModuleType, name: str, change) -> dict:
    """What the module holds when it is run anew, with the expression of that name changed."""
    tree = ast.parse(Path(module.__file__).read_text())
    assigned = [
        node
        for node in tree.body
        if isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == name for t in node.targets)
    ]
    imported = [
        (node, alias)
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if (alias.asname or alias.name) == name
    ]
    for node in assigned:
        node.value = ast.Call(ast.Name("__change__", ast.Load()), [node.value], [])
    for node, _ in imported:
        call = ast.Call(ast.Name("__change__", ast.Load()), [ast.Name(name, ast.Load())], [])
        after = ast.Assign([ast.Name(name, ast.Store())], call)
        tree.body.insert(tree.body.index(node) + 1, after)
    assert assigned or imported, f"{name} is not assigned in {module.__name__}"
    fresh = ModuleType(f"{module.__name__}_changed")
    fresh.__dict__.update(__file__=module.__file__, __change__=change)
    importlib.sys.modules[fresh.__name__] = fresh  # dataclasses look their module up
    try:
        exec(compile(ast.fix_missing_locations(tree), module.__file__, "exec"), fresh.__dict__)
    finally:
        del importlib.sys.modules[fresh.__name__]
    return vars(fresh)


def notices(module: ModuleType, theorem: Theorem, name: str, change) -> bool:
    """Whether some check of the theorem fails once the expression of that name is changed."""
    try:
        things = with_changed(module, name, change)
        (changed,) = (
            thing
            for thing in things.values()
            if isinstance(thing, Theorem) and thing.name == theorem.name
        )
        # From cheap to dear.
        exact = (*changed.derivation.verify(), *changed._covered(), *changed._defined())
        if not all(verdict.passed for verdict in exact):
            return True
        attained = changed.attain()
        return not ((attained is None or attained.passed) and changed.check(100).passed)
    except Exception:
        return True


@pytest.mark.parametrize("name", sorted({name for name, _ in FORMULAS}))
def test_a_module_run_anew_and_unchanged_passes(name):
    theorem = THEOREMS[name]
    module = home(theorem)
    alias = names_of(module, next(iter(theorem.formulas.values())))[0]
    assert not notices(module, theorem, alias, lambda value: value)


@pytest.mark.parametrize(("name", "key"), FORMULAS)
def test_a_changed_formula_is_noticed(name, key):
    theorem = THEOREMS[name]
    module, formula = home(theorem), theorem.formulas[key]
    known = names_of(module, formula)
    assert known, f"{key} is an expression of its own, which nothing else can use"
    for alias in known:
        with_changed(module, alias, lambda value: value)  # what is unchanged can be run anew
    for mutant in mutants(formula):
        assert any(
            notices(module, theorem, alias, lambda _, mutant=mutant: mutant) for alias in known
        ), mutant


# A quantity that is zero is so whatever it is multiplied by, and in every norm.
MEASURED = [name for name, theorem in THEOREMS.items() if theorem.bound != 0]


@pytest.mark.parametrize("name", MEASURED)
def test_a_changed_quantity_is_noticed(name):
    theorem = THEOREMS[name]
    for mutant in mutants(theorem.quantity):
        changed = replace(theorem, quantity=mutant)
        assert not changed.check(100).passed or not changed.attain().passed, mutant


@pytest.mark.parametrize(("name", "key"), DEFINITIONS)
def test_a_changed_definition_is_noticed(name, key):
    theorem = THEOREMS[name]
    definition = theorem.definitions[key]
    for mutant in mutants(definition.meaning):
        changed = replace(definition, meaning=mutant)
        replaced = replace(theorem, definitions={**theorem.definitions, key: changed})
        assert not all(verdict.passed for verdict in replaced._defined()), mutant
