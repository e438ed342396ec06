"""A program as users write it, fully annotated: mypy checks it with --strict, and it runs.

What a user's type checker cannot follow is a defect of the public interface, and is found here.
"""

from __future__ import annotations

import builtins
import inspect
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tcalc
import tcalc.typing
from tcalc import Expression, TcalcError
from tcalc.typing import (
    Backend,
    CompiledFunction,
    CostTable,
    FactoredFunction,
    FactoredTensor,
    HostBackend,
    Inputs,
    Line,
    Mode,
    Recurrence,
    RecurrenceGradient,
    RecurrenceProduct,
)

DATA: dict[str, NDArray[np.float64]] = {
    "X": np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 1.0]]),
    "y": np.array([1.0, -1.0, 1.0]),
    "w": np.zeros(2),
}
LOSS: Expression = tcalc.parse(
    "sum(log(1 + exp(-y .* (X*w)))) + norm2(w)^2/2", "X[m,n], y[m], w[n]"
)


def test_derivatives_by_one_variable_and_by_several() -> None:
    gradient: Expression = tcalc.gradient(LOSS, "w")
    by_name: dict[str, Expression] = tcalc.gradient(LOSS, ["w", "X"])
    hessian: Expression = tcalc.hessian(LOSS, "w", mode="reverse")
    shape: tuple[str, ...] = hessian.shape
    assert shape == ("n", "n")
    assert by_name["w"].node is gradient.node
    product: Expression = tcalc.hvp(LOSS, "w", "v")
    assert "v" in product.variables


def test_compiled_functions() -> None:
    dense: CompiledFunction = tcalc.compile([LOSS, tcalc.gradient(LOSS, "w")], reuse=True)
    value, gradient = dense(**DATA)
    source: str = dense.source
    assert "def compute" in source
    backend: Backend = "cupy"
    assert "import cupy" in tcalc.compile(LOSS, backend).source
    host: HostBackend = "c"
    assert "int compute(" in tcalc.compile(LOSS, host).source
    assert tcalc.problem(LOSS, "w", DATA, backend=host).scalar
    step: CompiledFunction = dense.bind(X=DATA["X"], y=DATA["y"])
    assert np.allclose(step(w=DATA["w"])[1], gradient)
    factored = tcalc.compile(tcalc.hessian(LOSS, "w"), form="factored")
    assert factored(**DATA).solve(gradient).shape == (2,)
    bound = factored.bind(X=DATA["X"])
    assert isinstance(bound, FactoredFunction) and bound.bound == ("X",)
    # What the result is depends on the form, and on the structure: both have the same attributes.
    sizes: int = bound.peak_memory(m=3, n=2)
    assert sizes > 0 and "def compute" in bound.source_for(m=3)
    assert float(value) > 0


def test_factored_tensors() -> None:
    factored = tcalc.compile(tcalc.hessian(LOSS, "w"), form="factored")
    H: FactoredTensor = factored(**DATA)
    damped: FactoredTensor = 2 * H / 3 - (-H) + np.float64(0.5) * H
    direction: NDArray[np.float64] = np.ones(2)
    left: NDArray[Any] = direction @ damped
    right: NDArray[Any] = damped @ direction
    square: FactoredTensor = damped.T @ damped
    assert np.allclose(square @ direction, left @ damped) and np.allclose(left, right)
    assert np.allclose(left, 13 / 6 * (H @ direction))


def test_expressions_made_of_symbols() -> None:
    A, x = tcalc.symbols("A[m,n], x[n]")
    c = tcalc.symbols("c[]")
    r: Expression = 2 * (A @ x) / c
    first: Expression = r[1]
    text: str = r.latex(notation="matrix")
    combined: Expression = tcalc.combine("norm2(r)^2 + s", r=r, s=0.5)
    assert first.shape == () and combined.shape == () and "A" in text


def test_problems_operators_and_tables() -> None:
    found = tcalc.problem(LOSS, "w", DATA, constraints=["sum(w) == 0"]).minimize()
    assert abs(found.variables["w"].sum()) < 1e-6
    value, error = tcalc.hessian_operator(LOSS, ["w"], DATA).trace(method="exact")
    assert value > 0 and error == 0
    assert tcalc.laplace(LOSS, "w", DATA).log_evidence < 0
    flops: int = tcalc.cost(LOSS, "w", sizes={"m": 3, "n": 2}).row("reverse").operations
    assert flops > 0
    assert tcalc.linearize(LOSS, "w", at=DATA).jacobian().shape == (1, 2)
    drawn: str = tcalc.draw([LOSS])
    assert drawn.startswith("<svg")


def test_tables_by_mode_lines_and_inputs() -> None:
    modes: list[Mode] = ["forward", "reverse"]
    table: CostTable = tcalc.cost(LOSS, "w", modes=modes)
    assert {row.mode for row in table} == set(modes)
    last: Line = tcalc.explain(LOSS, "w").result
    assert last.formula
    found: Inputs = tcalc.inputs("A*x + y*z", "A[m,n]")
    assert found.guesses.keys() == {"x", "y", "z"}
    words: tuple[str, ...] = tcalc.properties()
    assert "spd" in words


def test_recurrences() -> None:
    text = "s{0} = 0; for t = 1:T; s{t} = a*s{t-1} + x[t]; end; s{T}^2"
    walk: Recurrence = tcalc.recurrence(text, "x[T], a")
    gradient: RecurrenceGradient = walk.value_and_gradient("a")
    value, slope = gradient(x=[1.0, 2.0], a=0.5)
    assert (value, slope) == (6.25, 5.0)
    product: RecurrenceProduct = walk.hvp("a")
    assert product(x=[1.0, 2.0], a=0.5, da=1.0) == 2.0


def test_whatever_a_public_function_returns_has_a_public_type() -> None:
    known = {*tcalc.__all__, *tcalc.typing.__all__, *dir(builtins), "Any", "Mapping"}
    for name in tcalc.__all__:
        function = getattr(tcalc, name)
        if inspect.isfunction(function):
            assert set(re.findall(r"\w+", function.__annotations__["return"])) <= known, name
    for name in tcalc.typing.__all__:
        assert getattr(tcalc.typing, name) is not None


def test_functions_of_the_user() -> None:
    resolvent = tcalc.function(
        "resolvent", "A[n,n] -> Y[n,n]", np.linalg.inv, pushforward="-Y*dA*Y"
    )
    f = tcalc.parse("tr(resolvent(A))", functions=[resolvent])
    report = tcalc.check(f, "A", order=2)
    assert report and report.error < report.tolerance


def test_errors_tell_where() -> None:
    try:
        tcalc.parse("x*y")
    except TcalcError as error:
        place: tuple[int | None, int | None] = error.line, error.column
        hint: str | None = error.hint
        assert place == (1, 1) and hint is not None
    arrays: dict[str, Any] = {"x": [1.0, 2.0]}
    assert tcalc.evaluate(tcalc.parse("x'*x"), **arrays) == 5.0
