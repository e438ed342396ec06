"""The comparison on a CUDA device: ``python -m benchmarks.gpu``.

    pip install -e ".[gpu]" torch "jax[cuda12]"
    python -m benchmarks.gpu --output benchmarks/results/gpu

Every contender's result is compared with the expert's CuPy before it is timed. A sample is many
calls between two synchronisations of the whole device, on the clock of the host: the same for all
libraries, and for long calls the time of the device. Contenders take turns; medians are told, and
the rate as a share of what the device reached in a plain matrix product in the same run.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np

import tcalc
from benchmarks import report
from benchmarks.problems import factorisation, linear_algebra, logistic, net
from benchmarks.rows import TOLERANCE, difference
from benchmarks.task import Contender, Problem, Task, UnavailableError

SAMPLE = 0.02
"""The least seconds between two synchronisations."""

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
        "hessian": tuple({"n": n, "b": b} for n, b in ((50, 32), (50, 256), (100, 256))),
    },
    "gp": {
        "gradient": tuple({"n": n, "d": 3} for n in (1000, 4000, 8000)),
    },
}
"""The rows, by problem and quantity."""


# What an expert would write with CuPy. The functions import it, since it needs a device.


def logistic_gradient(X: Any, y: Any, w: Any) -> Any:
    import cupy as cp
    from cupyx.scipy.special import expit

    z = y * (X @ w)
    f = cp.sum(cp.log1p(cp.exp(-cp.abs(z))) - cp.minimum(z, 0.0))
    return f, -((y * expit(-z)) @ X)


def logistic_hessian(X: Any, y: Any, w: Any) -> Any:
    import cupy as cp
    from cupyx.scipy.special import expit

    p = expit(y * (X @ w))
    R = (y * cp.sqrt(p * (1 - p)))[:, None] * X
    return R.T @ R


def factorisation_hessian(T: Any, U: Any, V: Any) -> Any:
    return _blocks(U, 2 * (V.T @ V))


def masked_hessian(T: Any, U: Any, V: Any, Omega: Any) -> Any:
    k = V.shape[1]
    core = 2 * (Omega @ (V[:, :, None] * V[:, None]).reshape(-1, k * k)).reshape(-1, k, k)
    return _blocks(U, core)


def _blocks(U: Any, core: Any) -> Any:
    import cupy as cp

    n, k = U.shape
    H = cp.zeros((n, k, n, k), U.dtype)
    rows = cp.arange(n)
    H[rows, :, rows, :] = core
    return H


def net_gradient(X: Any, Y: Any, W1: Any, W: Any) -> Any:
    import cupy as cp

    layers, Z = _forward(cp, X, W1, W)
    E = cp.exp(Z)
    sums = E.sum(axis=1, keepdims=True)
    f = (cp.log(sums).sum() - cp.sum(Y * Z)) / len(X)
    G = (E / sums - Y) @ W[8]
    for t in reversed(range(8)):
        G = (G * (layers[t + 1] > 0)) @ W[t]
    return f, (G * (layers[0] > 0)).T @ X / len(X)


def net_hessian(X: Any, Y: Any, W1: Any, W: Any) -> Any:
    import cupy as cp

    b, n = X.shape
    layers, Z = _forward(cp, X, W1, W)
    p = cp.exp(Z)
    p /= p.sum(axis=1, keepdims=True)
    J = W[8] * (layers[8] > 0)[:, None, :]
    for t in reversed(range(8)):
        J = (J @ W[t]) * (layers[t] > 0)[:, None, :]
    R = cp.sqrt(p / b)[:, :, None] * (J - p[:, None, :] @ J)
    S = (R.swapaxes(1, 2) @ R).reshape(b, n * n)
    XX = (X[:, :, None] * X[:, None, :]).reshape(b, n * n)
    return (S.T @ XX).reshape(n, n, n, n).transpose(0, 2, 1, 3)


def _forward(cp: Any, X: Any, W1: Any, W: Any) -> tuple[list[Any], Any]:
    layers = [cp.maximum(X @ W1.T, 0.0)]
    for t in range(8):
        layers.append(cp.maximum(layers[-1] @ W[t].T, 0.0))
    Z = layers[-1] @ W[8].T
    return layers, Z - Z.max(axis=1, keepdims=True)


def process_gradient(X: Any, y: Any, theta: Any) -> Any:
    import cupy as cp
    from cupyx.scipy.linalg import solve_triangular

    ell, v, noise = (theta[k] for k in range(3))
    squares = (X * X).sum(axis=1)
    D = squares[:, None] + squares - 2 * (X @ X.T)
    E = cp.exp(D * (-0.5 / ell**2))
    L = cp.linalg.cholesky(v * E + noise * cp.eye(len(X), dtype=X.dtype))
    half = solve_triangular(L, cp.eye(len(X), dtype=X.dtype), lower=True)
    inverse = half.T @ half
    a = inverse @ y
    f = y @ a / 2 + cp.log(L.diagonal()).sum() + len(X) * np.log(2 * np.pi) / 2
    M = inverse - a[:, None] * a
    EM = E * M
    return f, cp.stack([v * cp.sum(D * EM) / ell**3, EM.sum(), cp.trace(M)]) / 2


EXPERTS: dict[tuple[str, str], Callable[..., Any]] = {
    ("logistic", "gradient"): logistic_gradient,
    ("logistic", "hessian"): logistic_hessian,
    ("factorisation", "hessian"): factorisation_hessian,
    ("masked", "hessian"): masked_hessian,
    ("net", "gradient"): net_gradient,
    ("net", "hessian"): net_hessian,
    ("gp", "gradient"): process_gradient,
}


def contenders(task: Task, dtype: Any) -> Iterator[Contender]:
    """The expert, tcalc with and without checks, and the peers that are installed."""
    import cupy as cp

    data = {name: cp.asarray(value, dtype=dtype) for name, value in task.data.items()}
    expert = EXPERTS[task.problem.name, task.quantity]
    yield Contender("expert", lambda: lambda: expert(**data), from_device, peer=False)
    for checked in (True, False):

        def build(checked: bool = checked) -> Callable[[], Any]:
            f = tcalc.parse(task.problem.program(**task.sizes))
            wrt = task.problem.wrt
            roots = (
                tcalc.hessian(f, wrt) if task.quantity == "hessian" else [f, tcalc.gradient(f, wrt)]
            )
            fun = tcalc.compile(roots, backend="cupy", checked=checked, memory_limit=1e12)
            return lambda: fun(**{name: data[name] for name in fun.signature.names})

        name = "tcalc" if checked else "tcalc, unchecked"
        yield Contender(name, build, from_device, peer=False)
    for peer in (by_jax, by_torch):
        try:
            yield from peer(task, dtype)
        except ImportError:
            continue
        except UnavailableError as reason:
            print(f"    {peer.__name__[3:]}: {reason}")


def by_jax(task: Task, dtype: Any) -> Iterator[Contender]:
    import jax

    from benchmarks.peers import jax_peer

    if not any(device.platform == "gpu" for device in jax.devices()):
        raise UnavailableError("JAX sees no device")
    task.require_memory(60e9)
    yield from jax_peer.contenders(with_data(task, dtype))


def by_torch(task: Task, dtype: Any) -> Iterator[Contender]:
    import torch

    from benchmarks.peers import torch_peer

    if not torch.cuda.is_available():
        raise UnavailableError("PyTorch sees no device")
    task.require_memory(60e9)
    torch.set_default_device("cuda")
    torch.set_default_dtype(torch.float64 if dtype is np.float64 else torch.float32)
    for contender in torch_peer.contenders(with_data(task, dtype)):
        arrays = contender.arrays
        yield Contender(
            contender.name,
            contender.build,
            lambda result, arrays=arrays: arrays(_on_host(result)),  # type: ignore[misc]
        )


def _on_host(result: Any) -> Any:
    return tuple(x.cpu() for x in result) if isinstance(result, tuple) else result.cpu()


def with_data(task: Task, dtype: Any) -> Task:
    data = {name: value.astype(dtype) for name, value in task.data.items()}
    return Task(task.problem, task.quantity, task.sizes, data)


def from_device(result: Any) -> tuple[np.ndarray, ...]:
    import cupy as cp

    several = result if isinstance(result, (tuple, list)) else (result,)
    return tuple(cp.asnumpy(cp.asarray(x)).astype(float) for x in several)


@dataclass(slots=True)
class Line:
    """One task as measured: seconds by contender, and what a matrix product of this run says."""

    problem: str
    quantity: str
    sizes: Mapping[str, int]
    dtype: str
    seconds: dict[str, float] = field(default_factory=dict)
    first: dict[str, float] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    share: float = float("nan")
    """Of the rate of a matrix product that tcalc's counted operations were done at."""


