"""The straight lines of programs, held to the standard of array libraries.

What NumPy's and CuPy's modules share is operators, slices, and functions of the array-API standard.
Here they run on `array_api_strict`, which has nothing else and promotes no types: methods that both
libraries have beside the standard are spelled by its functions, and the few names for which it has
none (`BESIDE`) are listed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

import tcalc
from tcalc import gallery, interpret
from tcalc.codegen.device import device_diagonal
from tcalc.codegen.emit import emit
from tcalc.codegen.lower import lower
from tcalc.codegen.program import Solver
from tcalc.codegen.signature import signature_of
from tcalc.codegen.solvers import diagonal_of
from tcalc.codegen.targets import NumPy, Writer

xp = pytest.importorskip("array_api_strict")

BESIDE = {"einsum", "heaviside", "iscomplexobj", "tri", "array"}
"""What the straight lines call that the standard has not: both NumPy and CuPy have it."""

OTHERWISE = {"power": "pow"}
"""What the standard has by another name."""

STEPS = ("linalg.", "special.", "np.linalg", "_factored(", "triangle(", "factorise", "cholesky",
         "placed(", "running_sums(")  # fmt: skip
"""What stands for a routine of LAPACK's, or adds up what belongs to each of some places, or what is
before each: programs with these are no part of the standard."""


class Kind:
    """The type of an array, with what modules ask it for."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        self.kind = "f"

    def type(self, value: Any) -> Strict:
        return Strict(xp.asarray(float(value), dtype=self.dtype))


