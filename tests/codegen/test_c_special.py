"""Special functions that the C library lacks: their digits, and their values at poles and ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from compilers import needs_compiler

import tcalc
from tcalc.codegen.c.helpers import HELPERS
from tcalc.codegen.c.special_helpers import OF_NUMBERS

pytestmark = [needs_compiler, pytest.mark.filterwarnings("ignore::RuntimeWarning")]

ZERO = 1.4616321449683622
"""The double beside the positive zero of digamma."""
ENDS = (0.0, -0.0, -1.0, -2.0, np.inf, -np.inf, np.nan, -1e20, 1e-310, 5e-324, 1e308, -1e-310)


def points(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Arguments right of 0 and left of it, near and far, none of them an integer."""
    rng = np.random.default_rng(seed)
    right = [rng.uniform(0, 3, 150), rng.uniform(3, 60, 100), 10 ** rng.uniform(-6, 6, 50)]
    near_zero = [ZERO + 1e-6 * rng.standard_normal(30), [ZERO, np.nextafter(ZERO, 2), 10.0, 1.0]]
    left = [-rng.uniform(0, 3, 150), -rng.uniform(3, 300, 100), -(10 ** rng.uniform(-6, 5, 50))]
    return np.concatenate([*right, *near_zero]), np.concatenate(left)


def in_c(program: str, x: np.ndarray) -> np.ndarray:
    found: Any = tcalc.compile(tcalc.parse(program, "x[n]"), backend="c")(x=x)
    assert found.dtype == x.dtype
    return np.asarray(found)


def off_by(
    found: np.ndarray, x: np.ndarray, due: Callable[[Any], Any], scale: Callable[[Any], Any]
) -> float:
    """The largest error in units of the precision of the numbers, relative to a scale."""
    with mpmath.workdps(40):
        errors = []
        for mine, at in zip(found, x, strict=True):
            s = mpmath.mpf(float(at))
            errors.append(abs(mpmath.mpf(float(mine)) - due(s)) / abs(scale(s)))
    return float(max(errors)) / float(np.finfo(found.dtype).eps)


def psi(k: int) -> Callable[[Any], Any]:
    return lambda s: mpmath.psi(k, s)


def terms(k: int) -> Callable[[Any], Any]:
    """The sizes of a derivative left of 0, and of two terms of it: the pole beside it is one."""

    def scale(s: Any) -> Any:
        r = s - mpmath.nint(s)
        pole = (
            mpmath.pi * mpmath.cot(mpmath.pi * r) if k == 0 else mpmath.factorial(k) / r ** (k + 1)
        )
        return max(abs(mpmath.psi(k, s)), abs(mpmath.psi(k, 1 - s)), abs(pole))

    return scale


@pytest.mark.parametrize(("kind", "units"), [(np.float64, 4.5), (np.float32, 0.6)])
@pytest.mark.parametrize("k", [0, 1, 2, 3, 5, 12])
def test_digamma_and_its_derivatives(k: int, kind: type, units: float) -> None:
    program = f"polygamma({k}, x)" if k else "digamma(x)"
    right, left = (x.astype(kind) for x in points(k))
    if k == 12:
        right = right[(right > 1e-2) & (right < 1e2)]  # beyond, it leaves the range of floats
    left = left[left != np.round(left)]
    left = left[np.abs(left - np.round(left)) > (1e-2 if k == 12 else 1e-5)]
    assert off_by(in_c(program, right), right, psi(k), psi(k)) < units
    assert off_by(in_c(program, left), left, psi(k), terms(k)) < units


def test_orders_that_are_high() -> None:
    x = np.array([0.3, 0.9, 5.0, 40.0, 170.0, 300.0])
    for k in (30, 60):  # a power of order k + 1 multiplies the rounding of its base by it
        assert off_by(in_c(f"polygamma({k}, x)", x), x, psi(k), psi(k)) < k


