"""Linear maps at a point, as operators of SciPy, against dense derivatives."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc
from tcalc import gallery

F = tcalc.parse("y = tanh(W*x + b); y./norm2(y)", "W[m,n], x[n], b[m]")
f = tcalc.parse("K = A*A' + eye(n); logdet(K) + y'*(K\\y)", "A[n,k], y[n]")
RANDOM = np.random.default_rng(5)
DATA = {
    "W": RANDOM.standard_normal((4, 3)),
    "x": RANDOM.standard_normal(3),
    "b": RANDOM.standard_normal(4),
}
MATRIX = {"A": RANDOM.standard_normal((4, 2)), "y": RANDOM.standard_normal(4)}


def test_jacobian_and_its_transpose() -> None:
    point = tcalc.linearize(F, at=DATA)
    for name in ("W", "x", "b"):
        J = point.jacobian(input=name)
        dense = tcalc.evaluate(tcalc.jacobian(F, name), **DATA).reshape(J.shape)
        np.testing.assert_allclose(J @ np.eye(J.shape[1]), dense, atol=1e-12)
        np.testing.assert_allclose(J.T @ np.eye(J.shape[0]), dense.T, atol=1e-12)
        v = np.arange(J.shape[1], dtype=float)
        np.testing.assert_allclose(J @ v, dense @ v, atol=1e-12)
        np.testing.assert_allclose(J.rmatvec(dense[:, 0]), dense.T @ dense[:, 0], atol=1e-12)


def test_hessian() -> None:
    point = tcalc.linearize(f, at=MATRIX)
    for pair in (("A", "A"), ("A", "y"), ("y", "A")):
        H = point.hessian(*pair)
        dense = tcalc.evaluate(tcalc.hessian(f, *pair), **MATRIX).reshape(H.shape)
        np.testing.assert_allclose(H @ np.eye(H.shape[1]), dense, atol=1e-10)
        np.testing.assert_allclose(H.T @ np.eye(H.shape[0]), dense.T, atol=1e-10)


def test_directions_and_cotangents_by_name() -> None:
    point = tcalc.linearize(F, ["x", "b"], at=DATA)
    J = {name: tcalc.evaluate(tcalc.jacobian(F, name), **DATA) for name in ("x", "b")}
    dx, db = np.ones(3), np.arange(4.0)
    (moved,) = point.forward({"x": dx, "b": db}).values()
    np.testing.assert_allclose(moved, J["x"] @ dx + J["b"] @ db, atol=1e-12)
    several = point.forward({"x": np.eye(3)})["F"]
    np.testing.assert_allclose(several, J["x"], atol=1e-12)
    back = point.reverse({"F": np.eye(4)})
    np.testing.assert_allclose(back["b"].T, J["b"], atol=1e-12)
    np.testing.assert_allclose(point.values["F"], tcalc.evaluate(F, **DATA))


def test_structured_inputs_move_in_their_subspace() -> None:
    g = tcalc.parse("logdet(K)", "K[n,n] spd")
    K = np.array([[3.0, 1.0], [1.0, 2.0]])
    point = tcalc.linearize(g, at={"K": K})
    E = np.array([[0.0, 1.0], [0.0, 0.0]])
    moved = point.forward({"K": E})["f"]
    np.testing.assert_allclose(moved, np.linalg.inv(K)[0, 1])
    np.testing.assert_allclose(point.reverse({"f": 1.0})["K"], np.linalg.inv(K))


@pytest.mark.parametrize("name", gallery.names())
def test_gallery(name: str) -> None:
    model = gallery.load(name)
    function = tcalc.parse(model.text)
    if function.shape:
        function = tcalc.combine("sum(F)", F=function)
    data = gallery.make_data(name)
    point = tcalc.linearize(function, list(model.wrt), at=data)
    gradients = tcalc.compile(list(tcalc.gradient(function, list(model.wrt)).values()))(**data)
    (output,) = point.outputs
    found = point.reverse({output: 1.0})
    for gradient, wrt in zip(gradients, model.wrt, strict=True):
        np.testing.assert_allclose(found[wrt], gradient, rtol=1e-9, atol=1e-10)
    assert tcalc.linearize(function, list(model.wrt)).text(limit=None)


def test_sizes_that_only_the_result_has() -> None:
    g = tcalc.parse("s*ones(n) + 0*x", "s, x[n]")
    point = tcalc.linearize(g, "s", at={"s": 2.0, "x": np.ones(3)})
    np.testing.assert_array_equal(point.jacobian() @ [2.0], [2.0, 2.0, 2.0])


def test_bad_input() -> None:
    point = tcalc.linearize(F, at=DATA)
    with pytest.raises(tcalc.TcalcError, match="say which input"):
        point.jacobian()
    with pytest.raises(tcalc.TcalcError, match="there is no input 'q'"):
        point.jacobian(input="q")
    with pytest.raises(tcalc.TcalcError, match=r"x has the shape \(2,\), and should have \(3,\)"):
        point.forward({"x": np.ones(2)})
    with pytest.raises(tcalc.TcalcError, match="at least one output"):
        point.reverse({})
    with pytest.raises(tcalc.TcalcError, match="different numbers"):
        point.forward({"x": np.ones((3, 2)), "b": np.ones(4)})
    with pytest.raises(tcalc.TcalcError, match="one scalar function"):
        point.hessian("x")
    with pytest.raises(tcalc.TcalcError, match="W"):
        tcalc.linearize(F, at={"x": np.ones(3)})
    with pytest.raises(tcalc.TcalcError, match="'z' is not a variable"):
        tcalc.linearize(F, "z")
    with pytest.raises(tcalc.TcalcError, match=r"tcalc\.parse makes one"):
        tcalc.linearize("x'*x")
    with pytest.raises(tcalc.TcalcError, match="no steps"):
        tcalc.linearize(F, steps="few")
    with pytest.raises(tcalc.TcalcError, match="no variable"):
        tcalc.linearize(tcalc.parse("1 + 2"))
    with pytest.raises(tcalc.TcalcError, match="there is no output 'q'"):
        tcalc.linearize(F).reverse(q="u")
    with pytest.raises(tcalc.TcalcError, match="scalar output"):
        tcalc.linearize(F).reverse()
    with pytest.raises(tcalc.TcalcError, match=r"of the shape \[n\] is needed"):
        tcalc.linearize(F).forward(x="W")
    with pytest.raises(tcalc.TcalcError, match=r"v\[.*\] is an input already"):
        tcalc.linearize(F).forward(W="v", x="v")


@pytest.mark.parametrize(("text", "pair"), [("A*x", "x"), ("a*x", "x"), ("x + y", "x")])
def test_the_hessian_of_a_linear_function_is_zero(text: str, pair: str) -> None:
    """Its gradient does not depend on what is moved."""
    data = {"A": np.ones((2, 3)), "x": np.ones(3), "y": np.ones(3), "a": 2.0}
    linear = tcalc.parse(f"sum({text})", "A[m,n], x[n], y[n], a")
    point = tcalc.linearize(linear, at={name: data[name] for name in linear.variables})
    H = point.hessian(pair)
    np.testing.assert_array_equal(H @ np.eye(3), np.zeros((3, 3)))
    np.testing.assert_array_equal(H.T @ np.ones(3), np.zeros(3))


@pytest.mark.parametrize("kind", ["symmetric", "lower", "diagonal"])
def test_an_output_that_is_an_input_moves_as_that_can(kind: str) -> None:
    S = tcalc.parse("S", f"S[n,n] {kind}")
    due = tcalc.evaluate(tcalc.jacobian(S, "S"), S=np.eye(3)).reshape(9, 9)
    point = tcalc.linearize(S, at={"S": np.eye(3)})
    J = point.jacobian()
    np.testing.assert_array_equal(J @ np.eye(9), due)
    np.testing.assert_array_equal(J.T @ np.eye(9), due.T)
    u = np.arange(9.0)
    (found,) = point.reverse({point.outputs[0]: u.reshape(3, 3)}).values()
    np.testing.assert_array_equal(found.reshape(9), u @ due)


def test_an_output_that_depends_on_no_input() -> None:
    lin = tcalc.linearize({"f": tcalc.parse("2", "x[n]"), "g": tcalc.parse("x'*x", "x[n]")}, ["x"])
    x = np.array([1.0, -2.0, 3.0])
    point = lin.at(x=x)
    np.testing.assert_array_equal(point.jacobian("f", "x") @ np.eye(3), np.zeros((1, 3)))
    np.testing.assert_array_equal(point.jacobian("g", "x") @ np.eye(3), 2 * x[None])
    assert "df = 0" in str(lin)
    alone = tcalc.linearize(tcalc.parse("2", "x[n]"), ["x"])
    assert "x_bar = 0" in str(alone)
    point = alone.at(x=x)
    np.testing.assert_array_equal(point.jacobian("f", "x") @ np.eye(3), np.zeros((1, 3)))


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (0, 0), (2, 3)])
def test_axes_of_no_elements_and_no_directions(sizes: tuple[int, int]) -> None:
    f = tcalc.parse("sin(A*x)", "A[m,n], x[n]")
    data = {"A": np.ones(sizes), "x": np.ones(sizes[1])}
    point = tcalc.linearize(f, "x", at=data)
    due = tcalc.evaluate(tcalc.jacobian(f, "x"), **data)
    J = point.jacobian()
    m, n = sizes
    np.testing.assert_array_equal(J @ np.ones(n), due @ np.ones(n))
    np.testing.assert_array_equal(J.T @ np.ones(m), due.T @ np.ones(m))
    for count in (0, 2):
        np.testing.assert_array_equal(J @ np.ones((n, count)), due @ np.ones((n, count)))
        np.testing.assert_array_equal(J.T @ np.ones((m, count)), due.T @ np.ones((m, count)))
        (moved,) = point.forward({"x": np.ones((n, count))}).values()
        assert moved.shape == (m, count)


@pytest.mark.parametrize("text", ["sum(sin(polar(A)))", "U, s, V = svd(A); sum(sin(U*V'.*s[1]))"])
def test_second_derivatives_of_functions_of_singular_values(text: str) -> None:
    f = tcalc.parse(text, "A[m,n]")
    data = {"A": np.array([[1.0, 0.5], [0.2, -2.0], [0.3, 0.1]])}
    due = tcalc.evaluate(tcalc.hessian(f, "A"), **data).reshape(6, 6)
    np.testing.assert_allclose(tcalc.linearize(f, at=data).hessian() @ np.eye(6), due, atol=1e-12)
    g = tcalc.gradient(f, "A")
    J = tcalc.linearize(g, "A", at=data).jacobian()
    np.testing.assert_allclose(J @ np.eye(6), due, atol=1e-12)
    squared = tcalc.combine("norm2(g)^2", g=g)
    assert "A_bar" in str(tcalc.explain(squared, "A"))