class Strict:
    """An array of the standard's, with the methods that modules use."""

    def __init__(self, array: Any) -> None:
        self.array = array

    dtype = property(lambda self: Kind(self.array.dtype))
    shape = property(lambda self: self.array.shape)
    ndim = property(lambda self: self.array.ndim)
    real = property(lambda self: self)

    @property
    def T(self) -> Strict:  # noqa: N802 - NumPy's name
        return self.transpose(*reversed(range(self.ndim)))

    def transpose(self, *axes: int) -> Strict:
        return Strict(xp.permute_dims(self.array, axes))

    def swapaxes(self, a: int, b: int) -> Strict:
        order = list(range(self.ndim))
        order[a], order[b] = order[b], order[a]
        return self.transpose(*order)

    def sum(self, axis: Any = None) -> Strict:
        return Strict(xp.sum(self.array, axis=axis))

    def reshape(self, *shape: Any) -> Strict:
        whole = shape[0] if isinstance(shape[0], tuple) else shape
        return Strict(xp.reshape(self.array, whole))

    def ravel(self) -> Strict:
        return self.reshape(-1)

    def copy(self) -> Strict:
        return Strict(xp.asarray(self.array, copy=True))

    def diagonal(self) -> Strict:
        return Strict(xp.linalg.diagonal(self.array))

    def __getitem__(self, index: Any) -> Strict:
        return Strict(self.array[self._full(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        self.array[self._full(index)] = plain(value)

    def _full(self, index: Any) -> Any:
        """An index for every axis, which the standard asks for where there is no ellipsis."""
        parts = index if isinstance(index, tuple) else (index,)
        if any(part is Ellipsis for part in parts):
            return parts
        return (*parts, *[slice(None)] * (self.ndim - sum(part is not None for part in parts)))

    def __repr__(self) -> str:
        return repr(self.array)


def plain(value: Any) -> Any:
    """What the standard's functions take."""
    if isinstance(value, Strict):
        return value.array
    if isinstance(value, Kind):
        return value.dtype
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    if getattr(value, "__name__", "") == "type" and hasattr(value, "__self__"):
        return value.__self__.dtype  # Kind.type, as modules hand it on
    return value


def _operator(name: str) -> Any:
    def apply(self: Strict, *others: Any) -> Any:
        result = getattr(self.array, name)(*map(plain, others))
        return NotImplemented if result is NotImplemented else Strict(result)

    return apply


for _name in ("add", "sub", "mul", "truediv", "matmul", "pow"):
    for _text in (f"__{_name}__", f"__r{_name}__"):
        setattr(Strict, _text, _operator(_text))
for _text in ("__neg__", "__and__", "__or__", "__invert__"):
    setattr(Strict, _text, _operator(_text))
for _text in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"):
    setattr(Strict, _text, _operator(_text))


class Namespace:
    """The standard's functions under NumPy's name; `used` remembers what is beside it."""

    pi, inf, nan = np.pi, np.inf, np.nan
    ndarray = Strict

    def __init__(self) -> None:
        self.used: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        name = OTHERWISE.get(name, name)
        if hasattr(xp, name) and name not in BESIDE:
            function = getattr(xp, name)

            def apply(*given: Any, **options: Any) -> Any:
                given = tuple(map(plain, given))
                if name in ("empty", "zeros", "ones", "full") and len(given) > (name == "full") + 1:
                    *given, options["dtype"] = given  # by position in NumPy, a keyword here
                result = function(*given, **{key: plain(x) for key, x in options.items()})
                return Strict(result)

            return apply
        if name not in BESIDE:
            raise AttributeError(f"the standard has no {name}")
        self.used.add(name)
        return object.__getattribute__(self, f"_{name}")

    def _iscomplexobj(self, x: Strict) -> bool:
        return bool(xp.isdtype(x.array.dtype, "complex floating"))

    def _array(self, x: Strict) -> Strict:
        return x.copy()

    def _heaviside(self, x: Strict, middle: float) -> Strict:
        dtype = x.array.dtype
        above = xp.astype(x.array > 0, dtype)
        return Strict(above + middle * xp.astype(x.array == 0, dtype))

    def _tri(self, rows: int, columns: int, offset: int, dtype: Any) -> Strict:
        return Strict(xp.tril(xp.ones((rows, columns), dtype=plain(dtype)), k=offset))

    def _einsum(self, text: str, *operands: Strict) -> Strict:
        # A view to be written to, or what NumPy says: arrays of the standard's are NumPy's within.
        found = np.einsum(text, *(x.array._array for x in operands))
        return Strict(type(operands[0].array)._new(np.asarray(found), operands[0].array.device))


class Plain(NumPy):
    """NumPy without what is written for its memory: `out=`, and views made writable."""

    dotted = 0

    def embedded(self, function: Callable[..., Any], solver: Solver | None, writer: Writer) -> str:
        return writer.embed(device_diagonal if function is diagonal_of else function)


@cache
def source(name: str) -> tuple[str, list[Any], Any, dict[str, int]]:
    model = gallery.load(name)
    f = tcalc.parse(model.program)
    wrt = model.wrt[0]
    roots = [f.node, tcalc.derivative(f, wrt).node, tcalc.derivative(f, wrt, wrt).node]
    signature = signature_of(roots, tuple(f.variables.values()))
    arrays = gallery.make_data(name)
    sizes = {}
    for variable in signature.arguments:
        for dim, size in zip(variable.dims, np.shape(arrays[variable.name]), strict=True):
            if dim.is_name:
                sizes[str(dim)] = size
    program = replace(lower(roots, sizes), in_place=False)
    return emit(program, signature, sizes, target=Plain()).source, roots, signature, sizes


def is_standard(name: str) -> bool:
    text = source(name)[0]
    return not any(step in text.partition("def compute")[2] for step in STEPS)


STANDARD = [name for name in gallery.names() if is_standard(name)]


def test_there_is_something_to_hold_to_it() -> None:
    assert len(STANDARD) >= 12, STANDARD


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", STANDARD)
def test_models_on_strict_arrays(name: str, dtype: str) -> None:
    text, roots, signature, sizes = source(name)
    tree = ast.parse(text)
    tree.body = [x for x in tree.body if not isinstance(x, ast.Import | ast.ImportFrom)]
    space = Namespace()
    found: dict[str, Any] = {"np": space, "Any": Any}
    exec(compile(tree, "<strict>", "exec", flags=annotations_flag()), found)
    arrays = {k: np.asarray(v, float) for k, v in gallery.make_data(name).items()}
    given = [
        Strict(xp.asarray(arrays[x.name], dtype=getattr(xp, dtype))) for x in signature.arguments
    ]
    results = found["compute"](*given)
    due = interpret.evaluate(roots, arrays, sizes)
    tolerance = 1e-9 if dtype == "float64" else 2e-3
    for mine, other in zip(results, due, strict=True):
        if isinstance(mine, Strict):
            assert mine.array.dtype == getattr(xp, dtype)
            mine = mine.array
        scale = float(np.abs(other).max(initial=1e-3))
        np.testing.assert_allclose(np.asarray(mine), other, tolerance, tolerance * scale)
    assert space.used <= BESIDE


def annotations_flag() -> int:
    import __future__

    return __future__.annotations.compiler_flag
