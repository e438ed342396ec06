"""Element-wise functions that users bring from SymPy, in C and as kernels."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from compilers import needs_compiler

import tcalc

t = sympy.Symbol("t", real=True)
HALF = sympy.Rational(1, 2)
BROUGHT = {
    "absolute value": sympy.Abs(t) ** 3,
    "error function": t * sympy.erf(t),
    "maximum": sympy.Max(t, 0) ** 2,
    "minimum and sign": sympy.Min(t, 1) + sympy.sign(t) * t**2,
    "Huber's loss": sympy.Piecewise((t**2 / 2, sympy.Abs(t) < 1), (sympy.Abs(t) - HALF, True)),
    "a window": sympy.Piecewise((t**3, (t > 0) & (t <= 1)), (0, True)),
    "two ends": sympy.Piecewise((t**2, (t < -1) | (t >= 1)), (1, True)),
}


@needs_compiler
@pytest.mark.parametrize("name", BROUGHT)
def test_functions_from_sympy_run_in_c(name: str) -> None:
    brought = tcalc.elementwise("brought", BROUGHT[name], t)
    f = tcalc.parse("sum(brought(x))", "x[n]", functions=[brought])
    wanted = [f, tcalc.gradient(f, "x"), tcalc.hessian(f, "x")]
    x = np.array([-np.inf, -2.0, -1.0, -0.3, 0.0, 0.3, 1.0, 2.0, np.inf, np.nan])
    for some in (x[1:-2], x):
        with np.errstate(all="ignore"):
            due = tcalc.compile(wanted)(x=some)
            found = tcalc.compile(wanted, backend="c")(x=some)
        for one, other in zip(found, due, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-13)
