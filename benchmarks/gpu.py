"""The comparison on a CUDA device: ``python -m benchmarks.gpu``.

    pip install -e ".[gpu]" torch "jax[cuda12]"
    python -m benchmarks.gpu --output benchmarks/results/gpu

Every contender's result is compared, on the device, with the expert's CuPy before it is timed. A
sample is many calls, from one event on the device's stream to another; what runs on streams of its
own (JAX) is timed by the host's clock around calls and a wait, and so is every other one as well:
the JSON has both. Contenders take turns; medians are told. The ceiling of a row is the time that
its counted operations take at the rate of a matrix product, or its arguments and results at that of
a copy, both measured in the same run; the share of it is that of tcalc's fastest.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import numpy as np

import tcalc
from benchmarks import report
from benchmarks.gpu_contenders import Rival, difference, on_device, rivals
from benchmarks.problems import factorisation, linear_algebra, logistic, net
from benchmarks.rows import brief
from benchmarks.task import Call, Problem, Task, listed
from tcalc.calculus.cost import flops

TOLERANCES = {"float64": 1e-8, "float32": 1e-2}
SAMPLE = 0.02
"""The least seconds between two synchronisations."""
SAMPLES = 5
"""The least samples of a contender."""
SQUARE = 8192
COPIED = 1 << 27
"""The size of the matrices that are multiplied, and the elements of the array that is copied."""
SHARE = 0.7
"""The part of the device's memory that a peer may be predicted to take."""
NETS = ((50, 32), (50, 256), (100, 32), (100, 256), (200, 32))
PACKAGES = ("cupy-cuda12x", "cupy-cuda13x", "jax", "torch", "numpy")

SIZES: dict[str, dict[str, tuple[dict[str, int], ...]]] = {
    "logistic": {
        "gradient": tuple({"m": 2 * n, "n": n} for n in (1024, 4096, 8192)),
        "hessian": tuple({"m": 2 * n, "n": n} for n in (1024, 4096, 8192)),
    },
    "factorisation": {
        "hessian": tuple({"n": n, "m": n, "k": 10} for n in (200, 500)),
    },
    "masked": {
        "hessian": tuple({"n": n, "m": n, "k": 10} for n in (200, 500)),
    },
    "net": {
        "gradient": tuple({"n": n, "b": 256} for n in (50, 100, 200)),
        "hessian": tuple({"n": n, "b": b} for n, b in NETS),
    },
    "gp": {
        "gradient": tuple({"n": n, "d": 3} for n in (1000, 4000, 8000)),
    },
}
"""The rows, by problem and quantity."""


@dataclass(slots=True)
class Line:
    """One task as measured: seconds by contender, and what the device could have done."""

    problem: str
    quantity: str
    sizes: Mapping[str, int]
    dtype: str
    seconds: dict[str, float] = field(default_factory=dict)
    host: dict[str, float] = field(default_factory=dict)
    first: dict[str, float] = field(default_factory=dict)
    error: dict[str, float] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    peers: list[str] = field(default_factory=list)
    ceiling: float = float("nan")

    @property
    def title(self) -> str:
        """The task."""
        return f"{self.problem} {self.quantity} ({listed(self.sizes)})"

    @property
    def mine(self) -> float:
        """The seconds of tcalc's fastest."""
        found = [x for name, x in self.seconds.items() if name.startswith("tcalc")]
        return min(found, default=float("nan"))

    @property
    def ahead(self) -> float:
        """How many times faster that is than the best peer."""
        return min((self.seconds[name] for name in self.peers), default=float("nan")) / self.mine

    @property
    def share(self) -> float:
        """The part of the ceiling that it reaches."""
        return self.ceiling / self.mine


@dataclass(frozen=True, slots=True)
class Rates:
    """What the device reaches: operations a second of a matrix product, bytes of a copy."""

    product: float
    copy: float

    def ceiling(self, operations: float, size: float) -> float:
        """The least seconds for so many operations on so many bytes."""
        return max(operations / self.product, size / self.copy)


