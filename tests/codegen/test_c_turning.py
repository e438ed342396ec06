"""Arrays that C functions make with their axes in the order in which they are read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compilers import needs_compiler
from guarded import guarded
from hypothesis import given
from random_graphs import agree_in_c, graphs, law

import tcalc
from tcalc.codegen.c import c_module
from tcalc.codegen.c.turning import turned
from tcalc.codegen.lower import lower
from tcalc.codegen.options import Options
from tcalc.codegen.program import Sum
from tcalc.codegen.signature import signature_of
from tcalc.expr import build
from tcalc.expr.nodes import Node

DECLARED = "a[n], b[n], c[n], A[n,n], B[n,n], T[n,n,n]"
PROGRAMS = {
    "an outer product read in another order": "z[i,j,k] = A[i,j]*b[k] + T[k,i,j]; z",
    "a sum read in another order": "y[i,j,k] = exp(T[i,j,k]) + A[i,j]*a[k]; z[k,j,i] = y[i,j,k]; z",
    "sums of several outer products": "z[i,j,k] = A[j,k]*a[i] + B[i,k]*b[j] + A[i,j]*c[k]; z",
    "a product read in another order": "z[j,k,i] = A[i,j]*b[k]; z",
    "a Hessian of a product": "z[k,i,l,j] = A[k,l]*B[i,j]; z",
    "a diagonal": "z[i,j,k] = A[j,k]*a[i] + delta[i,k]*B[j,i]; z",
    "slices": "z[i,j,k] = A[k,j]*a[i]; y[k,i,j] = z[i,j,k] + T[j,k,i]; y",
    "read twice": "z[i,j,k] = A[j,k]*a[i]; y[i,j,k] = z[k,i,j]*z[i,j,k] + T[j,k,i]; y",
}


def arrays_for(expression: tcalc.Expression, n: int = 5) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    inputs = expression.variables.items()
    return {name: rng.standard_normal([n] * len(x.dims)) for name, x in inputs}


@needs_compiler
@pytest.mark.parametrize("title", PROGRAMS)
def test_like_numpys_code(title: str) -> None:
    f = tcalc.parse(PROGRAMS[title], DECLARED)
    arrays = arrays_for(f)
    fun = tcalc.compile(f, backend="c")
    due = tcalc.evaluate(f, **arrays)
    np.testing.assert_allclose(fun(**arrays), due, rtol=1e-12, atol=1e-13)
    inside = guarded(fun, **arrays)
    assert inside is not None
    np.testing.assert_allclose(inside[0], due, rtol=1e-12, atol=1e-13)


def test_outer_products_are_not_held() -> None:
    """A Hessian that is a sum of them needs no room of its size beside the result."""
    f = tcalc.parse(
        "h{0} = h0; for t = 1:4; h{t} = tanh(W*h{t-1} + X[t,1:end]); end; norm2(h{4})^2",
        "W[n,n], h0[n], X[m,n]",
    )
    H = tcalc.hessian(f, "W")
    signature = signature_of([H.node])
    sizes = dict.fromkeys(signature.sizes, 12)
    program = lower([H.node], sizes, Options(backend="c"))
    module = c_module(program, signature, sizes)
    assert module.work < 12**4


def test_a_product_that_is_a_result_is_made_in_its_order() -> None:
    f = tcalc.parse("norm2(B*X*A')^2/2", "B[n,n], X[n,n], A[n,n]")
    H = tcalc.compile(tcalc.hessian(f, "X"), backend="c")
    source = H.source_for(n=12)
    assert int(source.partition("work_size = ")[2].partition(" ")[0]) < 12**3


def test_a_result_in_another_order_is_made_so() -> None:
    text = "y[i,j,k] = exp(T[i,j,k]) + A[i,j]*a[k]; z[k,j,i] = y[i,j,k]; z"
    f = tcalc.parse(text, DECLARED)
    sizes = {"n": 6}
    program = turned(lower([f.node], sizes, Options(backend="c")))
    (output,) = program.outputs
    (made,) = (x for x in program.statements if output.view.value in x.results)
    assert isinstance(made.operation, Sum)
    assert output.view.plain


@needs_compiler
@law(12)
@given(graphs())
def test_random_graphs_with_transposed_results(roots: list[Node]) -> None:
    mirrored = [build.einsum([x], [range(x.order)], range(x.order)[::-1]) for x in roots]
    agree_in_c(mirrored, {"m": 3, "n": 4, "k": 2})
