"""The compiled function: one plan for each combination of sizes, made when it is first met."""

from __future__ import annotations

import builtins
import itertools
import linecache
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from tcalc.codegen.emit import emit
from tcalc.codegen.lower import lower
from tcalc.codegen.memory import count, dropped, peak
from tcalc.codegen.program import Program, Requirement
from tcalc.codegen.signature import Signature, signature_of
from tcalc.codegen.targets import Target, target_named
from tcalc.errors import ArgumentError, DomainError, LimitError
from tcalc.expr.collector import collector_paused
from tcalc.expr.nodes import Node, Var
from tcalc.runtime.arguments import (
    NUMBERS,
    conversions,
    converted,
    measured,
    ordered,
    refuse_unknown,
    verify,
)

MEMORY_LIMIT = 8 * 2**30
"""The most bytes that the results of one call may take, unless another limit is given."""
NOMINAL = 100
"""The size of every dimension before the first call."""
PLANS = 128
"""How many plans a function keeps."""
ENTRIES = 1024
"""How many combinations of types and shapes of arguments a function knows at sight."""

_serial = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Plan:
    """A module for certain sizes: its source, its straight line, and what it needs."""

    source: str
    compute: Callable[..., Any]
    peak: int
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """What calls with arguments of certain types and shapes do: convert some of them, compute."""

    plan: Plan
    conversions: tuple[tuple[int, Callable[[Any], Any]], ...]