def measured(task: Task, dtype: Any, rates: Rates, seconds: float, memory: float) -> Line:
    """One task: every contender built, compared, and timed in turn with the others."""
    kind = np.dtype(dtype)
    line = Line(task.problem.name, task.quantity, dict(task.sizes), kind.name)
    kept: list[tuple[Rival, Call]] = []
    reference = None
    for rival in rivals(task, dtype, memory):
        if isinstance(rival, str):
            name, _, line.absent[name] = rival.partition(": ")
            continue
        start = time.perf_counter()
        try:
            call = rival.build()
            result = call()
            rival.wait(result)
        except (RuntimeError, MemoryError, tcalc.TcalcError) as error:
            line.absent[rival.name] = brief(error)
            continue
        line.first[rival.name] = time.perf_counter() - start
        found = on_device(result)
        if reference is None:
            reference = found
            size = sum(x.nbytes for x in found)
        line.error[rival.name] = difference(found, reference)
        del result, found
        if not line.error[rival.name] <= TOLERANCES[kind.name]:
            line.absent[rival.name] = f"differs by {line.error[rival.name]:.1e}"
            continue
        kept.append((rival, call))
    if kept:
        size += sum(value.size for value in task.data.values()) * kind.itemsize
        line.ceiling = rates.ceiling(operations(task), size)
    del reference
    time_in_turns(line, kept, seconds)
    line.peers = [rival.name for rival, _ in kept if rival.peer]
    return line


def time_in_turns(line: Line, kept: list[tuple[Rival, Call]], seconds: float) -> None:
    """Fill in the medians of many samples, the contenders taking turns."""
    numbers = [repetitions(call, rival.wait) for rival, call in kept]
    samples: list[list[tuple[float, float]]] = [[] for _ in kept]
    deadline = time.perf_counter() + seconds * len(kept)
    while kept and (len(samples[-1]) < SAMPLES or time.perf_counter() < deadline):
        for found, (rival, call), number in zip(samples, kept, numbers, strict=True):
            found.append(timed(call, number, rival.wait))
    for found, (rival, _) in zip(samples, kept, strict=True):
        host = statistics.median(wall for wall, _ in found)
        line.host[rival.name] = host
        events = statistics.median(device for _, device in found)
        line.seconds[rival.name] = events if rival.on_stream else host


def repetitions(call: Call, wait: Callable[[Any], None]) -> int:
    """How many calls fill a sample."""
    wait(call())
    wall, _ = timed(call, 1, wait)
    return max(1, round(SAMPLE / wall))


def timed(call: Call, number: int, wait: Callable[[Any], None]) -> tuple[float, float]:
    """The seconds of a call, by the host's clock and by events on CuPy's stream."""
    import cupy as cp

    cp.cuda.Device().synchronize()
    before, after = cp.cuda.Event(), cp.cuda.Event()
    start = time.perf_counter()
    before.record()
    for _ in range(number):
        result = call()
    after.record()
    wait(result)
    wall = time.perf_counter() - start
    after.synchronize()
    return wall / number, cp.cuda.get_elapsed_time(before, after) / 1e3 / number


def operations(task: Task) -> float:
    """The floating-point operations of the derivative, as tcalc plans it."""
    f = tcalc.parse(task.problem.program(**task.sizes))
    order = 2 if task.quantity == "hessian" else 1
    roots = [tcalc.derivative(f, *[task.problem.wrt] * order).node]
    return float(flops(roots, dict(task.sizes)))


def rates_of(dtype: Any) -> Rates:
    """What the device reaches in this type, each the best of some samples."""
    import cupy as cp

    def best(call: Call) -> float:
        number = repetitions(call, wait)
        return min(timed(call, number, wait)[1] for _ in range(SAMPLES))

    def wait(result: Any) -> None:
        cp.cuda.Device().synchronize()

    A, B = cp.random.standard_normal((2, SQUARE, SQUARE)).astype(dtype)
    product = 2 * SQUARE**3 / best(lambda: A @ B)
    source, target = cp.ones(COPIED, dtype), cp.empty(COPIED, dtype)
    copied = 2 * source.nbytes / best(lambda: cp.copyto(target, source))
    return Rates(product, copied)


def tasks() -> Iterator[Task]:
    """All rows, each with its data."""
    problems: dict[str, Problem] = {
        p.name: p
        for module in (logistic, factorisation, net, linear_algebra)
        for p in module.PROBLEMS
    }
    for name, quantities in SIZES.items():
        problem = problems[name]
        for quantity, cases in quantities.items():
            for sizes in cases:
                rng = np.random.default_rng(0)
                data = {k: np.asarray(v, float) for k, v in problem.data(rng, **sizes).items()}
                yield Task(problem, quantity, sizes, data)