def measured(task: Task, dtype: Any, rate: float, seconds: float) -> Line:
    import cupy as cp

    line = Line(task.problem.name, task.quantity, dict(task.sizes), np.dtype(dtype).name)
    calls: dict[str, Callable[[], Any]] = {}
    reference = None
    for contender in contenders(task, dtype):
        start = time.perf_counter()
        try:
            call = contender.build()
            result = contender.arrays(call())
        except (RuntimeError, MemoryError, tcalc.TcalcError) as error:
            line.absent[contender.name] = str(error).splitlines()[0][:100]
            continue
        line.first[contender.name] = time.perf_counter() - start
        reference = result if reference is None else reference
        error = difference(result, reference)
        if not error <= (TOLERANCE if dtype is np.float64 else 1e-2):
            line.absent[contender.name] = f"differs by {error:.1e}"
            continue
        calls[contender.name] = call
    samples: dict[str, list[float]] = {name: [] for name in calls}
    synchronise = cp.cuda.Device().synchronize
    numbers = {name: repetitions(call, synchronise) for name, call in calls.items()}
    deadline = time.perf_counter() + seconds * len(calls)
    while not samples or time.perf_counter() < deadline or len(next(iter(samples.values()))) < 5:
        for name, call in calls.items():
            samples[name].append(timed(call, numbers[name], synchronise))
        if not calls:
            break
    line.seconds = {name: statistics.median(found) for name, found in samples.items()}
    if "tcalc, unchecked" in line.seconds:
        line.share = operations(task) / line.seconds["tcalc, unchecked"] / rate
    return line


