"""The compiled function: arrays by keyword, one plan for each combination of sizes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from numbers import Integral
from typing import Any, Never, SupportsIndex

import numpy as np

from tcalc.calculus import nominal_sizes, simplified
from tcalc.codegen.options import DEFAULTS, Options
from tcalc.codegen.signature import Signature, describe, signature_of
from tcalc.errors import ArgumentError, DomainError, LimitError
from tcalc.expr.nodes import Node, Var
from tcalc.expr.outline import Outline, arranged, is_plain, labels
from tcalc.interpret import complaint, of_real_numbers
from tcalc.primitives.onehot import advice
from tcalc.records import dataclass
from tcalc.runtime.allocation import keep_freed_blocks
from tcalc.runtime.arguments import (
    CallSignature,
    at_sight,
    common_type,
    consistent,
    conversions,
    converted,
    is_sparse,
    looks,
    looks_tell,
    measured,
    of_type,
    ordered,
    refuse_positions,
    refuse_unknown,
    tells_no_type,
    to_be_verified,
    verify,
)
from tcalc.runtime.plans import Kind, Known, Plan, Planner, Recipe

KEPT = 8
"""For how many combinations of sizes and types a function keeps memory, or what is bound."""
ENTRIES = 1024
"""How many combinations of names, types and shapes of arguments a function knows at sight."""


@dataclass(slots=True)
class Entry:
    """What calls with arguments of certain types and shapes do.

    `conversions` are of some arguments, by their places; `further` are the last arguments of the
    plan's function: what it keeps between calls.
    """

    plan: Plan
    conversions: tuple[tuple[int, Callable[[Any], Any]], ...]
    further: tuple[Any, ...]


class CompiledFunction:
    """A compiled function of arrays, which are passed by keyword.

    One expression gives one array, a list of them a tuple, a dictionary of them a dictionary; a
    scalar result is a NumPy number.  Results have the floating-point type of the arguments,
    promoted to a common one: integers and lists become float64, but integers for what is declared
    ``integer`` take the type of the others.  They share no memory with the arguments, and may be
    transposed views unless compiled with ``contiguous=True``.  Several threads may call the
    function at once, unless it was compiled with ``reuse=True``: then each call overwrites the
    results of the one before.  Do not write to such results, because zeros in them are written only
    once, and do not pass them to the next call.

    In C, there is one function for each combination of sizes and each type, which the first call
    compiles; where it gives up, the NumPy code takes over.

    SciPy's sparse matrices are accepted for arguments that occur only in products; results are
    dense.  A function can be copied and pickled; its plans are then made anew.

    Raises `ArgumentError` for arguments that do not fit, `DomainError` where a function has no
    value (a singular matrix), `LimitError` if the results would exceed the memory limit, and
    `UnsupportedError` if the backend has no code for a function, or there is no C compiler.
    """

    __signature__ = CallSignature()

    def __init__(self, recipe: Recipe, given: Mapping[str, Any] | None = None) -> None:
        self._recipe = recipe
        self._given = dict(given or {})
        self._start()

    def _start(self) -> None:
        signature = self._recipe.signature
        self._names = tuple(name for name in signature.names if name not in self._given)
        self._open = tuple(x for x in signature.arguments if x.name not in self._given)
        self._strict = strict = self._recipe.options.check_finite
        self._looked_at = to_be_verified(self._open, strict)
        outline = self._recipe.outline
        self._outline = None if is_plain(outline) else outline
        self._planner = Planner(self._recipe, self._given.keys() & set(signature.names))
        self._planners: dict[frozenset[str], Planner] = {}
        self._entries: dict[tuple[Any, ...], Entry] = {}
        self._kept: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        self._last: Plan | None = None
        self._lock = threading.Lock()

    def __getstate__(self) -> tuple[Recipe, dict[str, Any]]:
        return self._recipe, self._given

    def __setstate__(self, state: tuple[Recipe, dict[str, Any]]) -> None:
        self._recipe, self._given = state
        self._start()

    @property
    def signature(self) -> Signature:
        """The names and dimensions of the arguments, including bound ones."""
        return self._recipe.signature

    @property
    def bound(self) -> tuple[str, ...]:
        """The names of the arguments that are bound."""
        return tuple(self._given)

    def __call__(self, /, *positional: Never, **arguments: Any) -> Any:
        if positional:
            refuse_positions(positional, self._names)
        seen = looks(arguments)
        entry = self._entries.get(seen)
        if entry is None:
            entry, arrays = self._enter(arguments, seen)
        else:
            arrays = [arguments[name] for name in self._names]
            for place, convert in entry.conversions:
                arrays[place] = convert(arrays[place])
        for place, variable, positive in self._looked_at:
            if not at_sight(positive, arrays[place]):
                verify([variable], [arrays[place]], self._strict)
        plan = self._last = entry.plan
        try:
            result = plan.compute(*arrays, *entry.further)
        except Exception as error:
            raise self.understood(error, arrays) from error
        if self._strict:
            self._require_finite((result,) if self._recipe.outline == 0 else result)
        return result if self._outline is None else arranged(self._outline, result)

    def unchecked(self, arguments: Mapping[str, Any]) -> Callable[..., tuple[Any, ...]]:
        """What computes the results, as a tuple, for arrays of the types and shapes of some.

        It takes arrays in the order of `signature`, and looks at none of them.
        """
        seen = looks(arguments)
        entry = self._entries.get(seen) or self._enter(arguments, seen)[0]
        compute, further = entry.plan.compute, entry.further
        if further:
            return lambda *arrays: compute(*arrays, *further)
        return compute

    def _enter(
        self, arguments: Mapping[str, Any], seen: tuple[Any, ...]
    ) -> tuple[Entry, list[Any]]:
        """The arguments of a call whose names, types and shapes are new, checked; and its plan."""
        signature = self.signature
        alike = (looks(self._given), seen)
        # Of two functions with other values bound, the second needs no look at the shapes.
        known = self._planner.known.get(alike)
        if known is None:
            self._refuse_twice(arguments)
        whole = {**self._given, **arguments}
        given = ordered(signature, whole) if known is None else [whole[x] for x in signature.names]
        arrays = converted(signature, given)
        if all(map(tells_no_type, signature.arguments, given)):  # or there are none
            wide = common_type(signature, whole)
            arrays = list(map(of_type, signature.arguments, repeat(wide), arrays))
        else:
            wide = arrays[0].dtype
        free = [k for k, name in enumerate(signature.names) if name not in self._given]
        taken = [arrays[k] for k in free]
        if known is None:
            known = self._planned(arrays, wide, [given[k] for k in free], taken)
            if looks_tell(whole):
                if len(self._planner.known) >= ENTRIES:
                    self._planner.known.clear()
                self._planner.known[alike] = known
        plan, converting, key = known
        entry = Entry(plan, converting, self._further(plan, arrays, key))
        if looks_tell(arguments):
            if len(self._entries) >= ENTRIES:
                self._entries.clear()
            self._entries[seen] = entry
        return entry, taken

    def _planned(
        self, arrays: Sequence[Any], wide: np.dtype[Any], given: Sequence[Any], taken: Sequence[Any]
    ) -> Known:
        """The plan for arrays of a type, how the ones not bound are converted, and a key for it."""
        signature = self.signature
        sizes = measured(signature, arrays)
        sparse = (x for x, array in zip(signature.names, arrays, strict=True) if is_sparse(array))
        kind = Kind(frozenset(sparse), wide.kind == "c")
        plan = self._planner.plan(sizes, wide.itemsize, kind)
        if not arrays and wide != np.dtype(float):
            plan = replace(plan, compute=_retyping(plan.compute, wide))
        converting = tuple(conversions(self._open, given, taken))
        return plan, converting, (*sizes.values(), wide, kind)

    def _further(self, plan: Plan, arrays: Sequence[Any], key: tuple[Any, ...]) -> tuple[Any, ...]:
        """What is computed once for the bound arguments, and the memory that is kept."""
        if plan.prepare is None and plan.workspace is None:
            return ()
        with self._lock:
            if key not in self._kept:
                names = self.signature.names
                bound = [x for name, x in zip(names, arrays, strict=True) if name in self._given]
                kept: list[Any] = []
                if plan.prepare is not None:
                    variables = [x for x in self.signature.arguments if x.name in self._given]
                    verify(variables, bound, self._strict)
                    try:
                        kept.append(plan.prepare(*bound))
                    except Exception as error:
                        raise self.understood(error, arrays) from error
                if plan.workspace is not None:
                    kept.append(plan.workspace(*arrays))
                # A few combinations of sizes and types are what a function is kept ready for.
                if len(self._kept) >= KEPT:
                    self._kept.clear()
                    self._entries.clear()
                self._kept[key] = tuple(kept)
            return self._kept[key]

    def _refuse_twice(self, arguments: Mapping[str, Any]) -> None:
        """Refuse arguments that are given already."""
        twice = sorted(self._given.keys() & arguments.keys())
        if twice:
            raise ArgumentError(f"the argument {twice[0]} is bound already")

    def understood(self, error: Exception, arrays: Sequence[Any]) -> Exception:
        """What an error in generated code means for the caller; the error itself if unknown."""
        match error:
            case np.linalg.LinAlgError():
                return DomainError(str(error))
            case IndexError():
                return ArgumentError(str(error), hint=advice(error) or "give larger arrays")
            case MemoryError():
                return LimitError(f"out of memory: {error}")
            case TypeError():
                return of_real_numbers(error, arrays) or error
            case ValueError():
                empty = ", ".join(name for name, size in self._sizes(arrays) if not size)
                if empty:
                    return ArgumentError(f"the size {empty} is 0: {complaint(error)}")
                said = complaint(error)
                return error if said == str(error) else DomainError(said)
            case _:
                return error

    def _sizes(self, arrays: Sequence[Any]) -> Iterable[tuple[str, int]]:
        """The sizes of the axes of all arguments, or of those that are not bound, and of those."""
        arguments = self.signature.arguments
        free = self._open if len(arrays) == len(self._open) else arguments
        given = {x.name: value for x, value in zip(free, arrays, strict=True)} | self._given
        axes = {
            str(dim): size
            for x in arguments
            for dim, size in zip(x.dims, np.shape(given[x.name]), strict=False)
        }
        return axes.items()

    def _require_finite(self, results: Sequence[Any]) -> None:
        for which, result in zip(labels(self._recipe.outline), results, strict=True):
            if not np.isfinite(result).all():
                raise DomainError(f"{which} has values that are infinite or not a number")

    @property
    def source(self) -> str:
        """The source of the module used by the last call; before any call, for nominal sizes."""
        last = self._last
        return last.source if last else self.source_for()

    def source_for(self, **sizes: SupportsIndex) -> str:
        """The source of the module for given sizes; sizes that are not given are nominal.

        That is 100, or 10 for a size that is taken away from another.

        Raises `ArgumentError` for a size that the function does not have.
        """
        return self._planner.make(self._full(sizes), None, Kind()).source

    def peak_memory(self, **sizes: SupportsIndex) -> int:
        """The most bytes that results and temporaries of float64 will take, for given sizes.

        The workspace of factorisations and functions of matrices is not counted.
        """
        return self._planner.make(self._full(sizes), None, Kind()).peak * 8

    def _full(self, sizes: Mapping[str, SupportsIndex]) -> dict[str, int]:
        known = self.signature.sizes
        for name, size in sizes.items():
            if name not in known:
                raise ArgumentError(
                    f"there is no size {name!r}", hint=f"the sizes: {', '.join(known) or 'none'}"
                )
            if not isinstance(size, Integral) or size < 0:
                raise ArgumentError(f"the size {name} is {size!r}, and should be a whole number")
        nominal = nominal_sizes(dim for x in self.signature.arguments for dim in x.dims)
        return {name: int(sizes.get(name, nominal[name])) for name in known}

    def bind(self, /, *positional: Never, **arguments: Any) -> CompiledFunction:
        """A function of the remaining arguments, with the given ones fixed.

        What depends only on the given arguments, such as a factorisation or a product ``X'*X``, is
        computed by the first call and kept.  The arrays are not copied, and must not be changed
        afterwards.  Types and shapes are checked here if possible, else by the first call.

        >>> from tcalc.expr import build, shape
        >>> K, y = build.var("K", shape("n", "n"), ("spd",)), build.var("y", shape("n"))
        >>> from tcalc.primitives.inverse import inv
        >>> solve = compile(build.einsum([inv(K), y], "ij,j->i")).bind(K=[[4.0, 0.0], [0.0, 16.0]])
        >>> solve(y=[1.0, 1.0]).tolist()
        [0.25, 0.0625]
        """
        refuse_positions(positional, self._names)
        refuse_unknown(self.signature, arguments)
        self._refuse_twice(arguments)
        given = {**self._given, **arguments}
        consistent(self.signature, given)
        bound = CompiledFunction(self._recipe, given)
        # Plans do not depend on what is bound: binding anew, as at each step of an optimiser, is
        # quick.
        bound._planner = self._planners.setdefault(frozenset(given), bound._planner)
        return bound

    def __repr__(self) -> str:
        bound = f"; {', '.join(self._given)} bound" if self._given else ""
        return f"<CompiledFunction({', '.join(map(describe, self._open))}{bound})>"


def retyped(result: Any, dtype: np.dtype[Any]) -> Any:
    """An array, or a tuple of arrays, with another type."""
    if isinstance(result, tuple):
        return tuple(x.astype(dtype, copy=False) for x in result)
    return result.astype(dtype, copy=False)


def _retyping(compute: Callable[..., Any], dtype: np.dtype[Any]) -> Callable[..., Any]:
    """A function without arguments, which knows no type, with results of this one."""
    return lambda *further: retyped(compute(*further), dtype)


def compile(
    nodes: Node | Sequence[Node],
    options: Options = DEFAULTS,
    *,
    variables: Sequence[Var] = (),
    hints: Mapping[Node, str] | None = None,
    title: str | Callable[[], str] = "",
    tables: str = "",
    outline: Outline | None = None,
) -> CompiledFunction:
    """A function that computes nodes: one result for one node, a tuple for several.

    `variables` are the inputs known to the program: they fix the order of arguments, and those
    that the results do not depend on are accepted.  `hints` are names for nodes, used in the
    source; `title` begins its docstring, as a text or a function that tells it; `tables` are
    constants that stand in it, see `tcalc.codegen.emit.emit`.  An `outline` arranges the results
    otherwise.

    >>> from tcalc.expr import build, shape
    >>> X, w = build.var("X", shape("m", "n")), build.var("w", shape("n"))
    >>> fun = compile(build.einsum([X, w], "ij,j->i"))
    >>> fun(X=[[1, 2], [3, 4]], w=[1, 1]).tolist()
    [3.0, 7.0]
    """
    roots = [nodes] if not isinstance(nodes, Sequence) else list(nodes)
    if outline is None:
        outline = tuple(range(len(roots))) if isinstance(nodes, Sequence) else 0
    if not roots:
        raise ArgumentError("there is nothing to compile", hint="give one expression or several")
    signature = signature_of(roots, variables)
    recipe = Recipe(
        tuple(simplified(roots)), outline, signature, options, hints or {}, title, tables
    )
    if options.backend == "cupy":
        from tcalc.runtime.device import DeviceFunction

        return DeviceFunction(recipe)
    keep_freed_blocks()
    return CompiledFunction(recipe)
