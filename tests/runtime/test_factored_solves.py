"""Solves and determinants of factored tensors tell what is singular, indefinite, or too large."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc
from tcalc.runtime import FactoredTensor, FactoredTerm

RANDOM = np.random.default_rng(0)


def normal(*shape):
    return RANDOM.standard_normal(shape)


def spd(n):
    A = normal(n, n)
    return A @ A.T + np.eye(n)


def factored(terms, rows, columns=None, **options):
    """A factored tensor from pairs of cores with subscripts, in letters."""
    made = []
    for coefficient, cores, subscripts in terms:
        *inputs, output = (tuple(map(ord, part)) for part in subscripts.split(","))
        made.append(FactoredTerm(coefficient, tuple(cores), tuple(inputs), output))
    return FactoredTensor(made, rows, columns or rows, float, **options)


SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])
INDEFINITE = np.array([[1.0, 2.0], [2.0, -1.0]])


def test_a_singular_part_is_named():
    H = factored([(1.0, (spd(3), SINGULAR), "ac,bd,abcd")], (3, 2))
    with pytest.raises(tcalc.TcalcError, match=r"the part 2 × 2 is singular: its reciprocal"):
        H.solve(np.ones((3, 2)))


def test_singular_blocks_are_counted():
    blocks = np.stack([spd(2), SINGULAR, spd(2), np.zeros((2, 2))])
    H = factored([(1.0, (blocks,), "abc,abac")], (4, 2))
    with pytest.raises(
        tcalc.TcalcError, match=r"2 of the 4 blocks of 2 × 2 are singular, that at 2"
    ):
        H.solve(np.ones((4, 2)))


def test_a_zero_on_a_diagonal_is_placed():
    H = factored([(1.0, (np.array([[1.0, 2.0], [0.0, 3.0]]),), "ab,abab")], (2, 2))
    with pytest.raises(tcalc.TcalcError, match="a diagonal of 4 has a zero, that at 2, 1"):
        H.solve(np.ones((2, 2)))


def test_nearly_singular_matrices_are_told():
    V = normal(2, 3)
    H = factored([(1.0, (V.T @ V,), "bd,abad")], (4, 3))
    with pytest.raises(tcalc.TcalcError, match="3 × 3 is singular"):
        H.solve(np.ones((4, 3)))


def test_a_singular_sylvester_equation_is_told():
    A, B = np.diag([1.0, 2.0]), np.diag([-2.0, 5.0])
    terms = [(1.0, (A,), "ac,abcb"), (1.0, (B,), "bd,abad")]
    with pytest.raises(tcalc.TcalcError, match="add up to zero"):
        factored(terms, (2, 2)).solve(np.ones((2, 2)))


def test_what_is_indefinite_is_told():
    H = factored([(1.0, (spd(3), INDEFINITE), "ac,bd,abcd")], (3, 2))
    assert H.route == "part by part: 3 × 3, 2 × 2"
    route, first, second = H.explain_solve().splitlines()
    assert route == H.route
    assert "3 × 3: symmetric positive definite, reciprocal condition" in first
    assert "2 × 2: symmetric indefinite, reciprocal condition" in second
    blocks = factored([(1.0, (np.stack([spd(2), INDEFINITE, spd(2)]),), "abc,abac")], (3, 2))
    assert "1 not positive definite" in blocks.explain_solve()
    diagonal = factored([(1.0, (np.array([1.0, -2.0]),), "a,aa")], (2,))
    assert "a diagonal of 2: 1 negative, 0 zero" in diagonal.explain_solve()


def without_structure(limit, turn=0.0):
    """A map on 5 × 4 matrices that is a sum of three Kronecker products."""
    random = np.random.default_rng(3)
    terms = []
    for _ in range(3):
        A, B = random.standard_normal((2, 5, 5))
        terms.append((1.0, (A @ A.T + np.eye(5), (B @ B.T + np.eye(5))[:4, :4]), "ac,bd,abcd"))
    skew = np.triu(np.ones((4, 4)))
    terms.append((turn, (skew - skew.T,), "bd,abad"))
    return factored(terms, (5, 4), memory_limit=limit)


@pytest.mark.parametrize(("turn", "name"), [(0.0, "MINRES"), (1.0, "GMRES")])
def test_what_is_too_large_to_form_is_solved_by_iteration(turn, name):
    H = without_structure(1000.0, turn)
    assert "an iteration" in H.route and name in H.route and "GiB" in H.route
    b = normal(5, 4, 2)
    np.testing.assert_allclose(H @ H.solve(b), b, atol=1e-7)
    with pytest.raises(tcalc.TcalcError, match="above the limit"):
        H.logdet()
    H.memory_limit = 1e6
    assert without_structure(1e6, turn).route == "dense: no structure was found"
    np.testing.assert_allclose(H @ H.solve(b, method="dense"), b, atol=1e-9)


def test_the_method_can_be_chosen():
    H = factored([(1.0, (spd(3),), "bd,abad")], (4, 3))
    b = normal(4, 3)
    for method in ("auto", "dense", "iterative"):
        np.testing.assert_allclose(H @ H.solve(b, method=method), b, atol=1e-7)
    with pytest.raises(tcalc.TcalcError, match="no method 'fast'"):
        H.solve(b, method="fast")


def test_an_iteration_without_a_solution_says_so():
    H = factored([(1.0, (SINGULAR,), "bd,abad")], (3, 2))
    with pytest.raises(tcalc.TcalcError, match="singular or too ill-conditioned"):
        H.solve(np.ones((3, 2)), method="iterative")


@pytest.mark.parametrize("scale", [1e-120, 1.0, 1e30, 1e120])
def test_a_kronecker_sum_of_any_scale_is_solved(scale):
    A, B = scale * spd(3), scale * spd(2)
    H = factored([(1.0, (A,), "ac,abcb"), (1.0, (B,), "bd,abad")], (3, 2))
    b = normal(3, 2)
    assert H.route.startswith("a Kronecker sum")
    np.testing.assert_allclose(H @ H.solve(b), b, rtol=1e-10, atol=1e-12)


def test_a_kronecker_sum_that_is_exactly_singular_has_the_determinant_zero():
    A, B = np.diag([1.0, 2.0]), np.diag([2.0, 3.0])
    H = factored([(1.0, (A,), "ac,abcb"), (-1.0, (B,), "bd,abad")], (2, 2))
    assert H.logdet() == (0.0, -np.inf)


def test_an_outer_product_of_vectors_of_one_element_has_a_determinant():
    f = tcalc.parse("-(x'*y)^2", "x[n], y[n]")
    H = tcalc.compile(tcalc.hessian(f, "x"), form="factored")(x=[1.0], y=[3.0])
    sign, logarithm = H.logdet()
    assert sign == -1
    assert np.isclose(logarithm, np.log(18.0))


@pytest.mark.parametrize("text", ["norm2(X)", "log(sum(exp(X)))"])
def test_a_core_that_cancels_is_singular(text: str) -> None:
    f = tcalc.parse(text, "X[m,n]")
    H = tcalc.compile(tcalc.hessian(f, "X"), form="factored")
    for seed in range(20):
        tensor = H(X=np.random.default_rng(seed).standard_normal((6, 7)))
        with pytest.raises(tcalc.TcalcError, match="core of rank 1 is singular"):
            tensor.solve(np.ones((6, 7)))
