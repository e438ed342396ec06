"""tcalc and the expert as contenders, and the gathering of all for a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np

import tcalc
from benchmarks import minimising, peers
from benchmarks.task import Call, Contender, Task, UnavailableError, as_arrays
from tcalc.typing import Mode

LOOPS: dict[str, Literal["numpy", "c"]] = {
    "tcalc, loop kept": "numpy",
    "tcalc, loop kept, in C": "c",
}


def gather(task: Task, names: Sequence[str]) -> tuple[list[Contender], dict[str, str]]:
    """The contenders for a task, the expert first, and why peers take no part."""
    found, absent = [*own(task)], {}
    for name in names:
        try:
            found += peers.contenders(name, task)
        except UnavailableError as reason:
            absent[name] = str(reason)
    return found, absent


def own(task: Task) -> Iterator[Contender]:
    """The expert in all versions, and tcalc."""
    expert = task.problem.experts.get(task.quantity)
    if expert is not None:
        yield Contender("expert", partial(bound, expert, task), as_arrays, peer=False)
    for name, formula in task.problem.beside.get(task.quantity, {}).items():
        yield Contender(name, partial(bound, formula, task), as_arrays, peer=False)
    if task.quantity == "minimum":
        yield from minimising.ours(task)
        return
    arrays = dense if task.quantity == "factored" else as_arrays
    yield Contender("tcalc", partial(ours, task), arrays, peer=False)
    if task.problem.kept is not None and task.quantity in ("value", "gradient"):
        program = task.problem.kept(**task.sizes)
        for name, backend in LOOPS.items():
            yield Contender(name, partial(kept, task, program, backend), as_arrays, peer=False)
    else:
        yield Contender("tcalc, in C", partial(ours, task, "c"), arrays, peer=False)
    if task.quantity == "hessian":
        for mode in task.problem.modes:
            yield Contender(f"tcalc {mode}", partial(plain, task, mode), as_arrays, peer=False)


def bound(function: Callable[..., Any], task: Task) -> Call:
    """An expert's function of the data."""
    data = dict(task.data)
    return lambda: function(**data)


def ours(task: Task, backend: Literal["numpy", "c"] = "numpy") -> Call:
    """tcalc's function for the quantity, compiled."""
    f = tcalc.parse(task.problem.program(**task.sizes))
    wrt = task.problem.wrt
    data = {name: task.data[name] for name in f.variables}
    fun: Callable[..., Any]
    match task.quantity:
        case "value":
            fun = tcalc.compile(f, backend)
        case "gradient":
            fun = tcalc.compile([f, tcalc.gradient(f, wrt)], backend)
        case "bound":
            x = data.pop(wrt)
            fun = tcalc.compile([f, tcalc.gradient(f, wrt)], backend).bind(**data)
            data = {wrt: x}
        case "jacobian":
            fun = tcalc.compile(tcalc.jacobian(f, wrt), backend)
        case "hessian":
            fun = tcalc.compile(tcalc.hessian(f, wrt), backend)
        case "factored":
            fun = tcalc.compile(tcalc.hessian(f, wrt), backend, form="factored")
        case "newton":
            fun = tcalc.compile(tcalc.parse(newton_step(task)), backend)
        case other:
            raise ValueError(f"no quantity is called {other!r}")
    return lambda: fun(**data)


def kept(task: Task, program: str, backend: Literal["numpy", "c"]) -> Call:
    """tcalc's function for the value or the gradient, with the loop kept."""
    loop = tcalc.recurrence(program, backend=backend)
    data = {name: task.data[name] for name in loop.signature.names}
    fun = loop if task.quantity == "value" else loop.value_and_gradient(task.problem.wrt)
    return lambda: fun(**data)


def plain(task: Task, mode: Mode) -> Call:
    """The Hessian in a plain mode, its products multiplied in the order in which they come."""
    f = tcalc.parse(task.problem.program(**task.sizes))
    H = tcalc.hessian(f, task.problem.wrt, mode=mode)
    fun = tcalc.compile(H, reorder=False)
    data = {name: task.data[name] for name in f.variables}
    return lambda: fun(**data)


def newton_step(task: Task) -> str:
    """The program of Newton's step, in the language."""
    *definitions, last = task.problem.program(**task.sizes).strip().splitlines()
    wrt = task.problem.wrt
    step = f"hessian(objective, {wrt}) \\ gradient(objective, {wrt})"
    return "\n".join([*definitions, f"objective = {last}", step])


def dense(result: Any) -> tuple[np.ndarray, ...]:
    """A factored tensor written out, or an array."""
    return (result.dense(),) if hasattr(result, "dense") else as_arrays(result)
