"""Formulas of the kind that stand in papers: gradients and Hessians as an expert writes them."""

from __future__ import annotations

import pytest
from written_formulas import Formula, reads_so

import tcalc

FORMULAS = [
    Formula(  # ridge regression
        "norm2(X*w - y)^2 + l*norm2(w)^2",
        "X[m,n], y[m], w[n], l",
        "w",
        "2*(l*w + X'*(X*w - y))",
        "2*(X'*X + l*eye(n))",
    ),
    Formula(  # a kinematic chain, as a product of exponentials
        "c'*expm(s*A)*M*expm(t*B)*p",
        "c[4], A[4,4], M[4,4], B[4,4], p[4], s, t",
        "s",
        "c'*expm(s*A)*A*M*expm(t*B)*p",
        "c'*A^2*expm(s*A)*M*expm(t*B)*p",
    ),
    Formula(  # the volume of space of constant curvature, in which unit matrices have an inverse
        "tr(inv(4*eye(n)/(1 + norm2(x)^2)^2)*S)",
        "x[n], S[n,n]",
        "x",
        "(1 + x'*x)*tr(S)*x",
    ),
    Formula(  # the lasso, smoothed
        "norm2(X*w - y)^2/2 + l*sum(sqrt(w.^2 + e))",
        "X[m,n], y[m], w[n], l, e",
        "w",
        "X'*(X*w - y) + l*w./sqrt(w.^2 + e)",
        "X'*X + l*e*diag(1./(w.^2 + e).^(3/2))",
    ),
    Formula(  # binary cross-entropy
        "-sum(y.*log(sigmoid(X*w)) + (1 - y).*log(1 - sigmoid(X*w)))",
        "X[m,n], y[m], w[n]",
        "w",
        "X'*(sigmoid(X*w) - y)",
        "X'*diag(sigmoid(X*w).*(1 - sigmoid(X*w)))*X",
    ),
    Formula(  # cross-entropy
        "-y'*log(softmax(x))",
        "x[n], y[n]",
        "x",
        "sum(y)*softmax(x) - y",
        "sum(y)*(diag(softmax(x)) - softmax(x)*softmax(x)')",
    ),
    Formula(  # softmax regression
        "-sum(Y.*log(softmax(X*W)))",
        "X[m,n], Y[m,k], W[n,k]",
        "W",
        "X'*(diag(Y*ones(k))*softmax(X*W) - Y)",
    ),
    Formula(  # the entropy of softmax
        "-sum(softmax(x).*log(softmax(x)))",
        "x[n]",
        "x",
        "softmax(x).*(x'*softmax(x) - x)",
        "(x.*softmax(x))*softmax(x)' + softmax(x)*(x.*softmax(x))'"
        " + (1 - 2*x'*softmax(x))*softmax(x)*softmax(x)'"
        " - diag(softmax(x).*(1 + x - x'*softmax(x)))",
    ),
    Formula(  # the contrastive loss
        "-log(exp(z'*p/t)/(exp(z'*p/t) + sum(exp(N*z/t))))",
        "z[d], p[d], N[k,d], t",
        "z",
        "((N'*exp(N*z/t) + exp(z'*p/t)*p)/(sum(exp(N*z/t)) + exp(z'*p/t)) - p)/t",
    ),
    Formula(
        "log(sum(exp(A*x + b)))",
        "A[m,n], x[n], b[m]",
        "x",
        "A'*softmax(A*x + b)",
        "A'*(diag(softmax(A*x + b)) - softmax(A*x + b)*softmax(A*x + b)')*A",
    ),
    Formula(  # Huber's loss
        "sum(where(abs(r) < d, r.^2/2, d*(abs(r) - d/2)))",
        "r[n], d",
        "r",
        "where(abs(r) < d, r, d*sign(r))",
        "diag(where(abs(r) < d, 1, 0))",
    ),
    Formula(
        "sum(d^2*(sqrt(1 + (r/d).^2) - 1))",
        "r[n], d",
        "r",
        "r./sqrt(1 + r.^2/d^2)",
        "diag(1./(1 + r.^2/d^2).^(3/2))",
    ),
    Formula(  # the marginal likelihood of a Gaussian process, by its noise
        "logdet(K + s*eye(n)) + y'*inv(K + s*eye(n))*y",
        "K[n,n] spd, y[n], s",
        "s",
        "tr(inv(K + s*eye(n))) - y'*inv(K + s*eye(n))^2*y",
    ),
    Formula(  # the divergence of two Gaussians
        "(tr(inv(S)*T) + (m - u)'*inv(S)*(m - u) - n + logdet(S) - logdet(T))/2",
        "S[n,n] spd, T[n,n] spd, m[n], u[n]",
        "S",
        "(inv(S) - inv(S)*(T + (m - u)*(m - u)')*inv(S))/2",
    ),
    Formula(  # the density of Wishart's distribution
        "(v - n - 1)/2*logdet(X) - tr(inv(V)*X)/2 - v/2*logdet(V)",
        "X[n,n] spd, V[n,n] spd, v",
        "V",
        "(inv(V)*X*inv(V) - v*inv(V))/2",
    ),
    Formula(
        "log(exp(-(x - m)^2/(2*s^2))/sqrt(2*pi*s^2))",
        "x, m, s",
        "m",
        "(x - m)/s^2",
        "-1/s^2",
    ),
    Formula("log(prod(x))", "x[n]", "x", "1./x", "-diag(1./x.^2)"),
    Formula("log(det(kron(A, B)))", "A[m,m] spd, B[n,n] spd", "A", "n*inv(A)"),
    Formula("det(kron(A, B))", "A[m,m], B[n,n]", "A", "n*det(A)^(n - 1)*det(B)^m*adj(A)'"),
    Formula(  # Rayleigh's quotient
        "(x'*A*x)/(x'*x)",
        "A[n,n] symmetric, x[n]",
        "x",
        "2*(A*x - x'*A*x*x/(x'*x))/(x'*x)",
    ),
    Formula(  # Mahalanobis' distance
        "sqrt((x - m)'*inv(S)*(x - m))",
        "x[n], m[n], S[n,n] spd",
        "x",
        "inv(S)*(x - m)/sqrt((x - m)'*inv(S)*(x - m))",
    ),
    Formula(
        "exp(-norm2(x - y)^2/s)",
        "x[n], y[n], s",
        "x",
        "2*exp(-norm2(x - y)^2/s)*(y - x)/s",
        "2*exp(-norm2(x - y)^2/s)*(2*(x - y)*(x - y)'/s - eye(n))/s",
    ),
    Formula(  # cosine similarity
        "x'*y/(norm2(x)*norm2(y))",
        "x[n], y[n]",
        "x",
        "(y - x'*y*x/norm2(x)^2)/(norm2(x)*norm2(y))",
    ),
    Formula(  # attention of one query
        "V'*softmax(K*q)",
        "q[d], K[n,d], V[n,k]",
        "q",
        "V'*(diag(softmax(K*q)) - softmax(K*q)*softmax(K*q)')*K",
    ),
    Formula(  # a net of two layers
        "norm2(tanh(X*W)*v - y)^2",
        "X[m,n], W[n,k], v[k], y[m]",
        "v",
        "2*tanh(X*W)'*(tanh(X*W)*v - y)",
        "2*tanh(X*W)'*tanh(X*W)",
    ),
    Formula(  # Procrustes' problem
        "norm2(A*Q - B)^2", "A[m,n], B[m,n], Q[n,n]", "Q", "2*A'*(A*Q - B)"
    ),
    Formula(  # matrix factorisation
        "norm2(A - U*V')^2 + l*(norm2(U)^2 + norm2(V)^2)",
        "A[m,n], U[m,k], V[n,k], l",
        "U",
        "2*(l*U + (U*V' - A)*V)",
    ),
    Formula(  # generalised least squares
        "(y - X*w)'*inv(S)*(y - X*w)",
        "X[m,n], y[m], w[n], S[m,m] spd",
        "w",
        "2*X'*inv(S)*(X*w - y)",
        "2*X'*inv(S)*X",
    ),
    Formula(  # risk parity
        "w'*S*w/2 - b'*log(w)",
        "w[n], S[n,n] symmetric, b[n]",
        "w",
        "S*w - b./w",
        "S + diag(b./w.^2)",
    ),
    Formula(  # optimal design
        "-logdet(X'*diag(w)*X)",
        "X[m,n], w[m]",
        "w",
        "-diag(X*inv(X'*diag(w)*X)*X')",
        "(X*inv(X'*diag(w)*X)*X').^2",
    ),
    Formula(  # the barrier of a linear program
        "c'*x - m*sum(log(b - A*x))",
        "c[n], x[n], A[k,n], b[k], m",
        "x",
        "c + m*A'*(1./(b - A*x))",
        "m*A'*diag(1./(b - A*x).^2)*A",
    ),
    Formula(  # the entropy of a Gaussian
        "logdet(2*pi*S)/2", "S[n,n] spd", "S", "inv(S)/2"
    ),
    Formula(  # the divergence of Jensen, Bregman and the logarithm of the determinant
        "logdet((A + B)/2) - (logdet(A) + logdet(B))/2",
        "A[n,n] spd, B[n,n] spd",
        "A",
        "inv(A + B) - inv(A)/2",
    ),
    Formula(  # Stein's loss
        "tr(S*inv(T)) - logdet(S*inv(T)) - n",
        "S[n,n] spd, T[n,n] spd",
        "T",
        "inv(T)*(T - S)*inv(T)",
    ),
    Formula(  # the cross-entropy of one class
        "-log(softmax(x)[3])",
        "x[n]",
        "x",
        "softmax(x) - eye(n)[:,3]",
        "diag(softmax(x)) - softmax(x)*softmax(x)'",
    ),
    Formula(  # a sum of hyperbolas
        "sum(sqrt(1 + (A*x).^2))",
        "A[m,n], x[n]",
        "x",
        "A'*((A*x)./sqrt(1 + (A*x).^2))",
        "A'*diag(1./(1 + (A*x).^2).^(3/2))*A",
    ),
    Formula(  # the squared correlation
        "(x'*y)^2/(x'*x*(y'*y))",
        "x[n], y[n]",
        "x",
        "2*(x'*y*y - (x'*y)^2*x/(x'*x))/((x'*x)*(y'*y))",
    ),
    Formula(  # the profile likelihood of a regression
        "n*log(norm2(y - X*b)^2/n)",
        "y[n], X[n,p], b[p]",
        "b",
        "2*n*X'*(X*b - y)/norm2(y - X*b)^2",
    ),
    Formula(  # an augmented Lagrangian
        "x'*Q*x/2 + c'*x + y'*(A*x - b) + r/2*norm2(A*x - b)^2",
        "Q[n,n] symmetric, c[n], x[n], y[m], A[m,n], b[m], r",
        "x",
        "Q*x + c + A'*(y + r*(A*x - b))",
        "Q + r*A'*A",
    ),
    Formula(  # neighbours that differ little
        "norm2(x[2:end] - x[1:end-1])^2",
        "x[n]",
        "x",
        "2*(eye(n)[1:end-1,:] - eye(n)[2:end,:])'*(x[1:end-1] - x[2:end])",
        "2*(eye(n)[2:end,:] - eye(n)[1:end-1,:])'*(eye(n)[2:end,:] - eye(n)[1:end-1,:])",
    ),
    Formula(  # a cubic form
        "s = T[a,b,c]*x[a]*x[b]*x[c]",
        "T[n,n,n], x[n]",
        "x",
        "R[a] = (T[a,b,c] + T[b,a,c] + T[b,c,a])*x[b]*x[c]",
        "R[a,b] = (T[a,b,c] + T[a,c,b] + T[b,a,c] + T[b,c,a] + T[c,a,b] + T[c,b,a])*x[c]",
    ),
    Formula(  # a quartic form
        "s = T[a,b,c,d]*x[a]*x[b]*x[c]*x[d]",
        "T[n,n,n,n], x[n]",
        "x",
        "R[a] = (T[a,b,c,d] + T[b,a,c,d] + T[b,c,a,d] + T[b,c,d,a])*x[b]*x[c]*x[d]",
    ),
    Formula(  # a residual of a filter
        "norm2(x - K*(z - H*x))^2",
        "K[n,m], H[m,n], x[n], z[m]",
        "x",
        "2*((K*H)' + eye(n))*(x + K*(H*x - z))",
    ),
    Formula(  # the density of Wishart's distribution, in its argument
        "(v - n - 1)/2*logdet(X) - tr(inv(V)*X)/2",
        "X[n,n] spd, V[n,n] spd, v",
        "X",
        "((v - n - 1)*inv(X) - inv(V))/2",
    ),
    Formula(  # the Laplacian of a graph with weights in both directions
        "x'*(diag(W*vector(1)) - W)*x",
        "W[n,n], x[n]",
        "x",
        "(2*diag(W*ones(n)) - W - W')*x",
        "2*diag(W*ones(n)) - W - W'",
    ),
    Formula(  # a Poisson likelihood
        "sum(x.*log(x./(A*y))) - sum(x) + sum(A*y)",
        "x[m], A[m,n], y[n]",
        "y",
        "A'*(1 - x./(A*y))",
        "A'*diag(x./(A*y).^2)*A",
    ),
    Formula(  # the mean field of Ising's model
        "m'*J*m/2 + h'*m - sum((1 + m)/2.*log((1 + m)/2) + (1 - m)/2.*log((1 - m)/2))",
        "m[n], J[n,n] symmetric, h[n]",
        "m",
        "J*m + h - atanh(m)",
        "J - diag(1./((1 + m).*(1 - m)))",
    ),
    Formula(  # attention, all queries at once
        "tr(V'*softmax(Q*K'/sqrt(d)))",
        "Q[n,d], K[n,d], V[n,n]",
        "Q",
        "(V.*softmax(Q*K'/sqrt(d))"
        " - diag((V.*softmax(Q*K'/sqrt(d)))*ones(n))*softmax(Q*K'/sqrt(d)))*K/sqrt(d)",
    ),
    Formula(  # the energy of a graph
        "f = W[i,j]*(x[i] - x[j])^2/2",
        "W[n,n] symmetric, x[n]",
        "x",
        "2*(diag(W*ones(n)) - W)*x",
        "2*(diag(W*ones(n)) - W)",
    ),
    Formula(
        "f = W[i,j]*(X[i,k] - X[j,k])^2/2",
        "W[n,n] symmetric, X[n,d]",
        "X",
        "2*(diag(W*ones(n)) - W)*X",
    ),
    Formula(  # Student's distribution
        "sum(log(1 + (y - X*w).^2/v))",
        "X[m,n], y[m], w[n], v",
        "w",
        "2*X'*((X*w - y)./((X*w - y).^2 + v))",
    ),
    Formula(  # a triangle
        "sum(chol(K))",
        "K[n,n] spd",
        "K",
        "inv(chol(K))'*(triu(ones(n)*ones(n)'*chol(K), 1)"
        " + tril(chol(K)'*ones(n)*ones(n)'))*inv(chol(K))/2",
    ),
    Formula(  # an operator norm's lower bound
        "norm2(F*x)^2/norm2(x)^2",
        "F[m,n], x[n]",
        "x",
        "2*(F'*F*x - norm2(F*x)^2*x/(x'*x))/(x'*x)",
    ),
    Formula("tr(X^4)", "X[n,n]", "X", "4*(X^3)'"),
    Formula("tr(inv(X'*X))", "X[m,n]", "X", "-2*X*inv(X'*X)^2"),
    Formula("sum(v[2:end])", "v[n]", "v", "concat(zeros(1), ones(n - 1))"),
    Formula("norm2(x[2:end])^2", "x[n]", "x", "2*concat(zeros(1), x[2:end])"),
    Formula("sum(X[2:3,:])", "X[m,n]", "X", "concat(zeros(1), ones(2), zeros(m - 3))*ones(n)'"),
    Formula(
        "norm2(x - mean(x))^2",
        "x[n]",
        "x",
        "2*(x - mean(x))",
        "2*(eye(n) - ones(n)*ones(n)'/n)",
    ),
]


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.text)
def test_derivatives_read_as_in_a_paper(formula: Formula) -> None:
    reads_so(formula)


