"""Products with stacks of matrices, some of them unit matrices, are taken apart."""

import re
from fractions import Fraction

import numpy as np
import pytest
from generated import body

import tcalc
from tcalc.codegen import stacks
from tcalc.expr import build, shape
from tcalc.expr.dims import Dim
from tcalc.interpret import evaluate
from tcalc.primitives.selection import UnitVector

PROCESS = """
tensor X[n,d], y[n], theta[3] positive
K[i,j] = theta[2]*exp(-(X[i,k] - X[j,k])^2 / (2*theta[1]^2)) + theta[3]*delta[i,j]
y'*inv(K)*y + logdet(K)
"""


def process(n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(6)
    X = rng.standard_normal((n, 2))
    return {"X": X, "y": np.sin(X.sum(1)), "theta": np.array([1.2, 1.1, 0.4])}


@pytest.mark.parametrize("n", [5, 120])
def test_the_hessian_by_the_parameters_of_a_covariance(n: int) -> None:
    H = tcalc.hessian(tcalc.parse(PROCESS), "theta")
    function = tcalc.compile(H)
    found = function(**process(n))
    expected = tcalc.evaluate(H, **process(n))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * abs(expected).max())
    written_out = re.search(r"\"ijj->ij\", t\d+\)\[", body(function))
    assert bool(written_out) == (n == 5)


def test_each_matrix_is_multiplied_once() -> None:
    """For all six traces of two derivatives of the covariance, and none for the unit matrix."""
    function = tcalc.compile(tcalc.hessian(tcalc.parse(PROCESS), "theta"))
    source = function.source_for(n=500, d=2)
    inverse = re.search(r"(t\d+) = inverse_factored", source)
    assert inverse is not None
    products = re.findall(rf"(t\d+)(?:\.T)? @ {inverse[1]}(?:\.T)?\n", source)
    assert len(products) == len(set(products)) == 2
    assert "reshape(3" not in source


PRODUCTS = {
    "two stacks": ("FVFW", ("aij", "jk", "bkl", "li"), "ab"),
    "two stacks, by other axes": ("FVFW", ("aij", "ik", "bkl", "jl"), "ab"),
    "with a matrix as the result": ("FVFx", ("aij", "jk", "bkl", "l"), "bia"),
    "one stack": ("VFW", ("ij", "ajk", "kl"), "lai"),
    "a trace": ("F", ("aii",), "a"),
    "without an axis of its own": ("FVFW", ("aij", "jk", "akl", "li"), ""),
    "three stacks": ("FFF", ("aij", "bjk", "cki"), "cab"),
}


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("name", PRODUCTS)
def test_products_with_stacks(name: str, symmetric: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "LARGE", 1)
    n = 4
    known = ("symmetric",) if symmetric else ()
    matrices = {x: build.var(x, shape("n", "n"), known) for x in "ABVW"}
    x, s = build.var("x", shape("n")), build.var("s", ())
    first, second, last = (build.apply(UnitVector(Dim.of(k), Dim.of(5))) for k in (4, 1, 2))
    F = build.add(
        [
            (
                Fraction(3),
                build.einsum([build.outer(last, s), build.delta(Dim.of("n"))], "i,jk->ijk"),
            ),
            (Fraction(1), build.einsum([matrices["A"], first, s, s], "jk,i,,->ijk")),
            (Fraction(-2), build.einsum([matrices["A"], matrices["B"], second], "jk,jk,i->ijk")),
        ]
    )
    letters, rows, output = PRODUCTS[name]
    given = {**matrices, "x": x, "F": F}
    node = build.einsum([given[letter] for letter in letters], list(rows), output)
    (made,), asked = stacks.unstacked([node], {"n": n})
    assert asked
    assert (made is node) == (name in ("without an axis of its own", "three stacks"))
    rng = np.random.default_rng(8)
    values = {name: rng.standard_normal((n, n)) for name in matrices}
    if symmetric:
        values = {name: array + array.T for name, array in values.items()}
    values |= {"x": rng.standard_normal(n), "s": rng.standard_normal(())}
    found, expected = (evaluate([root], values, {"n": n})[0] for root in (made, node))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * abs(expected).max())
