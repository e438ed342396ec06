"""What Hessians of differences cost: a few diagonals, and no product of matrices."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from compilers import needs_compiler

import tcalc

DECLARED = "x[n], y[n], w[n], a[], b[]"

PROGRAMS = {
    "second differences": "norm2(x - y)^2 + a*norm2(x[3:n] - 2*x[2:n-1] + x[1:n-2])^2",
    "autoregression": "norm2(x[3:n] - a*x[2:n-1] - b*x[1:n-2])^2",
    "of a function": "sum(exp(x[3:n] - a*x[2:n-1] - b*x[1:n-2]))",
    "one step": "sum(exp(x[2:n] - a*x[1:n-1]))",
    "of products": "z = x.*w; sum(tanh(z[3:n] - 2*z[2:n-1] + z[1:n-2]))",
    "of five": "sum(exp(x[5:n] + x[4:n-1] + x[3:n-2] + x[2:n-3] + x[1:n-4]))",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_some_operations_for_each_element(name: str) -> None:
    f = tcalc.parse(PROGRAMS[name], DECLARED)
    row = tcalc.cost(f, "x", sizes={"n": 1000}, modes=["cross-country"]).row()
    assert row.flops is not None
    assert row.flops.names() == {"n"}
    assert row.flops.coefficient("n", "n") == row.flops.coefficient("n", "n", "n") == 0
    assert row.flops.coefficient("n") <= 40
    assert row.bytes <= 8 * 1.1 * 1000**2  # the result


@pytest.mark.parametrize("backend", ["numpy", pytest.param("c", marks=needs_compiler)])
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("n", [9, 70])
def test_values(name: str, n: int, backend: Literal["numpy", "c"]) -> None:
    # A sum of 70 by 68 elements is large enough to be multiplied out.
    f = tcalc.parse(PROGRAMS[name], DECLARED)
    hessian = tcalc.hessian(f, "x")
    function = tcalc.compile(hessian, backend=backend)
    random = np.random.default_rng(5)
    given: dict[str, Any] = {
        name: random.standard_normal([n] * len(hessian.variables[name].dims)) / 2
        for name in function.signature.names
    }
    due = tcalc.evaluate(hessian, **given)
    np.testing.assert_allclose(function(**given), due, rtol=1e-12, atol=1e-12)