def told(line: Line) -> str:
    """A row as a sentence, for those who watch."""
    parts = [f"{line.title} {line.dtype}:"]
    parts += [f"{name} {report.duration(seconds)};" for name, seconds in line.seconds.items()]
    parts += [f"{name}: {reason};" for name, reason in line.absent.items()]
    return " ".join([*parts, f"{100 * line.share:.0f} % of the ceiling"])


def markdown(lines: list[Line], machine: Mapping[str, Any]) -> str:
    """The table, with a line for the device and a note for each contender that is not there."""
    names = list(dict.fromkeys(name for line in lines for name in line.seconds))
    text = ["# Measured on a device", ""]
    text += [f"- {key}: {value}" for key, value in machine.items()]
    text += ["", "| | type | " + " | ".join(names) + " | ahead of the best peer | of the ceiling |"]
    text.append("|---|---|" + "--:|" * (len(names) + 2))
    notes: dict[str, None] = {}
    for line in lines:
        cells = [report.duration(line.seconds.get(name, float("nan"))) for name in names]
        ahead = f"{line.ahead:.3g}" if line.ahead > 0 else "–"  # or NaN
        cells += [ahead, f"{100 * line.share:.0f} %"]
        text.append(f"| {' | '.join([line.title, line.dtype, *cells])} |")
        notes.update(
            {f"- {line.title}, {line.dtype}: {k}: {v}": None for k, v in line.absent.items()}
        )
    return "\n".join([*text, "", *notes, ""])


def described(cp: Any) -> dict[str, Any]:
    """The device and the versions."""
    properties = cp.cuda.runtime.getDeviceProperties(0)
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "device": properties["name"].decode(),
        "memory, GB": round(properties["totalGlobalMem"] / 1e9),
        "CUDA runtime": cp.cuda.runtime.runtimeGetVersion(),
        "CUDA driver": cp.cuda.runtime.driverGetVersion(),
        **versions,
    }


@click.command(help="Verify and time tcalc's CuPy code against peers on a CUDA device.")
@click.option("--problems", default="", help="Only these problems, by name.")
@click.option("--types", default="float64,float32", show_default=True)
@click.option("--seconds", default=1.0, show_default=True, help="For each contender of a task.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder for the table.")
def main(problems: str, types: str, seconds: float, output: Path | None) -> None:
    from tcalc.runtime.device import cupy_with_device

    unknown = {*types.split(",")} - {*TOLERANCES}
    unknown |= {name for name in problems.split(",") if name} - {*SIZES}
    if unknown:
        raise click.BadParameter(f"{', '.join(sorted(unknown))}: known are {known_names()}")
    # JAX would take most of the memory when it begins.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    try:
        cp = cupy_with_device()
    except tcalc.TcalcError as error:
        raise click.ClickException(str(error)) from None
    machine = described(cp)
    memory = SHARE * cp.cuda.Device().mem_info[1]
    lines: list[Line] = []
    for name in types.split(","):
        dtype = np.dtype(name).type
        rates = rates_of(dtype)
        machine[f"matrix product in {name}, Tflop/s"] = round(rates.product / 1e12, 3)
        machine[f"copy in {name}, GB/s"] = round(rates.copy / 1e9)
        for task in tasks():
            if not problems or task.problem.name in problems.split(","):
                lines.append(measured(task, dtype, rates, seconds, memory))
                print(told(lines[-1]), flush=True)
                cp.get_default_memory_pool().free_all_blocks()
                if output is not None:
                    written(output, lines, machine)  # an interrupted run leaves what it has
    wrong = [x for line in lines for x, why in line.absent.items() if why.startswith("differs")]
    if any(name.startswith("tcalc") for name in wrong):
        raise click.ClickException("a result of tcalc's differs from the expert's")


def known_names() -> str:
    """The problems and types that there are."""
    return ", ".join((*SIZES, *TOLERANCES))


def written(output: Path, lines: list[Line], machine: Mapping[str, Any]) -> None:
    """The table as Markdown, and all that is known as JSON."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "table.md").write_text(markdown(lines, machine))
    content = {"machine": dict(machine), "rows": [asdict(line) for line in lines]}
    (output / "table.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
