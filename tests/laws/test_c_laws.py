"""C functions compute what NumPy's code computes: gallery models, primitives, random programs.

Each file takes a few tenths of a second to compile, so there are many results in each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import random_programs
from compilers import needs_compiler
from enrolled import SIZES, Case, cases
from guarded import guarded

import tcalc
from tcalc import calculus, gallery, runtime
from tcalc.errors import UnsupportedError
from tcalc.expr import build
from tcalc.expr.nodes import Node, Var
from tcalc.expr.traverse import variables

pytestmark = [needs_compiler, pytest.mark.filterwarnings("ignore::RuntimeWarning")]

NUMPY, IN_C = runtime.Options(), runtime.Options(backend="c")
CASES = cases()


def agree(found: Any, due: Any, tolerance: float) -> None:
    for mine, other in zip(found, due, strict=True):
        assert np.shape(mine) == np.shape(other)
        assert np.asarray(mine).dtype == np.asarray(other).dtype
        finite = np.where(np.isfinite(other), other, 0)
        scale = max(1.0, float(np.abs(finite).max(initial=0)))
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance * scale)


def check(
    roots: list[Node], inputs: tuple[Var, ...], arrays: dict[str, Any], tolerance: float = 1e-9
) -> runtime.CompiledFunction:
    """A function in C has the values of NumPy's code, and keeps within its memory."""
    fun = runtime.compile(roots, IN_C, variables=inputs)
    due = runtime.compile(roots, NUMPY, variables=inputs)
    known = {x: arrays[x] for x in fun.signature.names}
    expected = due(**known)
    agree(fun(**known), expected, tolerance)
    inside = guarded(fun, **known)
    assert inside is not None, "C gave up"
    agree([x[()] for x in inside], expected, tolerance)
    return fun


# the gallery

MODELS = gallery.names()
QUICK = ("logistic", "ridge", "gaussian_process", "quadratic_form", "log_determinant", "power")


def derivatives(f: tcalc.Expression, wrt: tuple[str, ...], mode: str) -> list[Node]:
    """The value, the first derivatives by some inputs, and the second by the first of them."""
    by = [f.variables[x] for x in wrt[:3]]
    roots = [f.node, *(calculus.derivative(f.node, [x], mode) for x in by)]
    second = f.node.order == 0 and mode != "forward"
    return [*roots, calculus.derivative(f.node, by[:1] * 2, mode)] if second else roots


@pytest.mark.parametrize(
    "name", [pytest.param(x, marks=() if x in QUICK else pytest.mark.slow) for x in MODELS]
)
@pytest.mark.parametrize("mode", ["forward", "reverse", "cross-country"])
def test_models_of_the_gallery(name: str, mode: str) -> None:
    model = gallery.load(name)
    f, arrays = tcalc.parse(model.text), gallery.make_data(name, size="small")
    inputs = tuple(f.variables.values())
    roots = derivatives(f, model.wrt, mode)
    try:
        runtime.compile(roots, IN_C, variables=inputs).source_for(**model.sizes["small"])
    except UnsupportedError as error:
        assert "there is no C code for" in str(error)
        assert 'compile with backend="numpy"' in str(error)
        return
    check(roots, inputs, arrays, 1e-8)
    single = {x: np.asarray(v, np.float32) for x, v in arrays.items()}
    fun, due = (runtime.compile(roots, x, variables=inputs) for x in (IN_C, NUMPY))
    known = {x: single[x] for x in fun.signature.names}
    agree(fun(**known), due(**known), 2e-2)


@pytest.mark.parametrize("name", ["logistic", "gaussian_process", "ridge"])
@pytest.mark.parametrize("form", ["factored", "auto"])
def test_factored_tensors(name: str, form: str) -> None:
    model = gallery.load(name)
    f, arrays = tcalc.parse(model.text), gallery.make_data(name, size="small")
    H = tcalc.hessian(f, model.wrt[0])
    mine, due = (tcalc.compile(H, form=form, backend=x) for x in ("c", "numpy"))
    known = {x: arrays[x] for x in due.signature.names}
    found, expected = mine(**known), due(**known)
    mine, other = (x.dense() if hasattr(x, "dense") else x for x in (found, expected))
    agree([mine], [other], 1e-9)


# primitives


def _batches(size: int) -> list[list[Case]]:
    """The cases, some in each file, of which no two arguments share a name."""
    return [CASES[k : k + size] for k in range(0, len(CASES), size)]