def test_values_at_poles_and_ends_are_those_of_numpy() -> None:
    x = np.array(ENDS)
    for program in ("digamma(x)", *(f"polygamma({k}, x)" for k in (1, 2, 3)), "log(normcdf(x))"):
        due = tcalc.compile(tcalc.parse(program, "x[n]"))(x=x)
        np.testing.assert_allclose(in_c(program, x), due, rtol=1e-15)


@pytest.mark.parametrize(("kind", "units"), [(np.float64, 8), (np.float32, 2)])
def test_logarithms_of_the_normal_distribution_function(kind: type, units: float) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([-rng.uniform(0, 60, 200), rng.uniform(0, 2, 60), -(10.0 ** np.arange(9))])
    x = x.astype(kind)

    def distribution(s: Any) -> Any:
        return mpmath.erfc(-s / mpmath.sqrt(2)) / 2

    def slope(s: Any) -> Any:
        return mpmath.npdf(s) / distribution(s)

    value = in_c("log(normcdf(x))", x)
    assert off_by(value, x, lambda s: mpmath.log(distribution(s)), value_of(value, x)) < units
    assert off_by(in_c("gradient(sum(log(normcdf(x))), x)", x), x, slope, slope) < units


def value_of(found: np.ndarray, x: np.ndarray) -> Callable[[Any], Any]:
    known = dict(zip(map(float, x), map(float, found), strict=True))
    return lambda s: known[float(s)]


def test_derivatives_of_the_logarithm_of_the_gamma_function() -> None:
    f = tcalc.parse("sum(lgamma(x)) + sum(gamma(x))", "x[n]")
    roots = [f, tcalc.gradient(f, "x"), tcalc.hessian(f, "x")]
    x = np.array([0.2, 1.0, 2.5, 7.0, -0.5, -3.25])
    for mine, other in zip(
        tcalc.compile(roots, backend="c")(x=x), tcalc.compile(roots)(x=x), strict=True
    ):
        np.testing.assert_allclose(mine, other, rtol=1e-13)


def test_a_file_has_the_functions_that_it_calls_and_no_others() -> None:
    def functions(program: str) -> set[str]:
        source = tcalc.compile(tcalc.parse(program, "x[n]"), backend="c").source_for(n=3)
        return {
            name for name in OF_NUMBERS if f"real {name}(" in source or f"double {name}(" in source
        }

    assert functions("digamma(x)") == {"digamma"}
    assert functions("polygamma(2, x)") == {"hurwitz_zeta", "polygamma"}
    assert functions("lgamma(x)") == set()
    assert functions("sum(log(normcdf(x)))") == {"erfcx"}
    assert OF_NUMBERS.keys() <= HELPERS.keys()


def test_functions_in_the_part_that_is_bound() -> None:
    f = tcalc.parse("digamma(x)'*y", "x[n], y[n]")
    x, y = np.array([0.5, 2.0]), np.array([1.0, -3.0])
    bound = tcalc.compile(f, backend="c").bind(x=x)
    np.testing.assert_allclose(bound(y=y), tcalc.compile(f)(x=x, y=y), rtol=1e-14)


@pytest.mark.parametrize("axes", ["n", "m,n"])
@pytest.mark.parametrize("zeros", [0, 1, 2])
def test_products_of_all_others(axes: str, zeros: int) -> None:
    """Exact where elements are 0; the element itself never divides."""
    f = tcalc.parse("prod(x)", f"x[{axes}]")
    roots = [tcalc.gradient(f, "x"), tcalc.hessian(f, "x")]
    x = np.array([3.0, -2.0, 0.5, 7.0, 1.5, -1.25]).reshape((6,) if axes == "n" else (2, 3))
    x.ravel()[[1, 4][:zeros]] = 0
    found, due = (tcalc.compile(roots, backend=name)(x=x) for name in ("c", "numpy"))
    for mine, other in zip(found, due, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-14)
