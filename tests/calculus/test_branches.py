"""Branches that are not taken leave derivatives finite, however the branch is made."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc
from tcalc.calculus import MODES, prepare
from tcalc.expr.traverse import postorder

DECLARED = "A[n,n], B[n,n], x[n], y[n], a"
X, Y = np.array([-1.0, 0.0, 2.0]), np.array([1.0, -1.0, 3.0])
SQUARE = np.array([[0.0, 1.0, 2.0], [-1.0, 0.5, 0.0], [3.0, 0.0, 1.0]])
VALUES = {"A": SQUARE, "B": SQUARE.T + 1, "x": X, "y": Y, "a": np.array(2.0)}

TAKEN = np.array([0.0, 0.0, 1.0])
GRADIENTS = {
    "sum(where(x > 0, a*log(x), x))": [1, 1, 1],
    "sum(where(x < 0, 0, where(x < 1, 2, sqrt(x))))": [0, 0, 0.5 / np.sqrt(2)],
    "sum(where(x > 0, where(y > 0, log(x), 0), 0))": [0, 0, 0.5],
    "sum(where(y > 0, where(x > 0, log(x), 0), 0))": [0, 0, 0.5],
    "where(a < 0, sum(sqrt(x)), a)": [0, 0, 0],
    "where(a < 0, norm2(x)*sum(A*log(x)), a)": [0, 0, 0],
    "sum(where(x > 0, sqrt(x) + norm2(y), 0))": [0, 0, 0.5 / np.sqrt(2)],
    "z = where(a > 0, x, y); sum(where(z > 0, log(z), z) + where(z > 0, y.*log(z), 0))": [1, 1, 2],
    "z = where(a > 0, x, y); sum(where(z > 0, log(z), z) + where(z > 1, y.*log(z), 0))": [1, 1, 2],
    "d = where(x >= 0, sqrt(x), 0); sum(where(x > 0, d, 0) + where(x > 1, log(d), 0))": (
        [0, 0, 0.5 / np.sqrt(2) + 0.25]
    ),
    "z[i,j] = where(x[i] > 0, A[i,j]*log(x[i]), 0); sum(z)": 0.5 * TAKEN * SQUARE.sum(1),
    "z[i,j] = where(x[i] > 0, A[j,i]*log(x[i]), 0); sum(z)": 0.5 * TAKEN * SQUARE.sum(0),
    "z[i] = where(x[i] > 0, A[i,j]*log(x[i]), 0); sum(z)": 0.5 * TAKEN * SQUARE.sum(1),
    "z = sqrt(x + where(x > 1, x, 0)); sum(where(x > 0, log(z), 0) + where(x > 1, z, 0))": (
        [0, 0, 0.25 + 0.5]
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", GRADIENTS)
def test_gradients_are_those_of_the_branch_taken(text, mode):
    f = tcalc.parse(text, DECLARED)
    gradient = tcalc.gradient(f, "x", mode)
    given = {name: VALUES[name] for name in f.variables}
    with np.errstate(all="raise"):
        found = tcalc.compile(gradient)(**given)
    np.testing.assert_allclose(found, GRADIENTS[text], atol=1e-15)


@pytest.mark.parametrize("text", ["C .* log(A)'", "C .* log(A')", "(C' .* log(A))'"])
def test_transposed_branches(text):
    f = tcalc.parse(f"sum(where(B > 0, {text}, 0))", "A[n,n], B[n,n], C[n,n]")
    C = np.arange(9.0).reshape(3, 3)
    B = np.where(SQUARE.T > 0, 1.0, -1.0)
    due = np.where(SQUARE > 0, C.T / np.where(SQUARE > 0, SQUARE, 1), 0)
    with np.errstate(all="raise"):
        found = tcalc.compile(tcalc.gradient(f, "A"))(A=SQUARE, B=B, C=C)
    np.testing.assert_allclose(found, due)


@pytest.mark.parametrize("mode", MODES)
def test_transposed_choices_by_one_condition_are_two(mode):
    """The condition, and the same transposed, tell of different elements."""
    f = tcalc.parse(
        "W = sqrt(A + where(A > 1, A, 0)); u = where(B > 0, W', 0); sum(where(B > 0, u', W))",
        "A[n,n], B[n,n]",
    )
    A, B = np.array([[1.0, 0.0], [2.0, 3.0]]), np.array([[1.0, 1.0], [-1.0, 1.0]])
    with np.errstate(all="raise"):  # W[1,2] is needed nowhere
        found = tcalc.compile(tcalc.gradient(f, "A", mode))(A=A, B=B)
    np.testing.assert_allclose(found, [[0.5, 0], [0.5, 1 / np.sqrt(6)]])


@pytest.mark.parametrize("text", GRADIENTS)
def test_the_rule_is_idempotent(text):
    once = prepare([tcalc.parse(text, DECLARED).node])
    assert prepare(once) == once


STEPS = {
    "both branches": "where(x{t-1} > 0, sqrt(x{t-1}.^2 + 1), x{t-1}.*y)",
    "one of three": (
        "where(x{t-1} > 1, sqrt(x{t-1}), where(x{t-1} > y, exp(x{t-1}), log(3 - x{t-1})))"
    ),
    "beside": "x{t-1}/2 + where(x{t-1} > 0, sqrt(x{t-1}), 0)",
    "one branch": "where(y > 0, sqrt(x{t-1} + 2), 0)",
    "several of one function": (
        "where(x{t-1} > 0, log(x{t-1}), 0) + where(x{t-1} > y.^2, y.*log(x{t-1}), x{t-1}/2)"
    ),
    "several": (
        "where(x{t-1} > 0, log(x{t-1} + 1), 0) + where(x{t-1} > y, sqrt(x{t-1} - y), x{t-1})"
    ),
    "several, none of them beside": (
        "where(x{t-1} > 0, log(x{t-1} + 1), 0) + where(x{t-1} > y, sqrt(x{t-1} - y), 0)"
    ),
    "several of a function of choices": (
        "z{t} = sqrt(x{t-1} + where(x{t-1} > 1, x{t-1}, 2)); "
        "x{t} = where(x{t-1} > 0, log(z{t}), 0) + where(x{t-1} > y, z{t}, 0)"
    ),
}


def unrolled(step: str, steps: int) -> tcalc.Expression:
    step = step if "x{t} =" in step else f"x{{t}} = {step}"
    text = f"x{{0}} = x; for t = 1:T\n{step}\nend\nsum(x{{T}})"
    return tcalc.parse(text, "x[n], y[n]", T=steps)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_steps_do_not_copy_those_before_them(step):
    few, many = (len(postorder(prepare([unrolled(step, k).node]))) for k in (12, 24))
    assert many < 2.1 * few
    assert many < 2 * len(postorder([unrolled(step, 24).node]))


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_second_preparation_finds_nothing_to_do(step):
    once = prepare([unrolled(step, 5).node])
    assert prepare(once) == once


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_derivatives_of_recurrences_with_branches(step, mode):
    f = unrolled(step, 4)
    x, y = np.array([0.5, 1.75, -0.25, 3.0]), np.array([0.25, -0.5, 1.5, 1.0])
    value, slope = (tcalc.compile(e) for e in (f, tcalc.gradient(f, "x", mode)))
    with np.errstate(all="ignore"):
        due = [(value(x=x + h, y=y) - value(x=x - h, y=y)) / 2e-6 for h in 1e-6 * np.eye(len(x))]
        np.testing.assert_allclose(slope(x=x, y=y), due, rtol=1e-7, atol=1e-8)


def test_long_recurrences_stay_linear():
    def nodes(steps: int) -> int:
        text = "x{0} = x; for t = 1:T\nx{t} = where(y > 0, sqrt(x{t-1}), x{t-1})\nend\nsum(x{T})"
        return len(postorder(prepare([tcalc.parse(text, "x[n], y[n]", T=steps).node])))

    assert nodes(400) < 2.5 * nodes(200)