def _renamed(case: Case, place: int, sizes: dict[str, int]) -> tuple[list[Node], list[Var], Any]:
    """The function, its derivatives, and arrays, under names that no other case has."""
    values = case.data(sizes)
    inputs = [build.var(f"{x.name}_{place}", x.dims, x.properties) for x in case.arguments]
    result = case.build(*inputs)
    roots = [result, *(calculus.derivative(result, [x]) for x in inputs)]
    named = zip(inputs, case.arguments, strict=True)
    return roots, inputs, {mine.name: values[x.name] for mine, x in named}


@pytest.mark.parametrize("batch", _batches(24), ids=lambda batch: batch[0].id)
def test_primitives_and_their_first_derivatives(batch: list[Case]) -> None:
    sizes = SIZES[2]
    roots: list[Node] = []
    inputs: list[Var] = []
    arrays: dict[str, Any] = {}
    for place, case in enumerate(batch):
        some, own, values = _renamed(case, place, sizes)
        try:
            fun = runtime.compile(some, IN_C, variables=own)
            fun.source_for(**sizes_of(fun, values))
        except UnsupportedError as error:
            assert "there is no C code for" in str(error)
            continue
        roots += some
        inputs += own
        arrays |= values
    check(roots, tuple(inputs), arrays)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_each_primitive_at_all_sizes_and_to_second_order(case: Case) -> None:
    for roots in ([case.result], case.first, [H for row in case.second for H in row]):
        for sizes in SIZES if len(roots) == 1 else SIZES[2:3]:
            values = case.data(sizes)
            fun = runtime.compile(list(roots), IN_C, variables=case.arguments)
            if not fun.signature.arguments:
                continue
            try:
                fun.source_for(**sizes_of(fun, values))
            except UnsupportedError as error:
                assert "there is no C code for" in str(error)
                break
            for kind, tolerance in ((np.float64, 1e-9), (np.float32, 5e-3)):
                arrays = {x: v.astype(kind) for x, v in values.items()}
                due = runtime.compile(list(roots), variables=case.arguments)
                known = {x: arrays[x] for x in fun.signature.names}
                agree(fun(**known), due(**known), tolerance)
            known = {x: values[x] for x in fun.signature.names}
            inside = guarded(fun, **known)
            if inside is not None:
                agree([x[()] for x in inside], due(**known), 1e-9)


def sizes_of(fun: runtime.CompiledFunction, arrays: dict[str, Any]) -> dict[str, int]:
    return fun.signature.measure([np.shape(arrays[x]) for x in fun.signature.names])


# random programs


def random_roots(seed: int, sizes: dict[str, int]) -> tuple[list[Node], tuple[Var, ...]]:
    """A random program and derivatives of it, in any mode; nothing where values are huge."""
    program = random_programs.program(seed)
    f = tcalc.parse(program.text, random_programs.DECLARED)
    inputs = variables([f.node])
    due = program.value(random_programs.data(sizes, seed) | sizes)
    if not inputs or not np.all(np.isfinite(due)) or np.abs(due).max(initial=0) > 1e4:
        return [], ()
    order = 1 if f.node.order else 2
    wrt = [f.variables[inputs[(seed + k) % len(inputs)].name] for k in range(order)]
    mode = calculus.MODES[seed % len(calculus.MODES)]
    made = [calculus.derivative(f.node, wrt[: k + 1], mode) for k in range(order)]
    return [f.node, *made], tuple(f.variables.values())


RANDOM = (
    {"m": 2, "n": 3, "k": 4},
    {"m": 5, "n": 5, "k": 5},
    {"m": 1, "n": 1, "k": 1},
    {"m": 1, "n": 6, "k": 2},
    {"m": 9, "n": 1, "k": 3},
)


def programs_agree(start: int, count: int, sizes: dict[str, int]) -> None:
    roots: list[Node] = []
    inputs: dict[Var, None] = {}
    for seed in range(start, start + count):
        some, given_ = random_roots(seed, sizes)
        roots += some
        inputs.update(dict.fromkeys(given_))
    arrays = random_programs.data(sizes, start)
    carried = []
    for root in roots:  # a few have functions that C does not
        try:
            fun = runtime.compile(root, IN_C, variables=tuple(inputs))
            fun.source_for(**sizes_of(fun, arrays))
        except UnsupportedError:
            continue
        carried.append(root)
    check(carried, tuple(inputs), arrays, 1e-7)


@pytest.mark.parametrize("sizes", RANDOM, ids=str)
def test_random_programs_and_their_derivatives(sizes: dict[str, int]) -> None:
    programs_agree(100 * sizes["n"] + sizes["m"], 10, sizes)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(2000, 2600, 10))
def test_more_random_programs(start: int) -> None:
    programs_agree(start, 10, RANDOM[start // 10 % len(RANDOM)])
