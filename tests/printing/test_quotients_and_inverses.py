"""Quotients, pseudo-inverses, powers and residuals, as an expert writes their derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from written_formulas import Formula, reads_so

import tcalc

FORMULAS = [
    Formula(  # a matrix that leaves its range alone
        "norm2(A*pinv(A)*A)^2", "A[m,n]", "A", "2*A"
    ),
    Formula(  # variable projection
        "norm2(A*pinv(A)*b - b)^2",
        "A[m,n], b[m]",
        "b",
        "2*(b - A*pinv(A)*b)",
        "2*(eye(m) - A*pinv(A))",
    ),
    Formula("norm2(A*pinv(A)*b - b)^2", "A[m,n], b[m]", "A", "2*(A*pinv(A)*b - b)*b'*pinv(A)'"),
    Formula("det(X^3)", "X[n,n]", "X", "3*det(X)^2*adj(X)'"),
    Formula("logdet(X*X)", "X[n,n]", "X", "2*inv(X)'"),
    Formula("tr(inv(X*X))", "X[n,n]", "X", "-2*(inv(X)^3)'"),
    Formula(  # rows that represent each other
        "norm2(X - W*X)^2", "W[n,n], X[n,m]", "X", "2*(eye(n) - W')*(eye(n) - W)*X"
    ),
    Formula("norm2(X - W*X)^2", "W[n,n], X[n,m]", "W", "2*(W - eye(n))*X*X'"),
    Formula(  # a linear autoencoder with tied weights
        "norm2(X - X*W*W')^2",
        "W[n,k], X[m,n]",
        "W",
        "2*(X'*X*(W*W' - eye(n)) + (W*W' - eye(n))*X'*X)*W",
    ),
    Formula("norm2(X - X*W*W')^2", "W[n,k], X[m,n]", "X", "2*X*(eye(n) - W*W')^2"),
    Formula(  # an equation of Lyapunov's
        "tr(B*lyap(A - B*K, Q))",
        "A[n,n], Q[n,n], B[n,n], K[n,n]",
        "Q",
        "lyap((A - B*K)', B')",
    ),
    Formula(  # pairs of pictures and texts
        "-tr(logsoftmax(X*Y'/t))/n", "X[n,d], Y[n,d], t", "X", "(softmax(X*Y'/t) - eye(n))*Y/(t*n)"
    ),
    Formula(  # Gini's impurity
        "p = softmax(x); 1 - sum(p.^2)",
        "x[n]",
        "x",
        "2*softmax(x).*(norm2(softmax(x))^2 - softmax(x))",
    ),
    Formula(  # two dipoles
        "(3*(m'*x)*(n'*x)/norm2(x)^2 - m'*n)/norm2(x)^3",
        "m[3], n[3], x[3]",
        "x",
        "3*(m'*x*n + n'*x*m + (m'*n - 5*m'*x*n'*x/norm2(x)^2)*x)/norm2(x)^5",
    ),
    Formula(  # three factors
        "(a'*x)*(b'*x)*(c'*x)",
        "x[n], a[n], b[n], c[n]",
        "x",
        "a'*x*b'*x*c + c'*x*(a'*x*b + b'*x*a)",
        "a'*x*(b*c' + c*b') + b'*x*(a*c' + c*a') + c'*x*(a*b' + b*a')",
    ),
    Formula(  # a spring
        "k*(norm2(x - y) - l)^2/2",
        "k, l, x[3], y[3]",
        "x",
        "k*(l/norm2(x - y) - 1)*(y - x)",
        "k*((1 - l/norm2(x - y))*eye(3) + l*(x - y)*(x - y)'/norm2(x - y)^3)",
    ),
    Formula(  # the stress of a map
        "E[i,j] = (X[i,k] - X[j,k])^2; sum((sqrt(E) - D).^2)",
        "X[n,d], D[n,n] symmetric",
        "X",
        "t1 = sqrt(diag(X*X')*ones(n)' + ones(n)*diag(X*X')' - 2*X*X')\n"
        "4*(diag(((t1 - D).*reciprocal0(t1))*ones(n)) - (t1 - D).*reciprocal0(t1))*X",
    ),
]

VALUES = {
    ("(w'*d)^2/(w'*S*w)", "w[n], d[n], S[n,n] spd"): "(w'*d)^2/(w'*S*w)",
    ("(3*(m'*x)*(n'*x) - m'*n)/norm2(x)^3", "m[3], n[3], x[3]"): (
        "(3*m'*x*n'*x - m'*n)/norm2(x)^3"
    ),
    ("x = (A'*A + l*eye(n)) \\ (A'*b); norm2(A*x - b)^2 + l*norm2(x)^2", "A[m,n], b[m], l"): (
        "(b - A*inv(A'*A + l*eye(n))*A'*b)'*b"
    ),
    ("p = sigmoid(x); diag(p - p.^2)", "x[n]"): "diag(sigmoid(x).*(1 - sigmoid(x)))",
    ("tr(logsoftmax(Z))", "Z[n,n]"): "tr(logsoftmax(Z))",
    ("B*pinv(B)*B + pinv(B)'*B'*B", "B[m,n]"): "2*B",
    ("A'*A*pinv(A)", "A[m,n]"): "A'",
    ("S*pinv(S)*S", "S[n,n] symmetric"): "S",
    ("sum(A.*(x*ones(n)' - ones(n)*x').^2)", "A[n,n] symmetric, x[n]"): (
        "sum(A.*(x*ones(n)' - ones(n)*x').^2)"
    ),
    ("adj(X)*X", "X[n,n]"): "det(X)*eye(n)",
}


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.text)
def test_derivatives_read_as_an_expert_writes_them(formula: Formula) -> None:
    reads_so(formula)


@pytest.mark.parametrize(("source", "written"), VALUES.items(), ids=str)
def test_values_read_as_they_were_given_or_shorter(source: tuple[str, str], written: str) -> None:
    assert str(tcalc.parse(*source)) == written


@pytest.mark.parametrize(
    "distance",
    ["norm2[k](X[i,k] - X[j,k])", "sqrt((X[i,k] - X[j,k])^2)", "norm2[k](X[j,k] - X[i,k])"],
)
def test_written_derivatives_by_distances_of_all_pairs_can_be_evaluated(distance: str) -> None:
    declared = "X[n,d], D[n,n] symmetric"
    gradient = tcalc.gradient(tcalc.parse(f"E[i,j] = {distance}; sum((E - D).^2)", declared), "X")
    X = np.array([[1.0, 2.0], [4.0, 6.0], [0.0, 0.5]])
    D = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]])
    found = tcalc.evaluate(tcalc.parse(str(gradient), declared), X=X, D=D)
    np.testing.assert_allclose(found, tcalc.evaluate(gradient, X=X, D=D), rtol=1e-12)
