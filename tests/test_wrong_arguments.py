"""Arguments of the public functions that are of another kind than they should be."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import tcalc
from tcalc.errors import ArgumentError

f = tcalc.parse("norm2(X*w - y)^2", "X[m,n], w[n], y[m]")
DATA = {"X": [[1.0]], "y": [1.0]}


@pytest.mark.parametrize(
    "call",
    [
        lambda: tcalc.parse(3),
        lambda: tcalc.parse("x", functions=[3]),
        lambda: tcalc.gradient(f, None),
        lambda: tcalc.derivative(f, "w", mode=3),
        lambda: tcalc.compile(None),
        lambda: tcalc.compile(f, backend=3, form="sparse"),
        lambda: tcalc.compile(f, memory_limit="1e9"),
        lambda: tcalc.compile(f, memory_limit=float("nan")),
        lambda: tcalc.check(f, "w", order="2"),
        lambda: tcalc.check(f, "w", directions=0),
        lambda: tcalc.check(f, "w", sizes={"m": "2"}),
        lambda: tcalc.cost(f, "w", order="2"),
        lambda: tcalc.cost(f, "w", sizes={"m": 2.5}),
        lambda: tcalc.cost(f, 3),
        lambda: tcalc.linearize(f, 3),
        lambda: tcalc.hvp(f, "w", several=1.5),
        lambda: tcalc.hvp(f, "w", several=True),
        lambda: tcalc.jvp(f, "w", 3),
        lambda: tcalc.jvp(f, "w", np.ones(3)),
        lambda: tcalc.vjp(f, "w", {"v": 1}),
        lambda: tcalc.hvp(f, "w", [1.0]),
        lambda: tcalc.jvp(f, ["w", "w"]),
        lambda: tcalc.hvp(f, ["w", "w"]),
        lambda: tcalc.vjp(f, "w", ["a", "b"]),
        lambda: tcalc.problem(f, [], DATA),
        lambda: tcalc.problem(f, None, DATA),
        lambda: tcalc.problem(f, ["w", "w"], DATA),
        lambda: tcalc.problem(f, "w", [[[1.0]], [1.0]]),
        lambda: tcalc.problem(f, "w", DATA, bounds=[(0, 1)]),
        lambda: tcalc.problem(f, "w", DATA, bounds={"w": (float("nan"), 1)}),
        lambda: tcalc.problem(f, "w", DATA, bounds={"w": ("a", 1)}),
        lambda: tcalc.problem(f, "w", DATA).minimize(x0="a"),
        lambda: tcalc.problem(f, "w", DATA).minimize(x0={"v": [1.0]}),
        lambda: tcalc.problem(f, "w", DATA).minimize(tolerance=1e-3),
        lambda: tcalc.problem(f, "w", DATA).minimize(args=(1,)),
        lambda: tcalc.elementwise(3, 3, 3),
        lambda: tcalc.function("for", "x[n] -> y[n]", np.sort),
        lambda: tcalc.from_sympy("x"),
        lambda: tcalc.combine(3, a=f),
        lambda: f[0],
        lambda: f ** "a",
    ],
)
def test_what_is_of_the_wrong_kind_is_refused(call):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert caught.value.message


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: tcalc.gradient(f, 2 * tcalc.symbols("w[n]")), "gradient(f, 'x')"),
        (lambda: tcalc.gradient(np.tanh, "x"), 'tcalc.parse("sum(x.^2)")'),
        (lambda: tcalc.compile(f, tcalc.gradient(f, "w")), "compile([f, g])"),
        (lambda: tcalc.combine("sum(w)", f), "x=x"),
        (lambda: tcalc.hvp(f, "w", several=True), "several='k'"),
    ],
)
def test_what_is_given_elsewhere_is_told_what_to_give(call, hint):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert hint in str(caught.value.hint)


class _Refusing:
    """An array of another library that does not hand itself over, as one with gradients."""

    def __array__(self, *arguments: object, **options: object) -> None:
        raise RuntimeError("call detach() first")


def test_numbers_of_python_are_taken_however_exact() -> None:
    g = tcalc.compile(tcalc.parse("c*x", "x[n], c"))
    assert g(x=[3.0], c=Fraction(1, 3)).tolist() == [1.0]
    assert g(x=[1.0], c=10**30).tolist() == [1e30]
    with pytest.raises(ArgumentError, match="range of doubles"):
        g(x=[1.0], c=10**400)
    with pytest.raises(ArgumentError, match="detach"):
        g(x=_Refusing(), c=1)


def test_integers_of_numpy_are_positions_and_sizes() -> None:
    place = np.int64(2)
    x = tcalc.symbols("x[n]")
    assert x[place].node is x[2].node
    assert x[place : np.int64(3)].node is x[2:3].node
    fun = tcalc.compile(x.T @ x)
    assert fun.source_for(n=place) == fun.source_for(n=2)
    assert fun.peak_memory(n=place) == fun.peak_memory(n=2)
    for wrong in (np.bool_(True), np.float64(2), np.int64(0)):
        with pytest.raises(ArgumentError):
            x[wrong]


def test_what_a_callback_raises_is_the_callers() -> None:
    problem = tcalc.problem(f, "w", {"X": [[1.0, 2.0], [2.0, 1.0]], "y": [1.0, 2.0]})
    residuals = tcalc.problem(tcalc.parse("X*w - y"), "w", {"X": [[1.0]], "y": [1.0]})

    def mistaken(progress: object) -> None:
        raise ValueError("a mistake of the caller")

    def stops(progress: object) -> None:
        raise StopIteration

    for run in (problem.minimize, residuals.least_squares):
        with pytest.raises(ValueError, match="a mistake of the caller"):
            run(callback=mistaken)
        assert "ended by the callback" in run(callback=stops).message


def test_residuals_of_no_variables_have_a_jacobian_of_as_many_rows() -> None:
    problem = tcalc.problem(tcalc.parse("X*w - y"), "w", {"X": np.ones((3, 0)), "y": np.ones(3)})
    assert problem.jac(problem.x0).shape == (3, 0)


@pytest.mark.parametrize("seed", [-1, "0", 1.5])
def test_what_is_no_seed(seed):
    f = tcalc.parse("sum(sin(x))")
    with pytest.raises(tcalc.TcalcError, match="the seed is"):
        tcalc.check(f, "x", seed=seed)
    operator = tcalc.hessian_operator(f, "x", {"x": np.ones(2)})
    with pytest.raises(tcalc.TcalcError, match="the seed is"):
        operator.trace(method="hutchinson", seed=seed)


@pytest.mark.parametrize("run", [lambda g, **x: tcalc.compile(g)(**x), tcalc.evaluate])
@pytest.mark.parametrize(
    ("text", "value", "hint"),
    [
        ("sum(w)", np.ones((3, 1)), "a vector has one axis: w.ravel()"),
        ("sum(w)", np.ones((1, 3)), "a vector has one axis: w.ravel()"),
        ("sum(w)", np.ones((2, 3)), "a batch is one more index in the program, w[b,i]"),
        ("sum(A)", np.ones((4, 2, 3)), "a batch is one more index in the program, A[b,i,j]"),
        ("sum(w)", np.ones((4, 2, 3)), None),
        ("c^2", [[2.0]], "a number has no axes: c.item()"),
        ("c^2", [2.0, 3.0], None),
        ("sum(A)", [1.0, 2.0], "a matrix has two axes: A[:, None] is a column, A[None, :] a row"),
    ],
)
def test_arrays_with_another_number_of_axes(run, text, value, hint):
    expression = tcalc.parse(text)
    (name,) = expression.variables
    with pytest.raises(ArgumentError, match="has the shape") as caught:
        run(expression, **{name: value})
    assert caught.value.hint == hint


class _OfCasADi:
    """A matrix that hands itself over, and has `toarray` as sparse ones have, but no type."""

    shape = (2, 1)

    def toarray(self):
        return np.array([[1.0], [2.0]])

    def __array__(self, dtype=None, copy=None):
        return np.array(self.toarray(), dtype)


@pytest.mark.parametrize("run", [lambda g, **x: tcalc.compile(g)(**x), tcalc.evaluate])
def test_matrices_of_other_packages_are_dense(run):
    assert run(tcalc.parse("sum(A)"), A=_OfCasADi()) == 3
    with pytest.raises(ArgumentError, match="has the shape") as caught:
        run(tcalc.parse("sum(w)"), w=_OfCasADi())
    assert caught.value.hint == "a vector has one axis: w.ravel()"
