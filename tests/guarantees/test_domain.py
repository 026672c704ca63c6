"""Domains: their regions cover them, and their points lie in them, edges included."""

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from unrolled.guarantees.domain import Domain, allows

x, y, z = sp.symbols("x y z", real=True)
p, q = sp.symbols("p q", positive=True)
d = sp.Symbol("d", nonnegative=True)
i, j = sp.symbols("i j", integer=True)
n = sp.Symbol("n", integer=True, positive=True)
ALL = (x, y, z, p, q, d, i, j, n)

RELATIONS = (sp.Gt, sp.Ge, sp.Lt, sp.Le)


@st.composite
def domains(draw):
    """Domains of two or three symbols, bounded by numbers and by those that come before them."""
    symbols = draw(st.permutations(ALL))[: draw(st.integers(2, 3))]
    relations = []
    for place, symbol in enumerate(symbols):
        before = [other for other in symbols[:place] if other.is_integer or not symbol.is_integer]
        constant = draw(st.integers(-3, 3)) if symbol.is_integer else draw(st.fractions(-3, 3))
        for relation in draw(st.lists(st.sampled_from(RELATIONS), max_size=2, unique=True)):
            end = sp.sympify(constant) + (relation in (sp.Lt, sp.Le)) * draw(st.integers(0, 5))
            if before and draw(st.booleans()):
                end += draw(st.sampled_from((1, -1, 2))) * draw(st.sampled_from(before))
            made = relation(symbol, end)
            if made not in (sp.true, sp.false):
                relations.append(made)
    return symbols, Domain(tuple(relations))


def reaches(region, point):
    """Whether some values that the new symbols may take give the point."""
    known = {symbol: value for symbol, value in point.items() if symbol not in region}
    for symbol, form in region.items():
        form = form.subs(known)
        if not form.free_symbols:
            if form != point[symbol]:
                return False
            continue
        (new,) = form.free_symbols
        found = [t for t in sp.solve(form - point[symbol], new) if allows(new, t)]
        if not found:
            return False
        known[new] = found[0]
    return True


@given(domains(), st.integers(0, 1000))
def test_regions_cover_the_points_of_a_domain(drawn, seed):
    symbols, domain = drawn
    regions = list(domain.regions(symbols))
    for point in domain.points(symbols, 5, seed=seed):
        assert any(reaches(region, point) for region in regions), (domain, point)


@given(domains(), st.integers(0, 1000))
def test_points_lie_in_the_domain(drawn, seed):
    symbols, domain = drawn
    for point in domain.points(symbols, 5, seed=seed):
        assert point.keys() == set(symbols) | domain.symbols
        assert all(allows(symbol, value) for symbol, value in point.items())
        assert all(relation.subs(point) == sp.true for relation in domain.relations)


@pytest.mark.parametrize("end", [sp.Rational(1, 2), sp.Rational(-7, 3), sp.sqrt(2)])
@pytest.mark.parametrize("relation", RELATIONS)
def test_regions_cover_the_integers_on_either_side_of_any_number(relation, end):
    domain = Domain((relation(i, end),))
    for point in domain.points({i}, 20):
        assert any(reaches(region, point) for region in domain.regions({i})), point


def test_a_region_that_is_too_small_is_noticed():
    t = sp.Dummy(positive=True)
    assert reaches({x: 1 + t}, {x: sp.Integer(2)})
    assert not reaches({x: 1 + t}, {x: sp.Integer(1)})
    assert not reaches({x: sp.Integer(1)}, {x: sp.Integer(2)})


@pytest.mark.parametrize(
    ("domain", "symbol", "edges"),
    [
        (Domain((x >= 1, x <= 2)), x, {1, 2}),
        (Domain((x <= 5,)), x, {5}),
        (Domain((p <= 1,)), p, {1}),
        (Domain(), d, {0}),
        (Domain((i >= -2, i <= 1)), i, {-2, -1, 0, 1}),
        (Domain((n <= 3,)), n, {1, 2, 3}),
        (Domain((n > 2,)), n, {3}),
    ],
)
def test_edges_are_among_the_points(domain, symbol, edges):
    values = {point[symbol] for point in domain.points({symbol}, 40)}
    assert edges <= values


