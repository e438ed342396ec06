"""How a function is computed for certain sizes: a plan, made when these are first met."""

from __future__ import annotations

import builtins
import itertools
import linecache
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Hashable, Mapping
from contextlib import suppress
from dataclasses import fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tcalc.codegen.batching import with_batches
from tcalc.codegen.branches import with_branches
from tcalc.codegen.emit import Module, emit, titled
from tcalc.codegen.launches import largest_product
from tcalc.codegen.layouts import misplaced, with_layouts
from tcalc.codegen.lower import lower
from tcalc.codegen.memory import count, counter, dropped, overwritten, peak
from tcalc.codegen.options import Options
from tcalc.codegen.program import Program
from tcalc.codegen.signature import Signature
from tcalc.codegen.small_products import product_forms
from tcalc.codegen.sparse import sparse_program
from tcalc.codegen.targets import target_of
from tcalc.codegen.zeros import rectified, with_zeros
from tcalc.errors import ArgumentError, LimitError, UnsupportedError
from tcalc.expr.collector import collector_paused
from tcalc.expr.nodes import Apply, Node, Var
from tcalc.expr.outline import Outline
from tcalc.expr.packing import pack, unpack
from tcalc.expr.traverse import orders_kept, postorder
from tcalc.primitives.selection import GivenBySizes
from tcalc.records import dataclass

if TYPE_CHECKING:
    from tcalc.codegen.c import CModule
    from tcalc.runtime.native import NativeFunction

RECORDED = 1 << 28
"""The most multiplications of one product in a CUDA graph."""
PLANS = 128
"""How many plans a function keeps, and how many modules for others to come."""

SINGLE = 4
"""The bytes of a number of single precision."""

_serial = itertools.count(1)
_unused: deque[str] = deque()


def _shown(filename: str, source: str, function: Callable[..., Any]) -> None:
    """Let tracebacks show the lines of a module, for as long as its function is there.

    They are dropped when others come, not when the function goes: that may be while the standard
    library walks through its cache.
    """
    with suppress(IndexError):
        while True:
            linecache.cache.pop(_unused.popleft(), None)
    lines = source.splitlines(keepends=True)
    linecache.cache[filename] = (len(source), None, lines, filename)
    weakref.finalize(function, _unused.append, filename)


@dataclass(frozen=True)
class Recipe:
    """What a compiled function is made from; see `tcalc.runtime.compile`.

    The `title` of its modules is a text, or tells it when the source is asked for: to print
    formulas takes longer than to compile them.
    """

    roots: tuple[Node, ...]
    outline: Outline
    signature: Signature
    options: Options
    hints: Mapping[Node, str]
    title: str | Callable[[], str]
    tables: str

    def __getstate__(self) -> dict[str, Any]:
        state = {x.name: getattr(self, x.name) for x in fields(self)}
        nodes = pack([*self.roots, *self.signature.arguments, *self.signature.unused, *self.hints])
        del state["roots"], state["signature"]
        state |= {"hints": list(self.hints.values()), "title": self.heading()}
        return {**state, "nodes": nodes, "counts": self._counts}

    def heading(self) -> str:
        """The title as a text."""
        return self.title if isinstance(self.title, str) else self.title()

    @property
    def _counts(self) -> tuple[int, ...]:
        signature = self.signature
        return len(self.roots), len(signature.arguments), len(signature.unused)

    def __setstate__(self, state: dict[str, Any]) -> None:
        nodes = iter(unpack(state.pop("nodes")))
        roots, *variables = (
            tuple(itertools.islice(nodes, length)) for length in state.pop("counts")
        )
        arguments, unused = ([x for x in part if isinstance(x, Var)] for part in variables)
        state["hints"] = dict(zip(nodes, state["hints"], strict=True))
        state["signature"] = Signature.of(arguments, unused)
        state["roots"] = roots
        for name, value in state.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class Plan:
    """A module for certain sizes: its source, its functions (once they may run), and its needs.

    The source as it runs is without its title.  Where arguments are bound, `prepare` takes them,
    and `compute` the others and its result.  `peak` counts elements.
    """

    running: str
    title: Callable[[], str]
    compute: Callable[..., Any]
    prepare: Callable[..., Any] | None
    workspace: Callable[..., Any] | None
    peak: int

    @property
    def source(self) -> str:
        """The source with its title."""
        return titled(self.running, self.title())


