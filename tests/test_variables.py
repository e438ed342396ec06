"""What is differentiated by: a variable by its name, or as `tcalc.symbols` makes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tcalc
from tcalc.errors import ArgumentError, DimensionError, UnknownNameError

X, w, y = tcalc.symbols("X[m,n], w[n], y[m]")
f = tcalc.combine("sum(log(1 + exp(-y.*z)))", y=y, z=X @ w)
DATA = {
    "X": np.array([[1.0, 2.0], [0.5, -1.0], [2.0, 0.0]]),
    "w": np.array([0.3, -0.2]),
    "y": np.array([1.0, -1.0, 1.0]),
}
USES: dict[str, Callable[[Any, Any], Any]] = {
    "gradient": lambda a, b: tcalc.gradient(f, a),
    "jacobian": lambda a, b: tcalc.jacobian(X @ w, b),
    "hessian": lambda a, b: tcalc.hessian(f, a),
    "mixed hessian": lambda a, b: tcalc.hessian(f, a, b),
    "derivative": lambda a, b: tcalc.derivative(f, a, b, a),
    "explain": lambda a, b: tcalc.explain(f, a),
    "jvp": lambda a, b: tcalc.jvp(f, a, "v"),
    "vjp": lambda a, b: tcalc.vjp(X @ w, b, "u"),
    "hvp": lambda a, b: tcalc.hvp(f, a),
    "linearize": lambda a, b: tcalc.linearize(f, a),
    "cost": lambda a, b: tcalc.cost(f, a, modes=["reverse"]),
    "several costs": lambda a, b: tcalc.cost(f, [a, b], modes=["reverse"]),
    "check": lambda a, b: tcalc.check(f, a).passed,
    "problem": lambda a, b: tcalc.problem(f, a, DATA).minimize("BFGS").x.round(3).tolist(),
    "hessian_operator": lambda a, b: tcalc.hessian_operator(f, a, DATA).trace(method="exact"),
}
DICTIONARIES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "gradient": lambda names: tcalc.gradient(f, names),
    "jacobian": lambda names: tcalc.jacobian(X @ w, names),
    "hessian": lambda names: tcalc.hessian(f, names),
    "hvp": lambda names: tcalc.hvp(f, names),
    "vjp": lambda names: tcalc.vjp(f, names),
}


@pytest.mark.parametrize("title", USES)
def test_by_name_or_as_it_is(title: str) -> None:
    assert str(USES[title](w, X)) == str(USES[title]("w", "X"))


@pytest.mark.parametrize("title", DICTIONARIES)
def test_several_give_a_dictionary_by_name(title: str) -> None:
    found, due = DICTIONARIES[title]([w, X]), DICTIONARIES[title](["w", "X"])
    assert {x: str(part) for x, part in found.items()} == {x: str(y) for x, y in due.items()}
    assert found.keys() == {"w", "X"}
    assert DICTIONARIES[title]((w, "X")).keys() == {"w", "X"}


def test_blocks_of_hessians() -> None:
    blocks = tcalc.hessian(f, [w, X], [w, X])
    assert str(blocks["X"]["w"]) == str(tcalc.hessian(f, "X", "w"))
    assert tcalc.hessian(f, w, [w, X]).keys() == {"w", "X"}


def test_of_programs_too() -> None:
    program = tcalc.parse("norm2(X*w - y)^2", "X[m,n], w[n], y[m]")
    for variable in (w, program.variables["w"]):
        assert str(tcalc.gradient(program, variable)) == "2*X'*(X*w - y)"
    power = tcalc.recurrence("s{0} = b; for t = 1:T; s{t} = s{t-1}*z[t]*b; end; s{T}", "b, z[T]")
    arrays = {"b": 2.0, "z": [1.0, 3.0]}
    b, z = tcalc.symbols("b, z[T]")
    assert power.value_and_gradient(b)(**arrays) == power.value_and_gradient("b")(**arrays)
    assert power.value_and_gradient([b, z])(**arrays)[1].keys() == {"b", "z"}
    assert power.hvp(b)(**arrays, db=1.0) == 36.0


@pytest.mark.parametrize(
    ("wrt", "error", "words"),
    [
        (
            tcalc.symbols("w[k]"),
            DimensionError,
            "another variable of that name: w[n], and not w[k]",
        ),
        (tcalc.symbols("z[n]"), UnknownNameError, "'z' is not a variable of the expression"),
        (X @ w, ArgumentError, "makes it, not by X*w"),
        (np.zeros(3), ArgumentError, "not by an object of type ndarray"),
        (None, ArgumentError, "not by an object of type NoneType"),
    ],
)
def test_what_is_no_variable_of_it(wrt: Any, error: type[Exception], words: str) -> None:
    for derive in (tcalc.gradient, tcalc.hessian, tcalc.derivative, tcalc.hvp, tcalc.cost):
        with pytest.raises(error) as caught:
            derive(f, wrt)
        assert words in str(caught.value)
