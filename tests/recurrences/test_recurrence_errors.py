"""Recurrences with arguments that do not fit, or for which they have no value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import tcalc
from tcalc import errors
from tcalc.errors import TcalcError


def loop(body: str, value: str = "s{T}", before: str = "s{0} = 0") -> str:
    """A program with a loop."""
    return f"{before}\nfor t = 1:T\n    {body}\nend\n{value}"


SUM = "s{t} = s{t-1} + x[t]"
WALK = tcalc.recurrence(loop("s{t} = s{t-1} + a*x[t]"), "x[T], a")
TWO = tcalc.recurrence(
    loop("s{t} = A*s{t-1} + x[t]*ones(n)", before="s{0} = zeros(n)"), "x[T], A[n,n]"
)


def run_through(position: str, before: str = "s{0} = 0") -> tcalc.Recurrence:
    """A sum over what stands at a position."""
    return tcalc.recurrence(loop(f"s{{t}} = s{{t-1}} + {position}", before=before), "x[T]")


@pytest.mark.parametrize(
    ("call", "kind", "message", "hint"),
    [
        (
            lambda: WALK(x=[], a=1.0),
            errors.ArgumentError,
            "the loop from t = 1 to 0 has no steps",
            "give longer series",
        ),
        (
            lambda: tcalc.recurrence(loop("s{t} = s{t-1} + x[1]"), "x[n]", T=-5)(x=[1.0]),
            errors.ArgumentError,
            "the loop from t = 1 to -5 has no steps",
            "for t = 1:-1:-5 goes the other way",
        ),
        (
            lambda: run_through("x[t+1]")(x=[1.0, 2.0]),
            errors.ArgumentError,
            "x[t+1] takes the positions 2 to 3 of an axis that has 2",
            "",
        ),
        (
            lambda: run_through("Z[t-1]", "Z = exp(x)\ns{0} = 0")(x=[1.0, 2.0]),
            errors.ArgumentError,
            "Z[t-1] takes the positions 0 to 1 of an axis that has 2",
            "",
        ),
        (
            lambda: TWO(x=[1.0], A=sparse.eye(2, format="csr")),
            errors.UnsupportedError,
            "A is sparse, and a loop that is kept takes dense arrays",
            "give A.toarray()",
        ),
        (lambda: WALK(x=[1.0]), errors.ArgumentError, "the argument a is missing", "x[T], a"),
        (lambda: WALK(x=[1.0], a=1, t=2), errors.ArgumentError, "no argument 't'", "x[T], a"),
        (lambda: WALK([1.0]), errors.ArgumentError, "arguments are given by name", "x=..., a="),
        (
            lambda: WALK.value_and_gradient("a")([1.0]),
            errors.ArgumentError,
            "arguments are given by name",
            "x=..., a=",
        ),
        (
            lambda: WALK.steps("s")([1.0]),
            errors.ArgumentError,
            "arguments are given by name",
            "x=..., a=",
        ),
        (
            lambda: WALK.hvp("a")([1.0]),
            errors.ArgumentError,
            "arguments are given by name",
            "x=..., da=",
        ),
        (
            lambda: WALK.steps("r"),
            errors.UnknownNameError,
            "no step defines 'r'",
            "it defines s{t}",
        ),
        (
            lambda: WALK.steps("s{t-1}"),
            errors.UnknownNameError,
            "no step defines 's{t-1}'",
            "did you mean 's{t}'?",
        ),
        (lambda: WALK.steps(3), errors.ArgumentError, "a name is a str, not an object", ""),
        (
            lambda: WALK.value_and_gradient("b"),
            errors.UnknownNameError,
            "'b' is not an input of the program",
            "its inputs: x, a",
        ),
        (
            lambda: WALK.value_and_gradient(["a", "A"]),
            errors.UnknownNameError,
            "'A' is not an input of the program",
            "did you mean 'a'?",
        ),
        (
            lambda: WALK.value_and_gradient(["a", "a"]),
            errors.ArgumentError,
            "the variable a is given twice",
            "",
        ),
        (
            lambda: WALK.value_and_gradient([]),
            errors.ArgumentError,
            "no input is given to differentiate by",
            "",
        ),
        (
            lambda: WALK.value_and_gradient(None),
            errors.ArgumentError,
            "a variable is given by its name, or as tcalc.symbols makes it",
            "",
        ),
        (
            lambda: TWO.value_and_gradient("A"),
            errors.DimensionError,
            "the gradient is that of a scalar, and the value has 1 axes",
            "sum it up",
        ),
        (
            lambda: tcalc.recurrence(loop(SUM), "x[T]", functions=[3]),
            errors.ArgumentError,
            "3 is not a function for programs",
            "tcalc.function",
        ),
        (
            lambda: tcalc.recurrence(3),
            errors.ArgumentError,
            "the program must be a str, not int",
            "",
        ),
        (
            lambda: tcalc.recurrence(loop(SUM), "x[T]", K=3),
            errors.ArgumentError,
            "the program has no name `K`",
            "",
        ),
    ],
)
def test_arguments(
    call: Callable[[], Any], kind: type[TcalcError], message: str, hint: str
) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


INVERSES = tcalc.recurrence(
    loop(
        "X{t} = inv(x[t]*X{t-1}*X{t-2})",
        "sum(inv((x[1] - 1)*X{T}))",
        before="K = inv(A)\nX{0} = K\nX{-1} = A",
    ),
    "x[T], A[n,n]",
)
ROOTS = tcalc.recurrence(
    loop("s{t} = s{t-1} + logdet(S[t,:,:] + A)", before="s{0} = 0"), "S[T,n,n], A[n,n]"
)


@pytest.mark.parametrize(
    ("function", "data", "message"),
    [
        (
            INVERSES,
            {"x": [2.0, 3.0, 0.0, 1.0], "A": np.eye(2)},
            "inv(x[t]*X{t-1}*X{t-2}): the matrix is singular, in step t = 3",
        ),
        (
            INVERSES,
            {"x": [1.0, 1.0], "A": np.eye(2)},
            "inv((x[1] - 1)*X{T}): the matrix is singular",
        ),
        (INVERSES, {"x": [1.0], "A": np.zeros((2, 2))}, "inv(A): the matrix is singular"),
        (
            ROOTS,
            {"S": [np.eye(2), np.eye(2), np.zeros((2, 2)), np.eye(2)], "A": np.zeros((2, 2))},
            (
                "logdet(A[j,k] + S[t,:,:][j,k] of [n,n]): the determinant is not positive, "
                "in step t = 3"
            ),
        ),
    ],
)
def test_what_has_no_value_is_said_in_the_words_of_the_program(
    function: tcalc.Recurrence, data: dict[str, Any], message: str
) -> None:
    calls = [function, function.value_and_gradient("A")]
    if function is INVERSES and "in step" in message:
        calls.append(function.steps("X"))
    for call in calls:
        with pytest.raises(errors.DomainError) as caught:
            call(**data)
        assert caught.value.message == message
        assert message in repr(caught.value)
