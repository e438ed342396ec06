"""Numbers of one kind that are added up are made together, where they are small."""

from __future__ import annotations

import numpy as np
import pytest
from generated import body
from scipy import sparse

import tcalc

LIKELIHOOD = """
tensor Y[6,n], A[n,n], s[n] positive
x{0} = s
f{0} = 0
for t = 1:6
    x{t}[i] = tanh(A[i,j]*x{t-1}[j] + Y[t,i]) + 2
    f{t} = f{t-1} + norm2(x{t})^2/2 - sum(log(x{t})) + sum(1 ./ (1 + 3*x{t}))
end
f{6}
"""


def data(n: int, dtype: type = float) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    found = {"Y": rng.standard_normal((6, n)), "A": rng.standard_normal((n, n)) / n}
    return {name: x.astype(dtype) for name, x in {**found, "s": rng.random(n) + 1}.items()}


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-13)])
def test_squares_logarithms_and_quotients_over_time(dtype: type, tolerance: float) -> None:
    f = tcalc.parse(LIKELIHOOD)
    compiled = tcalc.compile(f)
    given = data(4, dtype)
    value = compiled(**given)
    assert value.dtype == dtype
    np.testing.assert_allclose(value, tcalc.evaluate(f, **given), rtol=tolerance)
    code = body(compiled)
    assert code.count("np.log(") == 1
    assert code.count(".sum()") == 2
    assert code.count("np.concat((") == 1  # all are made of the same arrays


def test_large_arrays_stay_where_they_are() -> None:
    f = tcalc.parse(LIKELIHOOD)
    compiled = tcalc.compile(f)
    given = data(300)
    np.testing.assert_allclose(compiled(**given), tcalc.evaluate(f, **given), rtol=1e-12)
    assert "np.concat" not in body(compiled)
    small = data(3)
    np.testing.assert_allclose(compiled(**small), tcalc.evaluate(f, **small), rtol=1e-12)


def test_terms_with_other_coefficients_or_functions_stay_apart() -> None:
    names = "abcdefgh"
    text = "+".join(f"sum(exp({x}))" for x in names[:5]) + "-2*norm2(f)^2 + sum(sin(g)) - h'*h"
    f = tcalc.parse(text, ", ".join(f"{x}[n]" for x in names))
    compiled = tcalc.compile(f)
    rng = np.random.default_rng(0)
    given = {x: rng.standard_normal(3) for x in names}
    np.testing.assert_allclose(compiled(**given), tcalc.evaluate(f, **given), rtol=1e-13)
    assert body(compiled).count("np.exp(") == 1
    assert body(compiled).count("np.concat((") == 1


def test_products_of_different_arrays_and_of_matrices() -> None:
    pairs = [("A", "B"), ("C", "D"), ("E", "F"), ("G", "H")]
    text = " + ".join(f"sum({x}.*{y})" for x, y in pairs)
    f = tcalc.parse(text, ", ".join(f"{x}[m,n]" for pair in pairs for x in pair))
    rng = np.random.default_rng(0)
    given = {x: rng.standard_normal((3, 2)) for pair in pairs for x in pair}
    compiled = tcalc.compile(f)
    np.testing.assert_allclose(compiled(**given), tcalc.evaluate(f, **given), rtol=1e-13)


def test_what_is_read_elsewhere_too_is_made_by_itself() -> None:
    f = tcalc.parse(
        "sum(exp(a)) + sum(exp(b)) + sum(exp(c)) + sum(exp(d)) + sum(exp(g))*0.5",
        "a[n], b[n], c[n], d[n], g[n]",
    )
    g = tcalc.gradient(f, "a")
    compiled = tcalc.compile([f, g])
    rng = np.random.default_rng(0)
    given = {x: rng.standard_normal(3) for x in "abcdg"}
    value, gradient = compiled(**given)
    np.testing.assert_allclose(value, tcalc.evaluate(f, **given), rtol=1e-13)
    np.testing.assert_allclose(gradient, np.exp(given["a"]), rtol=1e-13)


@pytest.mark.parametrize("bound", [("Y",), ("A", "s"), ("Y", "A", "s")])
def test_what_is_bound_is_computed_once(bound: tuple[str, ...]) -> None:
    f = tcalc.parse(LIKELIHOOD)
    given = data(4)
    compiled = tcalc.compile(f).bind(**{name: given[name] for name in bound})
    rest = {name: x for name, x in given.items() if name not in bound}
    np.testing.assert_allclose(compiled(**rest), tcalc.evaluate(f, **given), rtol=1e-13)


def test_memory_that_is_kept_between_calls() -> None:
    f = tcalc.parse(LIKELIHOOD)
    compiled = tcalc.compile([f, tcalc.gradient(f, "A")], reuse=True)
    for seed in range(2):
        given = {name: x + seed / 10 for name, x in data(4).items()}
        value, gradient = compiled(**given)
        np.testing.assert_allclose(value, tcalc.evaluate(f, **given), rtol=1e-13)
        expected = tcalc.evaluate(tcalc.gradient(f, "A"), **given)
        np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-12)


def test_sparse_inputs_are_not_put_side_by_side() -> None:
    names = "ABCD"
    f = tcalc.parse(" + ".join(f"sum({x})" for x in names), ", ".join(f"{x}[m,n]" for x in names))
    given = {x: np.diag([1.0, 2.0, 3.0]) * (k + 1) for k, x in enumerate(names)}
    compiled = tcalc.compile(f)
    mixed = {x: sparse.csr_array(a) if x == "A" else a for x, a in given.items()}
    assert compiled(**mixed) == pytest.approx(60.0)
    assert compiled(**given) == pytest.approx(60.0)
