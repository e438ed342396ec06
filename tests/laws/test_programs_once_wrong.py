"""Programs that once had a wrong value, or none, on one of the ways through tcalc."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc
from tcalc import calculus
from tcalc.simplify import normal, tidy_all


@pytest.mark.parametrize("text", ["diag(A)[2] - 1", "s = A[i,i]*eye(n)[i,2]*x[i]"])
def test_elements_of_diagonals_are_taken(text):
    f = tcalc.parse(text, "A[n,n], x[n]")
    (node,) = normal([f.node])
    values = {"A": np.arange(9.0).reshape(3, 3), "x": np.array([1.0, 3.0, 5.0])}
    found, due = tcalc.evaluate([f.with_node(node), f], **values)
    assert found == due


def test_two_orders_of_the_axes_of_a_sum_end_where_each_leads_to_the_other():
    f = tcalc.parse("logdet(P*P*P' + P)", "P[n,n] spd")
    hessian = tcalc.hessian(f, "P", mode="forward")
    (node,) = normal([hessian.node])
    found, due = tcalc.evaluate([f.with_node(node), hessian], P=[[2.0, 0.5], [0.5, 1.0]])
    np.testing.assert_allclose(found, due, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "z"),
    [
        ("sum(sin(pinv(ones(m)*z')))", [1.0, 2.0]),
        ("sum(sin(pinv(x*ones(k)')))", [1.0, 2.0]),
        ("sum(sin(polar(ones(m)*z')*norm2(z)))", [3.0]),
        ("sum(svdvals(ones(m)*z').^3)", [1.0, 2.0]),
    ],
)
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_functions_of_matrices_with_equal_rows(text, z, mode):
    """Along its rows such a matrix is repeated as along directions, and they are none."""
    f = tcalc.parse(text + " + 0*sum(z)*sum(x)", "z[k], x[m]")
    name = "z" if "z'" in text else "x"
    assert tcalc.check(f, name, data={"z": z, "x": [0.5, -2.0, 0.3]}, mode=mode)


@pytest.mark.parametrize("text", ["norm2(kron(U, logsoftmax(U)) + 1)", "sum((kron(U, U) + 2).^3)"])
def test_kronecker_products_beside_numbers_are_taken_apart(text):
    f = tcalc.parse(text, "U[n,n]")
    hessian = tcalc.hessian(f, "U")
    (node,) = tidy_all([hessian.node])
    found, due = tcalc.evaluate([f.with_node(node), hessian], U=[[2.0, 0.5], [0.3, 1.0]])
    np.testing.assert_allclose(found, due, rtol=1e-12)


def test_a_diagonal_and_a_number_is_taken_for_one_of_low_rank():
    f = tcalc.parse("x'*inv(ones(n,k)*ones(n,k)' + eye(n))*x", "x[n], z[k]")
    x = np.arange(3.0)
    found = tcalc.compile(f)(x=x, z=[1.0, 2.0])
    assert np.isclose(found, x @ np.linalg.inv(2 + np.eye(3)) @ x)


@pytest.mark.parametrize("text", ["inv(F*x*y')", "inv(x*y'*F)", "inv(F*x*y'*F)"])
def test_what_holds_an_axis_of_a_matrix_is_no_number_in_it(text):
    f = tcalc.parse(text, "F[n,n], x[n], y[n]")
    assert str(f).replace("'", "").count("inv(") == 1


@pytest.mark.parametrize("mode", ["least-degree", "forward", "reverse"])
def test_derivatives_that_vanish_behind_an_operator(mode):
    f = tcalc.parse("max((sylvester(S, P, A'))')", "S[n,n] spd, P[m,m] spd, A[m,n]")
    zero = calculus.derivative(f.node, [f.variables["A"]] * 2, mode)
    data = {"S": np.eye(2), "P": np.diag([1.0, 2.0]), "A": [[1.0, 2.0], [3.0, 5.0]]}
    assert not tcalc.evaluate(f.with_node(zero), **data).any()


@pytest.mark.parametrize(
    "text",
    [
        "diag(p)[1:2,:]",
        "diag(p)[:,1:2]",
        "diag(p)[1:2,1:2]",
        "(A*diag(y))[1:2,1:2]",
        "concat(diag(p)[1:1,:], B[2:end,:])",
    ],
)
def test_slices_of_diagonal_matrices_have_two_positions(text):
    f = tcalc.parse(text, "p[n], A[m,n], B[n,n], y[n]")
    again = tcalc.parse(str(f), "p[n], A[m,n], B[n,n], y[n]")
    assert again.shape == f.shape
    data = {"p": [1.0, 2.0, 3.0], "A": np.arange(6.0).reshape(2, 3), "y": [1.0, 0.5, 2.0]}
    data["B"] = np.ones((3, 3))
    np.testing.assert_array_equal(*tcalc.evaluate([f, again], **data))


@pytest.mark.parametrize("mode", ["forward", "reverse", "cross-country"])
def test_a_matrix_for_each_row_is_no_matrix_for_all(mode):
    f = tcalc.parse("R = softmax(A); r[i] = norm2[j](R[i,j]); r", "A[m,n]")
    second = tcalc.derivative(f, "A", "A", mode=mode)
    (node,) = tidy_all([second.node])
    A = np.array([[0.3, -1.0, 0.2], [0.7, 0.1, -0.4]])
    found, due = tcalc.evaluate([f.with_node(node), second], A=A)
    np.testing.assert_allclose(found, due, atol=1e-13)


def test_a_sum_too_long_to_be_multiplied_out_stays():
    long = " + ".join(f"exp({k}*Q)" for k in range(1, 72))
    f = tcalc.parse(
        f"B = 2*P + P'*F + exp(P); B*C + B*F + (B*A + {long})*D",
        ", ".join(f"{name}[n,n]" for name in "PAFCDQ"),
    )
    (node,) = tidy_all([f.node])
    random = np.random.default_rng(0)
    data = {name: 0.1 * random.standard_normal((2, 2)) for name in "PAFCDQ"}
    np.testing.assert_allclose(*tcalc.evaluate([f.with_node(node), f], **data), rtol=1e-12)


def test_powers_of_sizes_read_back():
    f = tcalc.parse("kron(D, D) + eye(n*n) + ones(2*n^2 - n*n, n^2)", "D[n,n]")
    assert str(f) == "kron(D, D) + eye(n^2) + ones(n^2, n^2)"
    assert tcalc.parse(str(f), "D[n,n]").node is f.node
    with pytest.raises(tcalc.TcalcError, match="a size is"):
        tcalc.parse("eye(n^99)", "D[n,n]")


def test_an_element_of_a_range_of_one():
    f = tcalc.parse("concat(x[1:1], y[2:end])[1]", "x[n], y[n]")
    assert str(f) == "x[1]"
    assert str(tcalc.parse("concat(diag(A)[2:2], y)[1]", "A[n,n], y[n]")) == "A[2,2]"


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_code_for_a_sum_of_three_axes_with_a_term_that_lacks_one(mode):
    f = tcalc.parse("H = C*ones(m,n); tr(xlogx(1 + H.^2))", "C[n,m]")
    hessian = tcalc.hessian(f, "C", mode=mode)
    C = np.array([[0.5, 1.0], [-1.0, 0.3], [0.2, 0.1]])
    found, due = tcalc.compile(hessian)(C=C), tcalc.evaluate(hessian, C=C)
    np.testing.assert_allclose(found, due, atol=1e-13)
