"""What is measured: problems, their tasks, and the contenders for a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from tcalc.typing import Mode

Array: TypeAlias = Any
Data: TypeAlias = Mapping[str, np.ndarray]
Call: TypeAlias = Callable[[], Any]

QUANTITIES = {
    "value": "the value",
    "gradient": "value and gradient together",
    "hessian": "the dense Hessian",
    "factored": "the Hessian in the form that the tool hands out",
    "newton": "Hessian \\ gradient",
    "jacobian": "the dense Jacobian",
    "minimum": "the least value, by Newton-CG",
    "bound": "value and gradient of a function bound to its data",
}
"""What is measured of a problem."""


class UnavailableError(Exception):
    """A contender does not take part in a task; the text says why."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A function in all its formulations.

    ``program`` is tcalc's text for given sizes, ``objective`` the same function of a namespace of
    operations and of the data by name, for the peers; ``special`` replaces it by a peer's own best
    idiom, under the peer's name, or its name and a quantity. ``kept`` is tcalc's text with a loop
    whose bound is a dimension, for a contender that does not unroll it. ``experts`` are by
    quantity, functions of the data by name. ``widest`` is the number of entries of the largest
    array on the way, from which the memory of a peer's Hessian is predicted before it is tried.
    """

    row: str
    name: str
    title: str
    program: Callable[..., str]
    wrt: str
    data: Callable[..., dict[str, Any]]
    objective: Callable[..., Any]
    sizes: Mapping[str, tuple[Mapping[str, int], ...]]
    experts: Mapping[str, Callable[..., Any]]
    widest: Callable[..., int]
    special: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    beside: Mapping[str, Mapping[str, Callable[..., Any]]] = field(default_factory=dict)
    """Further expert formulas by quantity and name, such as the expert's on another BLAS."""
    kept: Callable[..., str] | None = None
    modes: tuple[Mode, ...] = ()
    """Modes of tcalc whose Hessian, computed as it is derived, is measured beside the default."""


@dataclass(frozen=True, slots=True)
class Task:
    """A quantity of a problem at given sizes, with its data."""

    problem: Problem
    quantity: str
    sizes: Mapping[str, int]
    data: Data

    @property
    def name(self) -> str:
        """The task as runs of tests call it."""
        return f"{self.problem.row} {self.problem.name} {self.quantity} ({listed(self.sizes)})"

    @property
    def scale(self) -> int:
        """The size that plots are drawn against: the largest dimension."""
        return max(self.sizes.values())

    @property
    def variables(self) -> int:
        """The number of entries of the variable that derivatives are taken by."""
        return int(np.size(self.data[self.problem.wrt]))

    def objective(self, peer: str) -> Callable[..., Any]:
        """The function in the idiom that is the peer's best for the quantity."""
        special = self.problem.special
        own = special.get(f"{peer} {self.quantity}", special.get(peer))
        return own or self.problem.objective

    def require_memory(self, limit: float = 6e9) -> None:
        """Refuse a peer that pushes a batch of all directions through the function at once."""
        if self.quantity in ("hessian", "factored", "newton", "jacobian"):
            need = 8 * 3 * self.variables * self.problem.widest(**self.sizes)
            if need > limit:
                raise UnavailableError(f"would need about {need / 1e9:.0f} GB")

    def require_patience(self, directions: int = 7000, work: float = 1e9) -> None:
        """Refuse a peer that takes a derivative row by row, where that takes minutes."""
        count = self.variables
        if count > directions or count * self.problem.widest(**self.sizes) > work:
            raise UnavailableError(f"one pass for each of {count} directions")


@dataclass(slots=True)
class Contender:
    """One way to a task's result.

    ``build`` prepares a call without arguments (tracing, compiling, moving data), which returns
    the result in the contender's own arrays; ``arrays`` turns that into NumPy's. ``cached`` tells
    that compiled code is kept on disk: a first build may be slow, and a second one is not.
    """

    name: str
    build: Callable[[], Call]
    arrays: Callable[[Any], tuple[np.ndarray, ...]]
    peer: bool = True
    cached: bool = False


def listed(sizes: Mapping[str, int]) -> str:
    """Sizes as a table tells them: ``m=200, n=100``."""
    return ", ".join(f"{name}={size}" for name, size in sizes.items())


def as_arrays(result: Any) -> tuple[np.ndarray, ...]:
    """A result, or several, as arrays of doubles."""
    several = result if isinstance(result, (tuple, list)) else (result,)
    return tuple(np.asarray(x, dtype=float) for x in several)


def tasks(
    problems: list[Problem], quantities: set[str] | None, which: str, seed: int = 0
) -> list[Task]:
    """All tasks of the problems; ``which`` is ``"small"`` (the least sizes) or ``"all"``."""
    found = []
    for problem in problems:
        for quantity, sizes in problem.sizes.items():
            if quantities and quantity not in quantities:
                continue
            for case in sizes[:1] if which == "small" else sizes:
                rng = np.random.default_rng(seed)
                data = {k: np.asarray(v, float) for k, v in problem.data(rng, **case).items()}
                found.append(Task(problem, quantity, case, data))
    return found
