"""E. The time from a text (or a Python function) to the first gradient, as programs grow.

The program is a chain of element-wise steps ``x{t} = x{t-1} .* cos(x{t-1}) + b`` with a sum at its
end: about four nodes to a step, no two alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import tcalc
from benchmarks.measuring import BUSY, other_processes
from benchmarks.rows import TOLERANCE, Entry, Row, difference
from benchmarks.task import as_arrays

TITLE = "Program to first gradient"
STEPS = (25, 250, 2500, 12500)
PATIENCE = 40.0
"""A contender that took longer is not asked for the next size, ten times as large."""

Data = dict[str, np.ndarray]


def ours(steps: int, data: Data) -> Any:
    text = f"""
    tensor x[n], b[n]
    s{{0}} = x
    for t = 1:{steps}
        s{{t}} = s{{t-1}} .* cos(s{{t-1}}) + b
    end
    sum(s{{{steps}}})
    """
    f = tcalc.parse(text)
    return tcalc.compile([f, tcalc.gradient(f, "x")])(**data)


def chain(cos: Callable[[Any], Any], steps: int, x: Any, b: Any) -> Any:
    for _ in range(steps):
        x = x * cos(x) + b
    return x


def by_jax(steps: int, data: Data) -> Any:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def f(x: Any, b: Any) -> Any:
        return jnp.sum(chain(jnp.cos, steps, x, b))

    return jax.jit(jax.value_and_grad(f))(data["x"], data["b"])


def by_torch(steps: int, data: Data) -> Any:
    import torch

    x, b = torch.tensor(data["x"], requires_grad=True), torch.tensor(data["b"])
    value = torch.sum(chain(torch.cos, steps, x, b))
    value.backward()
    return value.detach().numpy(), x.grad.numpy()


def by_autograd(steps: int, data: Data) -> Any:
    import autograd
    import autograd.numpy as np

    def f(x: Any, b: Any) -> Any:
        return np.sum(chain(np.cos, steps, x, b))

    return autograd.value_and_grad(f)(data["x"], data["b"])


def by_pytensor(steps: int, data: Data) -> Any:
    import pytensor
    import pytensor.tensor as pt

    x, b = pt.vector("x"), pt.vector("b")
    f = pt.sum(chain(pt.cos, steps, x, b))
    return pytensor.function([x, b], [f, pytensor.grad(f, x)])(data["x"], data["b"])


def by_casadi(steps: int, data: Data, scalars: bool = False) -> Any:
    import casadi

    kind = casadi.SX if scalars else casadi.MX
    x, b = kind.sym("x", len(data["x"])), kind.sym("b", len(data["b"]))
    f = casadi.sum1(chain(casadi.cos, steps, x, b))
    value, gradient = casadi.Function("f", [x, b], [f, casadi.gradient(f, x)])(data["x"], data["b"])
    return float(value), gradient.full()[:, 0]


PEERS: dict[str, dict[str, Callable[[int, Data], Any]]] = {
    "jax": {"jax jit(value_and_grad)": by_jax},
    "torch": {"torch backward": by_torch},
    "autograd": {"autograd value_and_grad": by_autograd},
    "pytensor": {"pytensor function": by_pytensor},
    "casadi": {"casadi MX": by_casadi, "casadi SX": partial(by_casadi, scalars=True)},
}


def rows(names: tuple[str, ...], which: str) -> Iterator[Row]:
    """A row for each length of the program, ``"small"`` ones or ``"all"``; one run each."""
    rng = np.random.default_rng(0)
    data = {"x": rng.uniform(-1, 1, 5), "b": rng.uniform(-1, 1, 5)}
    contenders = {"tcalc": ours}
    for name in names:
        contenders |= PEERS[name]
    for make in contenders.values():
        make(1, data)  # libraries are imported, and have started, before any time is taken
    slow: dict[str, str] = {}
    for steps in STEPS[:2] if which == "small" else STEPS:
        sizes = {"nodes": 4 * steps}
        row = Row("E", "growth", TITLE, "gradient", sizes, 4 * steps)
        started, others = time.perf_counter(), other_processes()
        reference = None
        for name, make in contenders.items():
            entry = Entry(name, name != "tcalc")
            row.entries.append(entry)
            if name in slow:
                entry.absent = slow[name]
                continue
            start = time.perf_counter()
            try:
                result = as_arrays(make(steps, data))
            except (RecursionError, MemoryError) as error:
                entry.absent = slow[name] = f"{type(error).__name__} at {4 * steps} nodes"
                continue
            taken = time.perf_counter() - start
            reference = reference or result
            entry.error = difference(result, reference)
            if not entry.error <= TOLERANCE:
                entry.absent = f"differs by {entry.error:.1e}"
                continue
            entry.compile = entry.median = entry.minimum = taken
            entry.samples = 1
            if taken > PATIENCE / 10:
                slow[name] = f"{taken:.0f} s at {4 * steps} nodes already"
        row.busy = (other_processes() - others) / (time.perf_counter() - started)
        row.trusted = row.busy <= BUSY
        yield row
