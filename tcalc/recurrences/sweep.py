"""Runs through all steps, of which as little as possible is done step by step.

What a step takes from the one before it must be made one step after the other.  All else can be
made for many steps at once, in far fewer calls: what depends on what the steps are given alone
before them, and what no later step takes behind them, sums over all steps among it.  (Compilers
call it loop distribution.)  Blocks of steps bound the memory that this takes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np

from tcalc import runtime
from tcalc.codegen.options import MEMORY_LIMIT, Backend
from tcalc.errors import LimitError, TcalcError
from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.names import free_name
from tcalc.expr.nodes import Node, Var
from tcalc.expr.traverse import dependents, postorder, rebuild, use_counts
from tcalc.recurrences.grouping import grouped
from tcalc.recurrences.lifting import Lifted, input_of_steps
from tcalc.recurrences.step import StandIns, is_inverse, is_worth_keeping, reached
from tcalc.recurrences.stepper import Arrays, Stepper, called

BLOCK = 1 << 16
"""About how many elements of one array of all steps of a block are held at once."""
LEAST_BLOCK = 8
"""The fewest steps of a block."""
REMEMBERED = 256
"""For how many combinations of sizes the largest array is remembered."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done in a run through all steps.

    Attributes:
        states: inputs of a step, and what it makes of them for the next.
        given: further inputs that are others in each step.
        fixed: inputs that are the same in all steps.
        rows: what is wanted of each step.
        sums: what is wanted as a sum over all steps.
        counter: the name of the number of a step, for messages.
        backend: what runs the steps.
    """

    states: Mapping[Var, Node]
    given: Sequence[Var]
    fixed: Sequence[Var]
    rows: Sequence[Node]
    sums: Sequence[Node]
    counter: str
    backend: Backend = "numpy"


class Swept(NamedTuple):
    """What a run through all steps has made, each in the order of its plan.

    Rows have an axis in front that counts the steps.
    """

    states: list[Any]
    rows: list[Any]
    sums: list[Any]


class Taken(NamedTuple):
    """What the steps of a block have made, with functions that tell it in the order of time.

    `before` tells what a state was before each step, `made` what each made besides states.
    """

    last: list[Any]
    before: Callable[[int], Any]
    made: Callable[[int], Any]


def _in_order_of_time(states: list[Any], made: list[Any], backwards: bool) -> Taken:
    """What C has made: the states have one row more than there are steps."""
    if backwards:
        return Taken([x[0] for x in states], lambda k: states[k][1:], made.__getitem__)
    return Taken([x[-1] for x in states], lambda k: states[k][:-1], made.__getitem__)


class Sweep:
    """A plan as functions: of many steps before they are done, of one step, and of many behind."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        moving = (*plan.states, *plan.given)
        inputs = (*moving, *plan.fixed)
        sizes = {name for x in inputs for dim in x.dims for name in dim.names()}
        self._length = Dim.of(free_name("steps", sizes))
        results = grouped([*plan.states.values(), *plan.rows, *plan.sums], plan.states)
        afters, wanted = results[: len(plan.states)], results[len(plan.states) :]
        self._stand_ins = StandIns(afters, {x.name for x in inputs})
        self._wide: dict[Node, Var] = {x: self._all_of(x) for x in moving}
        early = self._apart(self._early_nodes(afters), "early")
        before = [x for x in self._lifted().of(early) if x is not None]
        afters = rebuild(afters, replacements=early)
        wanted = rebuild(wanted, replacements=early)
        kept = self._apart(self._kept_nodes(afters, wanted), "made")
        wanted = rebuild(wanted, replacements=kept)
        pairs = zip(wanted, self._lifted().of(wanted), strict=True)
        # What cannot be made for several steps at once each step makes.
        single = self._apart([x for x, together in pairs if together is None], "made_alone")
        wanted = rebuild(wanted, replacements=single)
        self._ahead = [*early.values()]
        self._made = [*kept.values(), *single.values()]
        self._make_functions(
            before, [*afters, *rebuild([*kept, *single], replacements=early)], wanted
        )

    def _make_functions(
        self, before: Sequence[Node], steps: Sequence[Node], wanted: Sequence[Node]
    ) -> None:
        """The functions of what is made before the steps, of a step, and of what is behind them."""
        plan = self._plan
        # Not even their shapes are known of states before the steps are done.
        self._before = self._compiled(before, [self._wide[x] for x in plan.given])
        given = (*plan.given, *self._ahead)
        states = [*plan.states]
        self._step = Stepper(steps, states, given, plan.fixed, plan.backend) if steps else None
        count = len(plan.rows)
        #: The rows as they are, where they are inputs of all steps, or None.
        self._known = [self._wide.get(x) for x in wanted[:count]]
        made = [x for x, known in zip(wanted, self._known, strict=False) if known is None]
        behind = self._behind_loop(made, wanted[count:])
        self._behind = self._compiled(behind, self._wide.values())
        #: The shapes of what is made for a block of steps at once, or held of it.
        nodes = (*self._wide.values(), *postorder([*before, *behind]))
        self._shapes = {x.dims for x in nodes if self._length in x.dims}
        #: The elements of the largest of them, for combinations of sizes.
        self._largest: dict[tuple[int, ...], int] = {}

    def _apart(self, nodes: Sequence[Node], word: str) -> dict[Node, Var]:
        """Inputs that stand for nodes of a step; each has one for all steps too."""
        found = self._stand_ins.of(nodes, word)
        self._wide |= {x: self._all_of(x) for x in found.values()}
        return found

    def _all_of(self, variable: Var) -> Var:
        """The input that has a variable of all steps."""
        name = self._stand_ins.names.give(f"{variable.name}_all")
        return input_of_steps(variable, name, self._length)

    def _lifted(self) -> Lifted:
        return Lifted(self._wide, self._length)

    def _compiled(
        self, roots: Sequence[Node], wide: Iterable[Var]
    ) -> runtime.CompiledFunction | None:
        if not roots:
            return None
        return runtime.compile([*roots], variables=(*wide, *self._plan.fixed))

    def _early_nodes(self, afters: Sequence[Node]) -> list[Node]:
        """What steps make without the states: the largest tensors that take any work."""
        late = dependents(afters, self._plan.states)
        moving = dependents(afters, self._plan.given) - late
        uses = use_counts(postorder(afters))
        lifted = self._lifted()

        def is_early(node: Node) -> bool:
            # An inverse that several products take would be formed in each step.
            apart = is_worth_keeping(node) or (is_inverse(node) and uses[node] > 1)
            return node in moving and apart and lifted.of([node])[0] is not None

        return reached(afters, is_early)

    def _kept_nodes(self, afters: Sequence[Node], wanted: Sequence[Node]) -> list[Node]:
        """What steps make with the states and is needed behind them."""
        made = dependents(afters, self._plan.states) & {*postorder(afters)}
        return reached(wanted, {node for node in made if is_worth_keeping(node)}.__contains__)

    def _behind_loop(self, rows: Sequence[Node], sums: Sequence[Node]) -> list[Node]:
        """Rows and sums, of the tensors of all steps."""
        lifted = self._lifted()
        found: list[Node] = []
        for row, node in zip(rows, lifted.of(rows), strict=True):
            assert node is not None
            wide = (self._length, *node.dims)
            found.append(node if lifted.varies(row) else build.broadcast(node, wide))
        for term in sums:
            total = lifted.summed(term)
            assert total is not None
            found.append(total)
        return found

    def run(
        self,
        first: Sequence[Any],
        given: Arrays,
        fixed: Arrays,
        numbers: range,
        sizes: Mapping[str, int],
        *,
        backwards: bool = False,
    ) -> Swept:
        """What the steps make, from the first states on, or from the last step back.

        `given` has, by the names of inputs, arrays with an axis in front that counts the steps.
        """
        states = [*first]
        blocks: list[list[Any]] = []
        ahead = self._blocks(len(numbers), sizes)
        for part in reversed(ahead) if backwards else ahead:
            arrays = {**fixed, **{name: x[part] for name, x in given.items()}}
            states, results = self._block(states, arrays, numbers[part], backwards)
            blocks.append(results)
            self._require_memory(results, len(ahead))
        if backwards:
            blocks.reverse()
        count = len(self._plan.rows)
        columns = [list(x) for x in zip(*blocks, strict=True)]
        rows = [x[0] if len(x) == 1 else np.concatenate(x) for x in columns[:count]]
        return Swept(states, rows, [sum(x[1:], x[0]) for x in columns[count:]])

    def _block(
        self, states: list[Any], arrays: dict[str, Any], numbers: range, backwards: bool
    ) -> tuple[list[Any], list[Any]]:
        """The states after a block of steps, and what is wanted of it."""
        plan, wide = self._plan, self._wide
        given = [arrays[x.name] for x in plan.given]
        found = {**arrays, **{wide[x].name: y for x, y in zip(plan.given, given, strict=True)}}
        if self._before is not None:
            early = self._together(self._before, found, numbers)
            given += early
            found |= {wide[x].name: y for x, y in zip(self._ahead, early, strict=True)}
        if self._step is not None:
            taken = self._steps(states, given, arrays, numbers, backwards)
            states = taken.last
            needed = {x.name for x in self._known if x is not None}
            needed |= {*self._behind.signature.names} if self._behind else set()
            for k, x in enumerate(plan.states):
                if wide[x].name in needed:
                    found[wide[x].name] = taken.before(k)
            for k, x in enumerate(self._made):
                if wide[x].name in needed:
                    found[wide[x].name] = taken.made(k)
        results = iter(self._together(self._behind, found, numbers) if self._behind else ())
        rows = [next(results) if x is None else found[x.name] for x in self._known]
        return [*states], [*rows, *results]

    def _steps(
        self,
        states: Sequence[Any],
        given: Sequence[Any],
        fixed: Arrays,
        numbers: range,
        backwards: bool,
    ) -> Taken:
        """What the steps of a block were given by those before them, and have made."""
        assert self._step is not None
        count, kept = len(numbers), len(states)
        moving = [given[k] for k in self._step.given]
        found = self._step.in_c(states, moving, fixed, count, backwards)
        if found is not None:
            return _in_order_of_time(*found, backwards)
        befores: list[Any] = [None] * count
        made: list[Any] = [None] * count
        rows = [*zip(*moving, strict=True)] or [()] * count
        compute, rest = self._step.ready(states, rows[0], fixed), self._step.rest(fixed)
        k = 0
        try:
            for k in range(count - 1, -1, -1) if backwards else range(count):
                befores[k] = states
                made[k] = results = compute(*states, *rows[k], *rest)
                states = results[:kept]
        except Exception as error:
            understood = self._step.understood(error, [*states, *rows[k], *rest])
            if isinstance(understood, TcalcError):
                understood.message += f", in step {self._plan.counter} = {numbers[k]}"
            raise understood from error
        return Taken(
            last=[*made[0 if backwards else -1][:kept]],
            before=lambda k: np.array([row[k] for row in befores]),
            made=lambda k: np.array([row[kept + k] for row in made]),
        )

    def _together(
        self, function: runtime.CompiledFunction, arrays: Arrays, numbers: range
    ) -> list[Any]:
        """What is made for many steps at once."""
        try:
            return [*called(function, arrays)]
        except TcalcError as error:
            number = numbers[self._first_failing(function, arrays, len(numbers))]
            error.message += f", in step {self._plan.counter} = {number}"
            raise

    def _first_failing(self, function: runtime.CompiledFunction, arrays: Arrays, count: int) -> int:
        """The place of the first step that cannot be made, where some cannot."""
        wide = {x.name for x in self._wide.values()}

        def fails(last: int) -> bool:
            part = {name: x[: last + 1] if name in wide else x for name, x in arrays.items()}
            try:
                called(function, part)
            except TcalcError:
                return True
            return False

        return bisect_left(range(count - 1), True, key=fails)

    def _require_memory(self, results: Sequence[Any], blocks: int) -> None:
        """Refuse rows of all steps that are beyond the memory limit, from those of a block."""
        size = sum(x.nbytes for x in results[: len(self._plan.rows)]) * blocks
        if size > MEMORY_LIMIT:
            raise LimitError(
                f"what is kept of all steps takes {size / 1e9:.3g} GB, above the limit of "
                f"{MEMORY_LIMIT / 1e9:.3g} GB",
                hint="run through shorter series",
            )

    def _blocks(self, count: int, sizes: Mapping[str, int]) -> list[slice]:
        """The steps in blocks of about one length."""
        key = tuple(sizes.values())
        largest = self._largest.get(key)
        if largest is None:
            known = {**sizes, str(self._length): 1}
            counts = (prod(x.evaluate(known) for x in dims) for dims in self._shapes)
            if len(self._largest) >= REMEMBERED:
                self._largest.clear()
            largest = self._largest[key] = max(counts, default=1)
        most = max(BLOCK // max(largest, 1), LEAST_BLOCK)
        length = -(-count // -(-count // most))
        return [slice(k, min(k + length, count)) for k in range(0, count, length)]
