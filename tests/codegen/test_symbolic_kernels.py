"""Element-wise functions that users bring from SymPy, in C and as kernels."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from compilers import needs_compiler
from host_cupy import COMPILER, Workshop, load, module

import tcalc
from tcalc.codegen.targets.kernels import translatable
from tcalc.expr.nodes import Apply
from tcalc.expr.traverse import postorder
from tcalc.primitives.routines import routine_of
from tcalc.primitives.symbolic import Symbolic

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
    "a point apart": sympy.Piecewise((t**2, sympy.Ne(t, 1)), (3 * t, True)),
}


PLACES = np.array([-np.inf, -2.0, -1.0, -0.3, 0.0, 0.3, 1.0, 2.0, np.inf, np.nan])


@needs_compiler
@pytest.mark.parametrize("name", BROUGHT)
def test_functions_from_sympy_run_in_c(name: str) -> None:
    brought = tcalc.elementwise("brought", BROUGHT[name], t)
    f = tcalc.parse("sum(brought(x))", "x[n]", functions=[brought])
    wanted = [f, tcalc.gradient(f, "x"), tcalc.hessian(f, "x")]
    for some in (PLACES[1:-2], PLACES):
        with np.errstate(all="ignore"):
            due = tcalc.compile(wanted)(x=some)
            found = tcalc.compile(wanted, backend="c")(x=some)
        for one, other in zip(found, due, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-13)


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler for the kernels")
def test_functions_from_sympy_run_as_kernels() -> None:
    """Each with both its derivatives; one run of the compiler makes all kernels."""
    workshop = Workshop()
    pending = []
    for name, function in BROUGHT.items():
        brought = tcalc.elementwise("brought", function, t)
        # Two steps each, so that there is a kernel whatever the function is.
        values = tcalc.parse("2*brought(x)", "x[n]", functions=[brought])
        slopes = tcalc.gradient(tcalc.combine("sum(values)", values=values), "x")
        bends = tcalc.gradient(tcalc.combine("sum(slopes)", slopes=slopes), "x")
        wanted = [values, slopes, bends]
        nodes = [each.node for each in wanted]
        for node in postorder(nodes):
            if isinstance(node, Apply) and isinstance(node.primitive, Symbolic):
                assert translatable(routine_of(node), 1), node
        text = module(nodes, tuple(values.variables.values()), {"n": PLACES.size})
        assert "cp.ElementwiseKernel(" in text
        pending.append((name, wanted, load(text, workshop)))
    for name, wanted, namespace in pending:
        with np.errstate(all="ignore"):
            due = tcalc.compile(wanted)(x=PLACES)
            found = namespace["evaluate"](x=PLACES)
        for one, other in zip(found, due, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-13, err_msg=name)
