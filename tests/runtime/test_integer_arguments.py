"""Integers that are declared so take the type of the other arguments, and lose no digit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compilers import COMPILER
from scipy import sparse

import tcalc
from tcalc.errors import ArgumentError

BACKENDS = ["numpy", pytest.param("c", marks=pytest.mark.skipif(COMPILER is None, reason="no cc"))]
KINDS = [np.int64, np.int32, np.uint8, bool]
DECLARED = "x[m], g[n] integer, k integer, h[n]"
PROGRAMS = [
    "z[i] = x[g[i]]^2",
    "sum[i](exp(x[g[i]]))",
    "g.*h + onehot(k, m)'*x",
    "sum(g)*x",
]
SINGLE = {"x": np.float32([1, 2, 3]), "h": np.float32([1, 2, 3, 4]), "k": 2}


def arguments(f: Any, **more: Any) -> dict[str, Any]:
    return {x: (SINGLE | more)[x] for x in f.variables}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("kind", KINDS)
def test_they_take_the_type_of_the_others(program: str, backend: str, kind: type) -> None:
    f = tcalc.parse(program, DECLARED)
    fun = tcalc.compile([f, tcalc.derivative(f, "x")], backend=backend)
    g = np.ones(4, kind) if kind is bool else np.array([1, 3, 3, 2], kind)
    for _ in range(2):  # the second call repeats the conversions of the first
        found = fun(**arguments(f, g=g))
        assert {np.asarray(x).dtype for x in found} == {np.dtype(np.float32)}
        due = fun(**arguments(f, g=g.astype(np.float64), x=np.float64([1, 2, 3])))
        for mine, other in zip(found, due, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-6)
    assert fun(**arguments(f, g=g.tolist()))[0].dtype == np.float32


def test_they_are_of_double_precision_by_themselves_or_beside_it() -> None:
    alone = tcalc.compile(tcalc.parse("g", "g[n] integer"))
    assert alone(g=np.array([1, 2])).dtype == np.float64
    number = tcalc.compile(tcalc.parse("c*g", "c, g[n] integer"))
    assert number(c=2.5, g=np.array([1, 2])).dtype == np.float64
    assert number(c=np.float32(2.5), g=np.array([1, 2])).dtype == np.float32
    assert number(c=np.float32(2.5), g=np.array([1.0, 2.0])).dtype == np.float64
    assert number(c=1j, g=np.array([1, 2])).dtype == np.complex128
    assert number(c=np.complex64(1j), g=np.array([1, 2])).dtype == np.complex64


def test_integers_that_are_not_declared_so_count_as_doubles() -> None:
    fun = tcalc.compile(tcalc.parse("c*g", "c, g[n]"))
    assert fun(c=np.float32(2.5), g=np.array([1, 2])).dtype == np.float64


@pytest.mark.parametrize("backend", BACKENDS)
def test_integers_that_single_precision_does_not_have_are_refused(backend: str) -> None:
    fun = tcalc.compile(tcalc.parse("g.*h", "g[n] integer, h[n]"), backend=backend)
    h = np.float32([1, 1])
    exact = np.array([2**24, -(2**30)])
    many = exact + 1
    with pytest.raises(ArgumentError, match=r"^g has integers that single precision does not have"):
        fun(g=many, h=h)
    assert fun(g=exact, h=h).tolist() == exact.tolist()
    with pytest.raises(ArgumentError, match="give it as float64"):
        fun(g=many, h=h)
    assert fun(g=many.astype(float), h=h).tolist() == many.tolist()
    assert fun(g=many, h=h.astype(float)).tolist() == many.tolist()


def test_the_module_does_the_same() -> None:
    f = tcalc.parse("z[i] = x[g[i]]^2", DECLARED)
    namespace: dict[str, Any] = {}
    exec(tcalc.compile(f).source, namespace)
    evaluate = namespace["evaluate"]
    g = np.array([1, 3, 3, 2])
    assert evaluate(x=SINGLE["x"], g=g).dtype == np.float32
    assert evaluate(x=SINGLE["x"], g=g.astype(float)).dtype == np.float64
    assert evaluate(x=[1, 2, 3], g=g).dtype == np.float64
    with pytest.raises(TypeError, match="g has integers that single precision does not have"):
        evaluate(x=SINGLE["x"], g=g + 2**24)
    with pytest.raises(TypeError, match="g is not an array of numbers"):
        evaluate(x=SINGLE["x"], g=[[1], [1, 2]])
    assert "as_integers" not in tcalc.compile(tcalc.parse("2*x", DECLARED)).source


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("given", ["x", "g"])
def test_bound_ones(backend: str, given: str) -> None:
    f = tcalc.parse("sum[i](exp(x[g[i]]))", DECLARED)
    known = {"x": SINGLE["x"], "g": np.array([1, 3, 3, 2])}
    fun = tcalc.compile(f, backend=backend).bind(**{given: known.pop(given)})
    assert fun(**known).dtype == np.float32


def test_where_the_others_are_not_needed() -> None:
    """The derivative of what is linear: x tells the type and nothing else."""
    f = tcalc.parse("sum[i](x[g[i]])", DECLARED)
    slope = tcalc.compile(tcalc.gradient(f, "x"))
    g = np.array([1, 3, 3, 2])
    assert slope(g=g, x=SINGLE["x"]).dtype == np.float32
    assert slope(g=g, x=SINGLE["x"].astype(float)).dtype == np.float64


def test_sparse_matrices_count_as_doubles() -> None:
    fun = tcalc.compile(tcalc.parse("S*x", "S[n,m] integer, x[m]"))
    S = sparse.csr_array(np.array([[1, 0, 2]]))
    assert fun(S=S, x=SINGLE["x"]).dtype == np.float64
    assert fun(S=S.toarray(), x=SINGLE["x"]).dtype == np.float32


@pytest.mark.parametrize("backend", BACKENDS)
def test_in_a_loop_that_is_kept(backend: str) -> None:
    program = "s{0} = 0*a; for t = 1:T; s{t} = a*s{t-1} + x[g[t]]; end; s{T}"
    fun = tcalc.recurrence(program, "a, x[m], g[T] integer", backend=backend)
    data = {"a": np.float32(0.5), "x": SINGLE["x"]}
    g = np.array([1, 3, 2, 3])
    both = fun.value_and_gradient(["x", "a"])
    for positions in (g, g.astype(np.int8), g):
        value, slopes = both(g=positions, **data)
        assert value.dtype == np.float32
        assert {x.dtype for x in slopes.values()} == {np.dtype(np.float32)}
        assert value == both(g=g.astype(float), **data)[0]
    with pytest.raises(ArgumentError, match="single precision"):
        both(g=g + 2**24, **data)
