"""Factored tensors whose cores are a device's arrays: the same as on the host."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from host_cupy import COMPILER
from host_device import DeviceArray, cupy  # noqa: F401 - a fixture

import tcalc
from tcalc.errors import ArgumentError, DomainError, UnsupportedError

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler for the kernels")

CASES = {
    "one core": ("norm2(T - U*V')^2", "T[n,m], U[n,k], V[m,k]", "U"),
    "blocks": ("sum(Omega .* (T - U*V').^2)", "Omega[n,m], T[n,m], U[n,k], V[m,k]", "U"),
    "Kronecker sum": ("tr(U'*A*U) + tr(U*B*U')", "U[n,k], A[n,n] spd, B[k,k] spd", "U"),
    "low rank": ("sum(x.^4) + (c'*x)^2 + norm2(x)^2", "x[n], c[n]", "x"),
    "symmetric square": ("logdet(S)", "S[n,n] spd", "S"),
    "symmetric, dense": ("norm2(S*S - A)^2", "S[n,n] spd, A[n,n] spd", "S"),
    "one matrix": ("sum((A*x).^4)", "A[m,n], x[n]", "x"),
    "dense": (
        "tr(U'*A*U*B) + tr(U'*C*U*D)",
        "U[n,k], A[n,n] spd, B[k,k] spd, C[n,n] spd, D[k,k] spd",
        "U",
    ),
}
SIZES = {"n": 4, "m": 7, "k": 3}


def case(name: str) -> tuple[Any, dict[str, np.ndarray]]:
    program, declarations, wrt = CASES[name]
    f = tcalc.parse(program, declarations)
    rng = np.random.default_rng(3)
    data = {}
    for key, variable in f.variables.items():
        shape = tuple(dim.evaluate(SIZES) for dim in variable.dims)
        data[key] = rng.uniform(0.5, 1.5, shape)
        if variable.properties:
            data[key] = data[key] @ data[key].T + shape[0] * np.eye(shape[0])
    return tcalc.hessian(f, wrt), data


def both(name: str, cupy: Any) -> tuple[Any, Any]:  # noqa: F811
    H, data = case(name)
    on_device = {key: cupy.asarray(value) for key, value in data.items()}
    here = tcalc.compile(H, form="factored")(**data)
    there = tcalc.compile(H, backend="cupy", form="factored")(**on_device)
    return here, there


def require_same(found: Any, due: Any) -> None:
    assert isinstance(found, DeviceArray)
    np.testing.assert_allclose(np.asarray(found), due, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_products_and_systems(name: str, cupy: Any) -> None:  # noqa: F811
    here, there = both(name, cupy)
    assert there.route == here.route
    assert all(isinstance(core, DeviceArray) for term in there.terms for core in term.cores)
    rng = np.random.default_rng(0)
    x = rng.normal(size=here.columns)
    several = rng.normal(size=(*here.columns, 2))
    if name.startswith("symmetric"):
        x, several = x + x.swapaxes(0, 1), several + several.swapaxes(0, 1)
    for b in (x, several):
        require_same(there @ cupy.asarray(b), here @ b)
        require_same(there.T @ cupy.asarray(b), here.T @ b)
        require_same(there.solve(cupy.asarray(b)), here.solve(b))
        require_same(there.solve(cupy.asarray(b), method="dense"), here.solve(b, method="dense"))
    require_same(there.dense(), here.dense())
    require_same(there.diagonal(), here.diagonal())
    require_same(there.eigvalsh(), here.eigvalsh())
    assert there.trace() == pytest.approx(here.trace())
    assert there.logdet() == pytest.approx(here.logdet())
    kinds = [line.partition(", reciprocal")[0] for line in here.explain_solve().splitlines()]
    assert [x.partition(", reciprocal")[0] for x in there.explain_solve().splitlines()] == kinds
    assert there.nbytes == here.nbytes


def test_arrays_of_two_kinds_are_refused(cupy: Any) -> None:  # noqa: F811
    here, there = both("one core", cupy)
    x = np.ones(here.columns)
    with pytest.raises(ArgumentError, match=r"the cores are on a device(.|\n)*cupy\.asarray"):
        there @ x
    with pytest.raises(ArgumentError, match=r"on a device(.|\n)*cupy\.asnumpy"):
        here @ cupy.asarray(x)
    with pytest.raises(TypeError, match="dense\\(\\) is the array there"):
        np.asarray(there)


def test_what_has_no_room_on_the_device(cupy: Any) -> None:  # noqa: F811
    _, there = both("dense", cupy)
    there.memory_limit = 8
    with pytest.raises(UnsupportedError, match="no iteration on a device"):
        there.solve(cupy.ones(there.rows))
    with pytest.raises(UnsupportedError, match="to_linear_operator"):
        there.solve(cupy.ones(there.rows), method="iterative")


def test_singular_cores_are_named(cupy: Any) -> None:  # noqa: F811
    H, data = case("one core")
    data["V"][:, 0] = 0
    on_device = {key: cupy.asarray(value) for key, value in data.items()}
    tensor = tcalc.compile(H, backend="cupy", form="factored")(**on_device)
    with pytest.raises(DomainError, match="the part 3 × 3 is singular"):
        tensor.solve(cupy.ones(tensor.rows))


@pytest.mark.parametrize("name", CASES)
def test_sums_and_products_stay_on_the_device(name: str, cupy: Any) -> None:  # noqa: F811
    here, there = both(name, cupy)
    g = np.random.default_rng(4).standard_normal(here.rows)
    require_same((2 * there - there / 4 + there).dense(), 2.75 * here.dense())
    require_same((there.T @ there).dense(), (here.T @ here).dense())
    require_same(there.__rmatmul__(cupy.asarray(g)), g @ here)
    with pytest.raises(ArgumentError, match="on a device"):
        there + here