def test_an_edge_that_depends_on_another_symbol_is_among_the_points():
    points = list(Domain((y >= 2 * x,)).points({x, y}, 40))
    assert len(points) == 40
    assert any(point[y] == 2 * point[x] for point in points)


def test_what_lies_beside_an_open_edge_is_among_the_points():
    values = [point[p] for point in Domain((p < 1,)).points({p}, 200)]
    assert 1 not in values
    assert max(values) > 1 - sp.Rational(1, 10**5)
    assert min(values) < sp.Rational(1, 100)


def test_points_are_the_same_for_one_seed():
    domain = Domain((y >= x,))
    assert list(domain.points({x, y}, 5)) == list(domain.points({x, y}, 5))
    assert list(domain.points({x, y}, 5)) != list(domain.points({x, y}, 5, seed=1))


def test_an_empty_domain_has_no_points():
    assert not list(Domain((x < 1, x > 2)).points({x}, 40))


def test_a_bounded_integer_takes_each_of_its_values():
    regions = list(Domain((n <= 3,)).regions({n}))
    assert [region[n] for region in regions] == [1, 2, 3]


def test_a_closed_end_is_a_region_of_its_own():
    assert len(list(Domain((x >= 0, x <= 1)).regions({x}))) == 2
    assert len(list(Domain((x >= 0, x < 1)).regions({x}))) == 1
    assert list(Domain().regions({x, p})) == [{}]


@pytest.mark.parametrize(
    ("symbol", "value", "allowed"),
    [
        (x, -1.5, True),
        (p, 0, False),
        (p, 1e-9, True),
        (d, 0, True),
        (d, -1, False),
        (n, 2, True),
        (n, 0, False),
        (i, -3, True),
        (i, 0.5, False),
        (sp.Symbol("e", even=True), 3, False),
        (sp.Symbol("e", even=True), -4, True),
        (sp.Symbol("o", odd=True), -3, True),
        (sp.Symbol("v", negative=True), 0, False),
        (sp.Symbol("v", nonpositive=True), 0, True),
        (sp.Symbol("u", real=True, nonzero=True), 0, False),
    ],
)
def test_what_a_symbol_may_be(symbol, value, allowed):
    assert allows(symbol, value) is allowed


def test_a_domain_holds_where_its_relations_do():
    domain = Domain((y >= 2 * x, p < 1))
    assert domain.holds({x: 1, y: 2, p: 0.5})
    assert not domain.holds({x: 1, y: 1.9})
    assert domain.holds({y: 1.9})  # of x nothing is known
    assert not domain.holds({p: 1})
    assert not domain.holds({p: -1})


@pytest.mark.parametrize(
    ("relations", "reason"),
    [
        ((p > 0,), "relations like kappa > 1 are needed"),
        ((p < 0,), "relations like kappa > 1 are needed"),
        ((sp.Eq(x, y),), "relations like kappa > 1 are needed"),
        ((sp.Ne(x, y),), "relations like kappa > 1 are needed"),
        ((x + y > 1,), "on its left a symbol"),
        ((sp.Gt(2 * x, 1, evaluate=False),), "on its left a symbol"),
        ((sp.Lt(1, x),), "on its left a symbol"),
        ((x < y, y < x), "by each other"),
        ((x < y, y < z, z < x + 1), "x, y, z by each other"),
        ((x < x * y,), "by each other"),
    ],
)
def test_relations_that_bound_no_symbol_are_refused(relations, reason):
    with pytest.raises(ValueError, match=reason):
        Domain(relations)


def test_its_relations_are_shown():
    assert Domain((x >= 1, y < x)).to_latex() == r"x \geq 1,\ y < x"
    assert Domain().to_latex() == ""
