"""Formulas of models in economics, physics and machine learning, as an expert writes them."""

from __future__ import annotations

import pytest
from written_formulas import Formula, reads_so

FORMULAS = [
    Formula(  # constant relative risk aversion
        "sum((1 + R*w).^(1 - g))/(1 - g)",
        "R[m,n], w[n], g",
        "w",
        "R'*(1 + R*w).^(-g)",
        "-g*R'*diag((1 + R*w).^(-(1 + g)))*R",
    ),
    Formula(  # a penalty that tends to the number of elements
        "sum((x.^2 + e).^(p/2))",
        "x[n], e, p",
        "x",
        "p*x.*(x.^2 + e).^((p - 2)/2)",
    ),
    Formula(  # the rational quadratic kernel
        "(1 + norm2(x - y)^2/(2*a*l^2))^(-a)",
        "x[n], y[n], a, l",
        "x",
        "(1 + norm2(x - y)^2/(2*a*l^2))^(-a - 1)*(y - x)/l^2",
    ),
    Formula(  # Tukey's loss, whose Hessian changes its sign
        "sum(c^2/6*(1 - (1 - (X*w - y).^2/c^2).^3))",
        "X[m,n], w[n], y[m], c",
        "w",
        "X'*((X*w - y).*(1 - (X*w - y).^2/c^2).^2)",
        "X'*diag(((X*w - y).^2/c^2 - 1).*(5*(X*w - y).^2/c^2 - 1))*X",
    ),
    Formula(  # the focal loss
        "-sum(y.*(1 - sigmoid(X*w)).^g.*log(sigmoid(X*w)))",
        "X[m,n], w[n], y[m], g",
        "w",
        "-X'*(y.*(1 + (g*softplus(-X*w) - 1).*sigmoid(X*w)).*(1 - sigmoid(X*w)).^g)",
    ),
    Formula(  # a gated unit
        "v'*((A*x).*sigmoid(A*x).*(B*x))",
        "v[m], x[n], A[m,n], B[m,n]",
        "A",
        "(v.*(B*x).*(1 + (A*x).*(1 - sigmoid(A*x))).*sigmoid(A*x))*x'",
    ),
    Formula(  # the entropy of a coin
        "p = sigmoid(w'*x); -p*log(p) - (1 - p)*log(1 - p)",
        "w[n], x[n]",
        "w",
        "sigmoid(w'*x)*(1 - sigmoid(w'*x))*(softplus(-w'*x) - softplus(w'*x))*x",
    ),
    Formula(  # an embedding of neighbours that repels by Student's distribution
        "D[i,j] = (Y[i,k] - Y[j,k])^2; sum(V.*log(1 + a*D))",
        "Y[m,n], V[m,m] symmetric, a",
        "Y",
        "4*a*(diag((V./(1 + a*(diag(Y*Y')*ones(m)' + ones(m)*diag(Y*Y')' - 2*Y*Y')))*ones(m))"
        " - V./(1 + a*(diag(Y*Y')*ones(m)' + ones(m)*diag(Y*Y')' - 2*Y*Y')))*Y",
    ),
    Formula(  # positions by their distances from known ones
        "(norm2(x - a) - d)^2",
        "x[n], a[n], d",
        "x",
        "2*(d/norm2(x - a) - 1)*(a - x)",
        "2*((1 - d/norm2(x - a))*eye(n) + d*(x - a)*(x - a)'/norm2(x - a)^3)",
    ),
    Formula(  # Lennard and Jones's potential
        "4*e*((s/norm2(x - y))^12 - (s/norm2(x - y))^6)",
        "e, s, x[3], y[3]",
        "x",
        "24*e*(2*s^12/norm2(x - y)^14 - s^6/norm2(x - y)^8)*(y - x)",
        "24*e*((s^6/norm2(x - y)^8 - 2*s^12/norm2(x - y)^14)*eye(3)"
        " + 4*(7*s^12/norm2(x - y)^16 - 2*s^6/norm2(x - y)^10)*(x - y)*(x - y)')",
    ),
    Formula(  # the free energy of a state in equilibrium
        "log(tr(expm(-b*H)))",
        "b, H[n,n] symmetric",
        "H",
        "-b*expm(-b*H)/tr(expm(-b*H))",
    ),
    Formula(  # Hencky's solid
        "m*norm2(logm(C))^2/4 + l/8*tr(logm(C))^2",
        "C[3,3] spd, m, l",
        "C",
        "inv(C)*(2*m*logm(C) + l*tr(logm(C))*eye(3))/4",
    ),
    Formula(  # the fidelity of a mixed state and the maximally mixed one
        "tr(sqrtm(X))^2", "X[n,n] spd", "X", "tr(sqrtm(X))*inv(sqrtm(X))"
    ),
    Formula(  # features that are not correlated
        "norm2(X'*X)^2 - norm2(diag(X'*X))^2",
        "X[m,n]",
        "X",
        "4*X*(X'*X - diag((X.^2)'*ones(m)))",
    ),
    Formula(  # the residual of Bellman's equation
        "norm2(v - r - g*P*v)^2",
        "v[n], r[n], g, P[n,n]",
        "v",
        "2*(g*P' - eye(n))*(r + g*P*v - v)",
        "2*(g*P' - eye(n))*(g*P - eye(n))",
    ),
    Formula(  # an implicit step of Euler's method
        "norm2(x - y - h*A*x)^2/2",
        "x[n], y[n], h, A[n,n]",
        "x",
        "(h*A' - eye(n))*(y + h*A*x - x)",
    ),
    Formula(  # the variance after an update of a Kalman filter
        "tr(P - P*H'*inv(H*P*H' + R)*H*P)",
        "H[k,n], P[n,n] spd, R[k,k] spd",
        "P",
        "(eye(n) - H'*inv(R + H*P*H')*H*P)*(eye(n) - P*H'*inv(R + H*P*H')*H)",
    ),
    Formula(  # the residual of ridge regression, by what is regressed
        "x = (A'*A + l*eye(n)) \\ (A'*b); norm2(A*x - b)^2",
        "A[m,n], b[m], l",
        "b",
        "2*(A*inv(A'*A + l*eye(n))*A' - eye(m))*(A*inv(A'*A + l*eye(n))*A'*b - b)",
        "2*(eye(m) - A*inv(A'*A + l*eye(n))*A')^2",
    ),
    Formula(  # a divergence with a power of its own
        "sum(x.^a.*y.^(1 - a))/(1 - a)^2",
        "x[n] positive, y[n] positive, a",
        "y",
        "x.^a.*y.^(-a)/(1 - a)",
    ),
    Formula(  # comparisons in pairs, with a definition and its negative
        "z[i,j] = log(sigmoid(b[i] - b[j])); -sum(W.*z)",
        "W[n,n], b[n]",
        "b",
        "diag(W'*sigmoid(ones(n)*b' - b*ones(n)')) - diag(W*sigmoid(ones(n)*b' - b*ones(n)')')",
        "t1 = sigmoid(b*ones(n)' - ones(n)*b').*sigmoid(ones(n)*b' - b*ones(n)')\n"
        "diag(diag(W'*t1) + diag(W*t1')) - W.*t1 - (W.*t1)'",
    ),
]


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.text)
def test_derivatives_read_as_an_expert_writes_them(formula: Formula) -> None:
    reads_so(formula)
