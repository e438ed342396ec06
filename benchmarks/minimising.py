"""One function minimised by several methods, all to the same accuracy.

What differs is who computes the derivatives, and which method uses them. Every run starts at zero
and ends as soon as the largest entry of the gradient is a millionth of what it was there, told by
the contender's own gradient; SciPy's rules for ending a run are switched off. The result is the
least value, which the contenders must agree on as on anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Literal

import numpy as np
from scipy.optimize import minimize

import tcalc
from benchmarks.task import Call, Contender, Task, as_arrays

ACCURACY = 1e-6
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "Newton-CG": {"xtol": 0.0},
    "newton": {"gtol": 0.0},
    "BFGS": {"gtol": 0.0},
    "L-BFGS-B": {"gtol": 0.0, "ftol": 0.0, "maxiter": 10_000, "maxfun": 10_000},
}
"""The methods, the first of them the one that is compared."""


def ours(task: Task) -> Iterator[Contender]:
    """tcalc's derivatives in every method, under its own name in the first."""
    first, *others = OPTIONS
    yield Contender("tcalc", partial(run_of, task, first), as_arrays, peer=False)
    yield Contender("tcalc, in C", partial(run_of, task, first, "c"), as_arrays, peer=False)
    for method in others:
        yield Contender(f"tcalc {method}", partial(run_of, task, method), as_arrays, peer=False)


def run_of(task: Task, method: str, backend: Literal["numpy", "c"] = "numpy") -> Call:
    """A run of one method on tcalc's derivatives, which gives the least value."""
    wrt = task.problem.wrt
    f = tcalc.parse(task.problem.program(**task.sizes))
    given = {**task.data, wrt: np.zeros_like(task.data[wrt])}
    problem = tcalc.problem(f, wrt, given, backend=backend)

    def run() -> float:
        enough = ACCURACY * np.max(np.abs(problem.jac(problem.x0)))
        found = problem.minimize(
            method, callback=lambda now: now.gradient <= enough, options=OPTIONS[method]
        )
        reached = np.max(np.abs(problem.jac(found.x)))
        if reached > enough:
            raise RuntimeError(f"{method} ended at a gradient of {reached:.1e}: {found.message}")
        return float(found.fun)

    return run


def at_point(make: Callable[[Any], Callable[[Any], Any]]) -> Callable[[Any, Any], Any]:
    """Products that share what depends on the point alone: made anew where the point is new."""
    known: list[Any] = [None, None]

    def product(x: Any, v: Any) -> Any:
        if known[0] is None or not np.array_equal(known[0], x):
            known[:] = [x.copy(), make(x)]
        return known[1](v)

    return product


def newton_cg(
    both: Callable[[Any], tuple[float, Any]], product: Callable[[Any, Any], Any], size: int
) -> float:
    """The least value, by SciPy's Newton-CG on anybody's value, gradient and product."""
    start = np.zeros(size)
    enough = ACCURACY * np.max(np.abs(both(start)[1]))
    last: list[Any] = [start, *both(start)]

    def watched(x: Any) -> tuple[float, Any]:
        last[:] = [x.copy(), *both(x)]
        return last[1], last[2]

    def stop(x: Any) -> None:
        # The point of a finished step is the one that was evaluated last.
        gradient = last[2] if np.array_equal(x, last[0]) else both(x)[1]
        if np.max(np.abs(gradient)) <= enough:
            raise StopIteration

    options = dict(OPTIONS["Newton-CG"])
    run: Any = minimize
    found = run(
        watched, start, jac=True, hessp=product, method="Newton-CG", callback=stop, options=options
    )
    return float(found.fun)