@dataclass(frozen=True, slots=True)
class Loaded:
    """A module that runs: its source, and the functions of it that a `Plan` calls."""

    source: str
    compute: Callable[..., Any]
    prepare: Callable[..., Any] | None = None
    workspace: Callable[..., Any] | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """What a plan depends on beside the sizes: which arguments are sparse, and their type."""

    sparse: frozenset[str] = frozenset()
    complex: bool = False


Known: TypeAlias = tuple[Plan, tuple[tuple[int, Callable[[Any], Any]], ...], tuple[Any, ...]]
"""A plan, how some arguments are converted, by their places, and a key for what is bound."""


class Planner:
    """The plans of one function, some of whose arguments are given.

    `known` has them by the looks of all arguments, for functions with different values bound.
    """

    def __init__(self, recipe: Recipe, given: Collection[str]) -> None:
        self.recipe = recipe
        self.given = frozenset(given)
        self._plans: OrderedDict[tuple[Any, ...], Plan] = OrderedDict()
        self.known: dict[tuple[Any, ...], Known] = {}
        self._fixed: dict[frozenset[str], Program] = {}
        self._modules: dict[Hashable, Loaded] = {}
        self._lock = threading.RLock()
        self.target = target_of(recipe.options)

    def plan(self, sizes: Mapping[str, int], itemsize: int, kind: Kind) -> Plan:
        """The plan for given sizes; a look-up but for the first time."""
        # What is compiled is so for one type.
        width = itemsize if self.recipe.options.backend == "c" else 0
        key = (*sizes.values(), width, kind)
        plan = self._plans.get(key)
        if plan is None:
            with self._lock:
                plan = self._plans.get(key)
                if plan is None:
                    self._refuse_positions(sizes)
                    plan = self._plans[key] = self.make(sizes, itemsize, kind)
                while len(self._plans) > PLANS:
                    self._plans.popitem(last=False)
        return plan

    def _refuse_positions(self, sizes: Mapping[str, int]) -> None:
        """Refuse sizes for which an element or a range is not there: nothing is planned then."""
        for selection in self._selections:
            try:
                selection.check_numbers(*(x.evaluate(sizes) for x in selection.parameters))
            except ValueError as error:
                hint = ", ".join(f"{name} = {size}" for name, size in sizes.items())
                raise ArgumentError(str(error), hint=hint) from error

    @cached_property
    def _selections(self) -> tuple[GivenBySizes, ...]:
        """The elements and ranges that the function takes of its arrays."""
        primitives = (x.primitive for x in postorder(self.recipe.roots) if isinstance(x, Apply))
        return tuple(dict.fromkeys(x for x in primitives if isinstance(x, GivenBySizes)))

    def make(self, sizes: Mapping[str, int], itemsize: int | None, kind: Kind) -> Plan:
        """Plan, write and run a module; the memory limit holds where there are arrays."""
        recipe, options = self.recipe, self.recipe.options
        with self._lock, collector_paused(), orders_kept():
            if itemsize is not None:
                self._refuse_large(sizes, itemsize)
            if options.backend == "c":
                return self._in_c(sizes, itemsize, kind)
            program, shaped = self._program(sizes, kind)
            needed = self._needed(program, sizes, itemsize)
            if itemsize is not None:
                self._refuse_temporaries(needed * itemsize)
            if itemsize is None and options.backend != "numpy":
                # To see the source takes no device.
                module = Loaded(self._written(program, sizes).source, _not_loaded)
            elif program.tuned:
                module = self._module(program, sizes)
            else:
                module = self._shared_module(program, sizes, (kind, shaped))
            return Plan(
                running=module.source,
                title=recipe.heading,
                compute=module.compute,
                prepare=module.prepare,
                workspace=module.workspace,
                peak=needed,
            )

    def _in_c(self, sizes: Mapping[str, int], itemsize: int | None, kind: Kind) -> Plan:
        """The plan of a function in C; NumPy's where arrays are complex, sparse, empty or huge."""
        from tcalc.codegen.c import c_module, commented, countable

        recipe = self.recipe
        if kind != Kind() or not all(sizes.values()):
            return self._host.make(sizes, itemsize, kind)
        program = lower(recipe.roots, sizes, recipe.options, hints=recipe.hints, given=self.given)
        if not countable(program, sizes):
            return self._host.make(sizes, itemsize, kind)
        single = itemsize == SINGLE
        module = c_module(program, recipe.signature, sizes, single, self.given)
        if itemsize is not None:
            self._refuse_temporaries(module.elements * itemsize)
        native = None if itemsize is None else self._native(module, sizes, itemsize)
        return Plan(
            running=module.source,
            title=lambda: commented(recipe.heading()),
            compute=native or _not_loaded,
            prepare=native.prepare if native and self.given else None,
            workspace=None,
            peak=module.elements,
        )

    def _native(self, module: CModule, sizes: Mapping[str, int], itemsize: int) -> NativeFunction:
        """A C file as a function; where it gives up, NumPy's code is asked."""
        from tcalc.runtime.native import NativeFunction

        dtype = np.dtype(np.float32 if itemsize == SINGLE else np.float64)
        known = dict(sizes)

        def fallback() -> Callable[..., Any]:
            return self._unbound.plan(known, itemsize, Kind()).compute

        return NativeFunction(module, dtype, self.recipe.outline == 0, fallback)

    @cached_property
    def _unbound(self) -> Planner:
        """The plans of the same function in NumPy's code, of all arguments."""
        return Planner(self._in_numpy, ())

    @cached_property
    def _host(self) -> Planner:
        """The plans of the same function in NumPy's code."""
        return Planner(self._in_numpy, self.given)

    @property
    def _in_numpy(self) -> Recipe:
        return replace(self.recipe, options=replace(self.recipe.options, backend="numpy"))

    def _program(self, sizes: Mapping[str, int], kind: Kind) -> tuple[Program, Hashable]:
        """The program for some sizes; also which matrices lie otherwise, and what zeros it has."""
        recipe, options = self.recipe, self.recipe.options
        program = self._fixed.get(kind.sparse) or lower(
            recipe.roots,
            sizes,
            options,
            hints=recipe.hints,
            given=self.given,
            sparse=kind.sparse,
        )
        if not program.tuned:
            self._fixed[kind.sparse] = program
        if options.backend == "numpy" and options.reorder and not (kind.sparse or self.given):
            program = with_batches(program, sizes)
        # Kernels on a device read and write in any order.
        turned = misplaced(program, sizes) if options.backend == "numpy" else ()
        program = with_layouts(program, turned)
        zeros = rectified(program, sizes) if options.backend == "numpy" else ()
        program = with_zeros(program, zeros)
        if kind.sparse:
            program = sparse_program(program, kind.sparse)
        if kind.complex:
            # A part may be real, and could not be written over with complex numbers.
            program = replace(with_branches(program), in_place=False)
        return program, (tuple([value.number for value in turned]), zeros)

    def _shared_module(self, program: Program, sizes: Mapping[str, int], made: Hashable) -> Loaded:
        """The module of a program that is one for all sizes, `made` in one of several ways.

        Beside these, only what is dropped early, what is written over, and how products are
        written depends on the sizes; where memory is kept, that does too.
        """
        if self.recipe.options.keeps_memory:
            key: Hashable = (made, tuple(sizes.values()))
        else:
            taken = overwritten(program, sizes)
            over = tuple((place, value.number) for place, value in taken.items())
            key = (made, dropped(program, sizes), over, product_forms(program, sizes))
        module = self._modules.get(key)
        if module is None:
            if len(self._modules) >= PLANS:
                self._modules.clear()
            module = self._modules[key] = self._module(program, sizes)
        return module

    def _needed(self, program: Program, sizes: Mapping[str, int], itemsize: int | None) -> int:
        """The most elements held at one time by what the target makes of a program, or more.

        For a call of NumPy it is all that is ever made, if as much as that is within the limit.
        """
        options = self.recipe.options
        if options.backend == "numpy":
            if itemsize is not None:
                made = (value for x in program.statements for value in x.results)
                every = sum(map(counter(program, sizes), made))
                if options.memory_limit is None or every * itemsize <= options.memory_limit:
                    return every
            return peak(program, sizes)
        return self._needed_on_device(program, sizes, itemsize)

    def _needed_on_device(
        self, program: Program, sizes: Mapping[str, int], itemsize: int | None
    ) -> int:
        """The same for a device; a graph keeps copies of its arguments besides."""
        arranged = self.target.prepared(program)
        if not self.recipe.options.graph:
            return peak(arranged, sizes)
        largest = largest_product(arranged, sizes)
        if itemsize is not None and largest > RECORDED:
            raise UnsupportedError(
                f"a product of {largest:.2g} multiplications is no part of a CUDA graph: CuPy does "
                "not let cuBLAS be recorded, and without it this takes longer than all launches",
                hint="compile without graph=True",
            )
        inputs = sum(count(x.dims, sizes) for x in self.recipe.signature.arguments)
        return inputs + peak(arranged, sizes)

    def _written(self, program: Program, sizes: Mapping[str, int]) -> Module:
        recipe = self.recipe
        return emit(
            program,
            recipe.signature,
            sizes,
            recipe.options,
            tables=recipe.tables,
            single=recipe.outline == 0,
            given=self.given,
        )

    def _module(self, program: Program, sizes: Mapping[str, int]) -> Loaded:
        """The module of a program, run."""
        module = self._written(program, sizes)
        filename = f"<tcalc {next(_serial)}>"
        namespace: dict[str, Any] = {"__name__": "tcalc.generated"}
        # The source is ours alone: names are chosen or checked by `Names`, texts are literals.
        exec(builtins.compile(module.source, filename, "exec"), namespace)
        if module.supplied:
            namespace["supplied"].update(module.supplied)
        compute = namespace["compute"]
        _shown(filename, module.source, compute)
        prepare, workspace = map(namespace.get, ("prepare", "workspace"))
        return Loaded(module.source, compute, prepare, workspace)

    def _refuse_temporaries(self, needed: int) -> None:
        limit = self.recipe.options.memory_limit
        if limit is not None and needed > limit:
            raise LimitError(
                f"results and temporaries take {_bytes(needed)}, above the limit of "
                f"{_bytes(limit)}",
                hint="give memory_limit= to compile",
            )

    def _refuse_large(self, sizes: Mapping[str, int], itemsize: int) -> None:
        limit = self.recipe.options.memory_limit
        if limit is None:
            return
        total = 0
        for root in self.recipe.roots:
            size = count(root.dims, sizes) * itemsize
            total += size
            if size > limit or total > limit:
                shape = " × ".join(str(dim.evaluate(sizes)) for dim in root.dims)
                raise LimitError(
                    f"the result [{', '.join(map(str, root.dims))}] is {shape}: "
                    f"{_bytes(size)}, {_bytes(total)} in all, above the limit of "
                    f"{_bytes(limit)}",
                    hint="give memory_limit= to compile, or ask for products with the tensor",
                )


def _not_loaded(*arguments: Any) -> Any:
    raise AssertionError("a plan that was made for its source alone")


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.4g} {unit}"
        size /= 1000
    return f"{size:.4g} GB"