class CompiledFunction:
    """A function of arrays, given by keyword.

    One expression gives one array, a list of them a tuple; a result of order 0 is a NumPy number.
    Results have the floating-point type of the arguments (promoted to a common one; integers and
    lists become float64), share no memory with them, and may be transposed views unless
    `contiguous` was asked for.  Calls may run in several threads at once.

    Raises `ArgumentError` for arguments that do not fit, `DomainError` where a function has no
    value (a singular matrix), `LimitError` where the results would be larger than the memory limit.
    """

    def __init__(
        self,
        roots: Sequence[Node],
        single: bool,
        signature: Signature,
        target: Target,
        hints: Mapping[Node, str],
        title: str,
        contiguous: bool,
        check_finite: bool,
        memory_limit: float | None,
        reorder: bool = True,
    ) -> None:
        self.signature = signature
        self._roots = tuple(roots)
        self._single = single
        self._target = target
        self._hints = dict(hints)
        self._title = title
        self._contiguous = contiguous
        self._reorder = reorder
        self._check_finite = check_finite
        self._limit = memory_limit
        self._verified = check_finite or any(x.properties for x in signature.arguments)
        self._names = signature.names
        self._entries: dict[tuple[Any, ...], Entry] = {}
        self._plans: OrderedDict[tuple[int, ...], Plan] = OrderedDict()
        self._fixed: Program | None = None
        self._modules: dict[tuple[int, ...], tuple[str, Callable[..., Any]]] = {}
        self._last: Plan | None = None
        self._lock = threading.RLock()

    def __call__(self, /, **arguments: Any) -> Any:
        try:
            arrays = [arguments[name] for name in self._names]
            entry = self._entries[
                tuple([(x.shape, x.dtype) if type(x) is ndarray else type(x) for x in arrays])
            ]
        except KeyError:
            entry, arrays = self._enter(arguments)
        else:
            if len(arguments) > len(arrays):
                refuse_unknown(self.signature, arguments)
            for place, convert in entry.conversions:
                arrays[place] = convert(arrays[place])
        if self._verified:
            verify(self.signature, arrays, self._check_finite)
        plan = self._last = entry.plan
        try:
            result = plan.compute(*arrays)
        except np.linalg.LinAlgError as error:
            raise DomainError(str(error)) from error
        except IndexError as error:
            raise ArgumentError(str(error), hint="give larger arrays") from error
        except ValueError as error:
            sizes = measured(self.signature, arrays)
            if all(sizes.values()):
                raise
            empty = ", ".join(name for name, size in sizes.items() if not size)
            raise ArgumentError(f"the size {empty} is 0: {error}") from error
        except MemoryError as error:
            raise LimitError(f"out of memory: {error}") from error
        results = (result,) if self._single else result
        if self._check_finite:
            self._require_finite(results)
        return result

    def _enter(self, arguments: Mapping[str, Any]) -> tuple[Entry, list[Any]]:
        """The arguments of a call whose types and shapes are new, checked; and its plan."""
        given = ordered(self.signature, arguments)
        arrays = converted(self.signature, given)
        sizes = measured(self.signature, arrays)
        itemsize = arrays[0].dtype.itemsize if arrays else 8
        plan = self._plan(sizes, itemsize)
        entry = Entry(plan, tuple(conversions(given, arrays)))
        if all(type(x) is ndarray or type(x) in NUMBERS for x in given):
            key = tuple((x.shape, x.dtype) if type(x) is ndarray else type(x) for x in given)
            if len(self._entries) >= ENTRIES:
                self._entries.clear()
            self._entries[key] = entry
        return entry, arrays

    def _require_finite(self, results: Sequence[Any]) -> None:
        for place, result in enumerate(results, 1):
            if not np.isfinite(result).all():
                which = "the result" if self._single else f"result {place}"
                raise DomainError(f"{which} has values that are infinite or not a number")

    @property
    def source(self) -> str:
        """The module of the last call; before it, the one for nominal sizes."""
        last = self._last
        return last.source if last else self.source_for()

    def source_for(self, **sizes: int) -> str:
        """The module for given sizes; those that are not given are nominal (100).

        Raises `ArgumentError` for a size that the function does not have.
        """
        known = self.signature.sizes
        for name, size in sizes.items():
            if name not in known:
                raise ArgumentError(
                    f"there is no size {name!r}", hint=f"the sizes: {', '.join(known) or 'none'}"
                )
            if not isinstance(size, int) or size < 0:
                raise ArgumentError(f"the size {name} is {size!r}, and should be a whole number")
        full = {name: sizes.get(name, NOMINAL) for name in known}
        return self._make(full, None).source

    def peak_memory(self, **sizes: int) -> int:
        """The bytes that results and temporaries of float64 take at most, predicted for sizes."""
        full = {name: sizes.get(name, NOMINAL) for name in self.signature.sizes}
        return self._make(full, None).peak * 8

    def bind(self, /, **arguments: Any) -> BoundFunction:
        """A function of the remaining arguments, these being given."""
        refuse_unknown(self.signature, arguments)
        return BoundFunction(self, arguments)

    def _plan(self, sizes: Mapping[str, int], itemsize: int) -> Plan:
        """The plan for given sizes; a look-up but for the first time."""
        key = tuple(sizes.values())
        plan = self._plans.get(key)
        if plan is None:
            with self._lock:
                plan = self._plans.get(key) or self._make(sizes, itemsize)
                for bound in plan.requirements:
                    if bound.low.evaluate(sizes) > bound.high.evaluate(sizes):
                        raise ArgumentError(
                            f"a position is beyond its axis: {bound.low} is not at most "
                            f"{bound.high}",
                            hint=", ".join(f"{name} = {size}" for name, size in sizes.items()),
                        )
                self._plans[key] = plan
                while len(self._plans) > PLANS:
                    self._plans.popitem(last=False)
        self._last = plan
        return plan

    def _make(self, sizes: Mapping[str, int], itemsize: int | None) -> Plan:
        """Plan, write and run a module; the memory limit holds where there are arrays."""
        with self._lock, collector_paused():
            if itemsize is not None:
                self._refuse_large(sizes, itemsize)
            program = self._fixed or lower(
                self._roots, sizes, self._hints, self._contiguous, self._reorder
            )
            needed = peak(program, sizes)
            if itemsize is not None:
                self._refuse_temporaries(needed * itemsize)
            if program.tuned:
                module = self._compiled(program, sizes)
            else:
                # Only what is dropped early depends on the sizes then.
                self._fixed = program
                large = dropped(program, sizes)
                if large not in self._modules:
                    self._modules[large] = self._compiled(program, sizes)
                module = self._modules[large]
            return Plan(*module, needed, program.requirements)

    def _compiled(
        self, program: Program, sizes: Mapping[str, int]
    ) -> tuple[str, Callable[..., Any]]:
        """The source of a program and its straight line."""
        module = emit(
            program,
            self.signature,
            sizes,
            title=self._title,
            target=self._target,
            contiguous=self._contiguous,
            single=self._single,
        )
        filename = f"<tcalc {next(_serial)}>"
        namespace: dict[str, Any] = {"__name__": "tcalc.generated"}
        # The source is ours alone: names are chosen or checked by `Names`, texts are literals.
        exec(builtins.compile(module.source, filename, "exec"), namespace)
        if module.supplied:
            namespace["supplied"].update(module.supplied)
        compute = namespace["compute"]
        lines = module.source.splitlines(keepends=True)
        linecache.cache[filename] = (len(module.source), None, lines, filename)
        weakref.finalize(compute, linecache.cache.pop, filename, None)
        return module.source, compute

    def _refuse_temporaries(self, needed: int) -> None:
        if self._limit is not None and needed > self._limit:
            raise LimitError(
                f"results and temporaries take {_bytes(needed)}, above the limit of "
                f"{_bytes(self._limit)}",
                hint="give memory_limit= to compile",
            )

    def _refuse_large(self, sizes: Mapping[str, int], itemsize: int) -> None:
        if self._limit is None:
            return
        total = 0
        for root in self._roots:
            size = count(root.dims, sizes) * itemsize
            total += size
            if size > self._limit or total > self._limit:
                shape = " × ".join(str(dim.evaluate(sizes)) for dim in root.dims)
                raise LimitError(
                    f"the result [{', '.join(map(str, root.dims))}] is {shape}: "
                    f"{_bytes(size)}, {_bytes(total)} in all, above the limit of "
                    f"{_bytes(self._limit)}",
                    hint="give memory_limit= to compile, or ask for products with the tensor",
                )

    def __repr__(self) -> str:
        return f"<CompiledFunction({self.signature})>"