def operations(task: Task) -> float:
    """The floating-point operations of tcalc's plan."""
    f = tcalc.parse(task.problem.program(**task.sizes))
    order = 2 if task.quantity == "hessian" else 1
    from tcalc.calculus.cost import flops

    roots = [tcalc.derivative(f, *[task.problem.wrt] * order).node]
    sizes = {name: task.sizes[name] for name in task.sizes}
    return float(flops(roots, sizes))


def repetitions(call: Callable[[], Any], synchronise: Callable[[], None]) -> int:
    call()
    return max(1, round(SAMPLE / timed(call, 1, synchronise)))


def timed(call: Callable[[], Any], number: int, synchronise: Callable[[], None]) -> float:
    synchronise()
    start = time.perf_counter()
    for _ in range(number):
        call()
    synchronise()
    return (time.perf_counter() - start) / number


def matrix_product_rate(dtype: Any, n: int = 8192) -> float:
    """Operations a second of a plain matrix product."""
    import cupy as cp

    A, B = cp.random.standard_normal((2, n, n)).astype(dtype)
    synchronise = cp.cuda.Device().synchronize
    number = repetitions(lambda: A @ B, synchronise)
    return 2 * n**3 / min(timed(lambda: A @ B, number, synchronise) for _ in range(5))


def copy_rate(n: int = 1 << 27) -> float:
    """Bytes a second read and written by a copy."""
    import cupy as cp

    source, target = cp.ones(n), cp.empty(n)
    synchronise = cp.cuda.Device().synchronize
    number = repetitions(lambda: cp.copyto(target, source), synchronise)
    times = (timed(lambda: cp.copyto(target, source), number, synchronise) for _ in range(5))
    return 16 * n / min(times)


def tasks() -> Iterator[Task]:
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
    sizes = ", ".join(f"{name}={size}" for name, size in line.sizes.items())
    parts = [f"{line.problem} {line.quantity} ({sizes}) {line.dtype}:"]
    parts += [f"{name} {report.duration(seconds)};" for name, seconds in line.seconds.items()]
    parts += [f"{name}: {reason};" for name, reason in line.absent.items()]
    return " ".join([*parts, f"{100 * line.share:.0f} % of a matrix product's rate"])


def markdown(lines: list[Line], machine: Mapping[str, Any]) -> str:
    names = list(dict.fromkeys(name for line in lines for name in line.seconds))
    text = ["# Measured on a device", "", json.dumps(machine), ""]
    text.append("| | type | " + " | ".join(names) + " | of the product's rate |")
    text.append("|---|---|" + "--:|" * (len(names) + 1))
    for line in lines:
        sizes = ", ".join(f"{name}={size}" for name, size in line.sizes.items())
        cells = [
            report.duration(line.seconds[name])
            if name in line.seconds
            else line.absent.get(name, "")
            for name in names
        ]
        share = f"{100 * line.share:.0f} %"
        text.append(
            " | ".join([f"| {line.problem} {line.quantity} ({sizes})", line.dtype, *cells, share])
            + " |"
        )
    return "\n".join([*text, ""])


@click.command(help="Verify and time tcalc's CuPy code against peers on a CUDA device.")
@click.option("--problems", default="", help="Only these problems, by name.")
@click.option("--types", default="float64,float32", show_default=True)
@click.option("--seconds", default=1.0, show_default=True, help="For each contender of a task.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder for the table.")
def main(problems: str, types: str, seconds: float, output: Path | None) -> None:
    from tcalc.runtime.device import cupy_with_device

    try:
        cp = cupy_with_device()
    except tcalc.TcalcError as error:
        raise click.ClickException(str(error)) from None
    wanted = {name for name in problems.split(",") if name}
    properties = cp.cuda.runtime.getDeviceProperties(0)
    machine = {
        "device": properties["name"].decode(),
        "cupy": cp.__version__,
        "cuda": cp.cuda.runtime.runtimeGetVersion(),
        "copy, GB/s": round(copy_rate() / 1e9),
    }
    lines: list[Line] = []
    for name in types.split(","):
        dtype = {"float64": np.float64, "float32": np.float32}[name]
        rate = matrix_product_rate(dtype)
        machine[f"matrix product in {name}, Tflop/s"] = round(rate / 1e12, 1)
        print(f"{name}: a matrix product runs at {rate / 1e12:.3g} Tflop/s", flush=True)
        for task in tasks():
            if not wanted or task.problem.name in wanted:
                lines.append(measured(task, dtype, rate, seconds))
                print(told(lines[-1]), flush=True)
                cp.get_default_memory_pool().free_all_blocks()
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        (output / "table.md").write_text(markdown(lines, machine))
        content = {"machine": machine, "rows": [asdict(line) for line in lines]}
        (output / "table.json").write_text(json.dumps(content, indent=1) + "\n")
        print(f"wrote table.md and table.json to {output}")


if __name__ == "__main__":
    main()
