"""Factors that products in a sum share stand outside brackets in generated code."""

from __future__ import annotations

import numpy as np
import pytest
from generated import body
from scipy import sparse

import tcalc

DECLARED = "A[m,n], B[n,k], D[n,k], E[k,n], M[m,k], a[m], b[k], d[k], e[k], s, y[k]"
SIZES = {"m": 6, "n": 5, "k": 4}


def values(expression: tcalc.Expression, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: rng.standard_normal([SIZES[str(dim)] for dim in x.dims])
        for name, x in expression.variables.items()
    }


@pytest.mark.parametrize(
    ("text", "operator", "products"),
    [
        # outer products, one of them with a multiple of a factor
        ("a*b' + a*d' + M", " * ", 1),
        ("2*a*b' - a*(3*d)' + M", "[:, None]", 1),
        ("cos(M) + a*b' - 3*a*d' + a*e'", "[:, None]", 1),
        # one product transposed
        ("(b*b'/2 - b*d' - sin(B)'*B)*E", "[:, None]", 1),
        # matrices, from either side, and one of them transposed
        ("A*sin(B) + A*cos(D) + M", ".dot(", 1),
        ("A*sin(B) - A*cos(E)' + M", ".dot(", 1),
        ("sin(A)*sin(B) + cos(A)*sin(B) + M", ".dot(", 1),
        ("A*B + A*D + M", ".dot(", 1),
        # element by element
        ("sin(M).*cos(M) + sin(M).*exp(M) + M", " * ", 1),
        # nothing that two of them share
        ("A*sin(B) + cos(A)*D + M", ".dot(", 2),
        ("sin(A)*sin(B) + cos(A)*sin(B) + cos(A)*D + M", ".dot(", 2),
    ],
)
def test_sums_of_products(text: str, operator: str, products: int) -> None:
    f = tcalc.parse(text, DECLARED)
    given = values(f)
    compiled = tcalc.compile(f)
    expected = tcalc.evaluate(f, **given)
    np.testing.assert_allclose(compiled(**given), expected, rtol=1e-12, atol=1e-13)
    assert body(compiled).count(operator) == products


def test_a_sum_that_is_larger_than_what_it_saves_is_not_formed() -> None:
    f = tcalc.parse("y'*B' - sin(y)'*E + exp(y'*E - y'*B')", DECLARED)
    sum_of_matrices = tcalc.parse("y'*sin(E) + y'*cos(E) + y'*B'", DECLARED)
    for g in (f, sum_of_matrices):
        given = values(g)
        compiled = tcalc.compile(g)
        expected = tcalc.evaluate(g, **given)
        np.testing.assert_allclose(compiled(**given), expected, rtol=1e-12)
    assert body(compiled).count(".dot(") == 3


def test_products_that_are_read_elsewhere_stay() -> None:
    f = tcalc.parse("P = a*b'; Q = a*d'; (P + Q + M).*sin(P)", DECLARED)
    given = values(f)
    compiled = tcalc.compile(f)
    np.testing.assert_allclose(compiled(**given), tcalc.evaluate(f, **given), rtol=1e-12)


@pytest.mark.parametrize("bound", [["A", "B"], ["A"], ["B", "D"]])
def test_what_is_bound_is_multiplied_once(bound: list[str]) -> None:
    f = tcalc.parse("A*B + A*D + M", DECLARED)
    given = values(f)
    compiled = tcalc.compile(f).bind(**{name: given[name] for name in bound})
    rest = {name: x for name, x in given.items() if name not in bound}
    np.testing.assert_allclose(compiled(**rest), tcalc.evaluate(f, **given), rtol=1e-12)


def test_sparse_matrices_are_shared_but_not_added_up() -> None:
    f = tcalc.parse("A*B + A*D + M", DECLARED)
    given = values(f)
    expected = tcalc.evaluate(f, **given)
    fun = tcalc.compile(f)
    for names in ("A", "B", "", "D", "BD", ""):
        mixed = given | {name: sparse.csr_array(given[name]) for name in names}
        np.testing.assert_allclose(fun(**mixed), expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["A", "a", "b"])
def test_derivatives_of_what_shares_factors(name: str) -> None:
    f = tcalc.parse("sum(tanh(A*B + A*D + a*b' + a*d'))", DECLARED)
    assert tcalc.check(f, name, order=2).passed
    derivative = tcalc.gradient(f, name)
    given = values(derivative)
    np.testing.assert_allclose(
        tcalc.compile(derivative)(**given), tcalc.evaluate(derivative, **given), rtol=1e-11
    )