class BoundFunction:
    """A compiled function with some of its arguments given."""

    def __init__(self, function: CompiledFunction, given: Mapping[str, Any]) -> None:
        self.function = function
        self._given = dict(given)

    def __call__(self, /, **arguments: Any) -> Any:
        twice = sorted(self._given.keys() & arguments.keys())
        if twice:
            raise ArgumentError(f"the argument {twice[0]} is bound already")
        return self.function(**self._given, **arguments)

    def bind(self, /, **arguments: Any) -> BoundFunction:
        """A function of still fewer arguments."""
        refuse_unknown(self.function.signature, arguments)
        return BoundFunction(self.function, {**self._given, **arguments})

    @property
    def source(self) -> str:
        """The module of the last call."""
        return self.function.source

    def __repr__(self) -> str:
        return f"<{', '.join(sorted(self._given))} bound in {self.function!r}>"


def compile(
    nodes: Node | Sequence[Node],
    *,
    backend: str = "numpy",
    variables: Sequence[Var] = (),
    contiguous: bool = False,
    reuse: bool = False,
    check_finite: bool = False,
    memory_limit: float | None = MEMORY_LIMIT,
    reorder: bool = True,
    hints: Mapping[Node, str] | None = None,
    title: str = "",
) -> CompiledFunction:
    """A function that computes nodes: one result for one node, a tuple for several.

    `variables` are the inputs known to the program: they fix the order of arguments, and those
    that the results do not depend on are accepted.  `reuse` allows the function to overwrite its
    results with the next call (it may, and does not yet).  `memory_limit` is in bytes, for all
    results of a call; None is no limit.  Without `reorder` products are multiplied in the order in
    which the graph has them.  `hints` are names for nodes, used in the source; `title`
    begins its docstring.  Raises `UnsupportedError` for a backend that is not there.

    >>> from tcalc.expr import build, shape
    >>> X, w = build.var("X", shape("m", "n")), build.var("w", shape("n"))
    >>> fun = compile(build.einsum([X, w], "ij,j->i"))
    >>> fun(X=[[1, 2], [3, 4]], w=[1, 1]).tolist()
    [3.0, 7.0]
    """
    single = not isinstance(nodes, Sequence)
    roots = [nodes] if not isinstance(nodes, Sequence) else list(nodes)
    if not roots:
        raise ArgumentError("there is nothing to compile", hint="give one expression or several")
    return CompiledFunction(
        roots,
        single,
        signature_of(roots, variables),
        target_named(backend),
        hints or {},
        title,
        contiguous,
        check_finite,
        memory_limit,
        reorder,
    )


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.4g} {unit}"
        size /= 1000
    return f"{size:.4g} GB"