@pytest.mark.parametrize(
    ("text", "declared", "written"),
    [
        ("-sum(Y.*log(softmax(X*W)))", "X[m,n], Y[m,k], W[n,k]", "-sum(Y.*logsoftmax(X*W))"),
        ("norm2(X - X*W*W')^2", "X[m,n], W[n,k]", "norm2(X - X*W*W')^2"),
        ("x'*Q*x/2 + c'*x", "c[n], Q[n,n], x[n]", "x'*Q*x/2 + c'*x"),
        (
            "norm2(A'*P + P*A - P*B*inv(R)*B'*P + Q)^2",
            "A[n,n], P[n,n] symmetric, B[n,m], R[m,m] spd, Q[n,n] symmetric",
            "norm2(P*A + Q + A'*P - P*B*inv(R)*B'*P)^2",
        ),
        ("norm2(inv(L)*x)^2", "L[n,n] lower, x[n]", "norm2(inv(L)*x)^2"),
        ("det(A*X*B)", "A[n,n], X[n,n], B[n,n]", "det(A*X*B)"),
        ("sum(W*H)", "W[m,k], H[k,n]", "sum(W*H)"),
        ("sum(X.*(log(X) - 1))", "X[m,n]", "sum(X.*(log(X) - 1))"),
        ("-m/2*log(2*pi) - logdet(S)/2", "S[m,m] spd", "-(m*log(2*pi) + logdet(S))/2"),
        ("tr(A*B) - x'*A*y", "A[n,n], B[n,n], x[n], y[n]", "tr(A*B) - x'*A*y"),
        ("x'*A*x - b'*x", "x[n], A[n,n], b[n]", "x'*A*x - b'*x"),
        ("x'*A*x - x'*b", "x[n], A[n,n], b[n]", "x'*A*x - x'*b"),
        ("sum(exp(y.*(X*w)))", "X[m,n], w[n], y[m]", "sum(exp(y.*(X*w)))"),
        ("z = X*w; sum(exp(y.*z))", "X[m,n], w[n], y[m]", "sum(exp(y.*(X*w)))"),
        (
            "u = X*w; v = Z*q; sum(exp(u.*v))",
            "Z[m,n], q[n], X[m,n], w[n]",
            "sum(exp((X*w).*(Z*q)))",
        ),
        ("tr(A*(B - x*y'))", "A[n,n], B[n,n], x[n], y[n]", "tr(A*B) - y'*A*x"),
    ],
)
def test_values_read_as_in_a_paper(text: str, declared: str, written: str) -> None:
    assert str(tcalc.parse(text, declared)) == written
