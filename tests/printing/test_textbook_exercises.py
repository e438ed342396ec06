"""Exercises of textbooks on matrix calculus, statistics, control and mechanics, as solved there."""

from __future__ import annotations

from typing import NamedTuple

import pytest

import tcalc


class Exercise(NamedTuple):
    title: str
    text: str
    declared: str
    variable: str
    gradient: str
    hessian: str = ""


EXERCISES = [
    Exercise(
        "third central moment",
        "sum((x - mean(x)).^3)",
        "x[n]",
        "x",
        "3*((x - mean(x)).^2 - norm2(x - mean(x))^2/n)",
        "6*(diag(x - mean(x)) - ((x - mean(x))*ones(n)' + ones(n)*(x - mean(x))')/n)",
    ),
    Exercise(
        "Cox's partial likelihood, in decreasing order of time",
        "d'*(X*w - log(cumsum(exp(X*w))))",
        "X[n,p], w[p], d[n]",
        "w",
        "X'*(d - exp(X*w).*(triu(ones(n, n))*(d./cumsum(exp(X*w)))))",
    ),
    Exercise(
        "a path by its steps",
        "norm2(cumsum(x) - y)^2/2",
        "x[n], y[n]",
        "x",
        "triu(ones(n, n))*(cumsum(x) - y)",
        "triu(ones(n, n))*tril(ones(n, n))",
    ),
    Exercise(
        "variance",
        "mean((x - mean(x)).^2)",
        "x[n]",
        "x",
        "2*(x - mean(x))/n",
        "2*(eye(n) - ones(n)*ones(n)'/n)/n",
    ),
    Exercise(
        "correlation",
        "(x - mean(x))'*(y - mean(y))/(norm2(x - mean(x))*norm2(y - mean(y)))",
        "x[n], y[n]",
        "x",
        "t1 = x - mean(x)\nt2 = y - mean(y)\n(t2 - t1'*t2*t1/norm2(t1)^2)/(norm2(t1)*norm2(t2))",
    ),
    Exercise(
        "risk budgets",
        "norm2(w.*(S*w) - b)^2",
        "S[n,n] spd, w[n], b[n]",
        "w",
        "2*(S*diag(w) + diag(S*w))*(w.*(S*w) - b)",
    ),
    Exercise(
        "risk parity",
        "w'*S*w/2 - b'*log(w)",
        "S[n,n] spd, w[n], b[n]",
        "w",
        "S*w - b./w",
        "S + diag(b./w.^2)",
    ),
    Exercise(
        "log-determinant of a Kronecker product",
        "logdet(kron(A,B))",
        "A[m,m], B[n,n]",
        "A",
        "n*inv(A)'",
        "T[i,j,k,l] = -n*inv(A)[l,i]*inv(A)[j,k]",
    ),
    Exercise(
        "Petersen and Pedersen, The Matrix Cookbook, 2012, (57)",
        "det(inv(X))",
        "X[n,n]",
        "X",
        "-inv(X)'/det(X)",
        "T[i,j,k,l] = (inv(X)[j,i]*inv(X)[l,k] + inv(X)[l,i]*inv(X)[j,k])/det(X)",
    ),
    Exercise(
        "Rayleigh quotient",
        "x'*A*x/(x'*x)",
        "A[n,n] symmetric, x[n]",
        "x",
        "2*(A*x - x'*A*x*x/(x'*x))/(x'*x)",
        "2*(A + 4*x'*A*x*x*x'/(x'*x)^2 - (2*x*x'*A + 2*A*x*x' + x'*A*x*eye(n))/(x'*x))/(x'*x)",
    ),
    Exercise(
        "generalised Rayleigh quotient",
        "x'*A*x/(x'*B*x)",
        "A[n,n] symmetric, B[n,n] spd, x[n]",
        "x",
        "2*(A*x - x'*A*x*B*x/(x'*B*x))/(x'*B*x)",
    ),
    Exercise(
        "canonical correlation",
        "a'*C*b/sqrt((a'*A*a)*(b'*B*b))",
        "a[n], b[m], C[n,m], A[n,n] spd, B[m,m] spd",
        "a",
        "(C*b - a'*C*b*A*a/(a'*A*a))/sqrt(a'*A*a*b'*B*b)",
    ),
    Exercise(
        "mean of a Gaussian",
        "D = X - vector(1)*u'; tr(D*inv(S)*D')",
        "X[k,n], u[n], S[n,n] spd",
        "u",
        "2*inv(S)*(k*u - X'*ones(k))",
        "2*k*inv(S)",
    ),
    Exercise(
        "noise of a Gaussian process",
        "V = K + s*eye(n); y'*inv(V)*y/2 + logdet(V)/2",
        "K[n,n] spd, y[n], s",
        "s",
        "(tr(inv(K + s*eye(n))) - y'*inv(K + s*eye(n))^2*y)/2",
        "y'*inv(K + s*eye(n))^3*y - norm2(inv(K + s*eye(n)))^2/2",
    ),
    Exercise(
        "location of Student's t",
        "(v + n)/2*log(1 + (x - u)'*inv(S)*(x - u)/v) + logdet(S)/2",
        "x[n], u[n], S[n,n] spd, v",
        "u",
        "(v + n)*inv(S)*(u - x)/(v + (x - u)'*inv(S)*(x - u))",
    ),
    Exercise(
        "divergence of Gaussians",
        "(tr(inv(T)*S) + (v - u)'*inv(T)*(v - u) - n + logdet(T) - logdet(S))/2",
        "u[n], v[n], S[n,n] spd, T[n,n] spd",
        "T",
        "(inv(T) - inv(T)*(S + (v - u)*(v - u)')*inv(T))/2",
    ),
    Exercise(
        "Mahalanobis distance",
        "sqrt((x - u)'*inv(S)*(x - u))",
        "x[n], u[n], S[n,n] spd",
        "x",
        "inv(S)*(x - u)/sqrt((x - u)'*inv(S)*(x - u))",
    ),
    Exercise(
        "Jensen-Shannon divergence",
        "sum(p.*log(2*p./(p+q)) + q.*log(2*q./(p+q)))/2",
        "p[n] positive, q[n] positive",
        "p",
        "log(2*p./(p + q))/2",
        "diag(q./(p.*(p + q)))/2",
    ),
    Exercise(
        "contrastive loss",
        "-q'*k/t + logsumexp(K*q/t)",
        "q[n], K[m,n], k[n], t",
        "q",
        "(K'*softmax(K*q/t) - k)/t",
        "K'*(diag(softmax(K*q/t)) - softmax(K*q/t)*softmax(K*q/t)')*K/t^2",
    ),
    Exercise(
        "root-mean-square normalisation",
        "c'*x/sqrt(mean(x.^2))",
        "x[n], c[n]",
        "x",
        "sqrt(n)*(c - c'*x*x/norm2(x)^2)/norm2(x)",
        "-sqrt(n)*(c*x' + x*c' + c'*x*eye(n) - 3*c'*x*x*x'/norm2(x)^2)/norm2(x)^3",
    ),
    Exercise(
        "Cauchy's loss",
        "sum(log(1 + ((X*w - y)/c).^2))",
        "X[m,n], w[n], y[m], c",
        "w",
        "2*X'*((X*w - y)./((X*w - y).^2 + c^2))",
        "2*X'*diag((c^2 - (X*w - y).^2)./((X*w - y).^2 + c^2).^2)*X",
    ),
    Exercise(
        "Welsch's loss",
        "sum(1 - exp(-((X*w - y)/c).^2/2))",
        "X[m,n], w[n], y[m], c",
        "w",
        "X'*((X*w - y).*exp(-(X*w - y).^2/(2*c^2)))/c^2",
        "X'*diag((1 - (X*w - y).^2/c^2).*exp(-(X*w - y).^2/(2*c^2)))*X/c^2",
    ),
    Exercise(
        "Gaussian by its Cholesky factor",
        "norm2(inv(L)*x)^2/2 + sum(log(diag(L)))",
        "L[n,n] lower, x[n]",
        "L",
        "diag(1./diag(L)) - tril(inv(L)'*inv(L)*x*x'*inv(L)')",
    ),
    Exercise(
        "von Neumann's entropy",
        "tr(X*logm(X) - X)",
        "X[n,n] spd",
        "X",
        "logm(X)",
    ),
    Exercise(
        "Laplacian of a graph, by its weights",
        "x'*(diag(W*vector(1)) - W)*x",
        "W[n,n], x[n]",
        "W",
        "x.^2*ones(n)' - x*x'",
    ),
    Exercise(
        "tracking error",
        "sqrt((w - b)'*S*(w - b))",
        "w[n], b[n], S[n,n] spd",
        "w",
        "S*(w - b)/sqrt((w - b)'*S*(w - b))",
        "(S - S*(w - b)*(w - b)'*S/((w - b)'*S*(w - b)))/sqrt((w - b)'*S*(w - b))",
    ),
    Exercise(
        "exponential utility",
        "-exp(-g*w'*u + g^2*w'*S*w/2)",
        "w[n], S[n,n] spd, u[n], g",
        "w",
        "exp(g^2*w'*S*w/2 - g*w'*u)*(g*u - g^2*S*w)",
        "-exp(g^2*w'*S*w/2 - g*w'*u)*(g^2*S + (g^2*S*w - g*u)*(g^2*S*w - g*u)')",
    ),
    Exercise(
        "diversification ratio",
        "w'*s/sqrt(w'*S*w)",
        "w[n], S[n,n] spd, s[n]",
        "w",
        "(s - w'*s*S*w/(w'*S*w))/sqrt(w'*S*w)",
        "-(w'*s*S + s*w'*S + S*w*s' - 3*w'*s*S*w*w'*S/(w'*S*w))/(w'*S*w)^(3/2)",
    ),
    Exercise(
        "two-stage least squares",
        "(y - X*b)'*Z*inv(Z'*Z)*Z'*(y - X*b)",
        "X[m,n], Z[m,k], y[m], b[n]",
        "b",
        "2*X'*Z*inv(Z'*Z)*Z'*(X*b - y)",
        "2*X'*Z*inv(Z'*Z)*Z'*X",
    ),
    Exercise(
        "seemingly unrelated regressions",
        "tr((Y - X*B)*inv(S)*(Y - X*B)')/2",
        "Y[m,k], X[m,n], B[n,k], S[k,k] spd",
        "B",
        "X'*(X*B - Y)*inv(S)",
    ),
    Exercise(
        "linear-quadratic regulator",
        "tr((Q + K'*R*K + (A - B*K)'*P*(A - B*K))*S)",
        "K[k,n], Q[n,n] symmetric, R[k,k] spd, A[n,n], B[n,k], P[n,n] symmetric, S[n,n] spd",
        "K",
        "2*(R*K + B'*P*(B*K - A))*S",
        "T[i,j,l,p] = 2*(R[i,l] + B[q,i]*P[q,r]*B[r,l])*S[j,p]",
    ),
    Exercise(
        "Kalman gain",
        "tr((eye(n) - K*H)*P*(eye(n) - K*H)' + K*R*K')",
        "H[k,n], P[n,n] spd, R[k,k] spd, K[n,k]",
        "K",
        "2*(K*R + (K*H - eye(n))*P*H')",
        "T[i,j,l,p] = 2*eye(n)[i,l]*(H[j,q]*P[q,r]*H[p,r] + R[j,p])",
    ),
    Exercise(
        "neo-Hookean solid, compressible",
        "u/2*(tr(F'*F) - 3) - u*logdet(F) + l/2*logdet(F)^2",
        "F[3,3], u, l",
        "F",
        "u*F + (l*logdet(F) - u)*inv(F)'",
    ),
    Exercise(
        "neo-Hookean solid, isochoric",
        "J = det(F); u/2*(tr(F'*F)/J^(2/3) - 3) + l/2*(J - 1)^2",
        "F[3,3], u, l",
        "F",
        "u*(3*F - norm2(F)^2*inv(F)')/(3*det(F)^(2/3)) + l*(det(F) - 1)*adj(F)'",
    ),
    Exercise(
        "Mooney-Rivlin solid",
        "C = F'*F; c*(tr(C) - 3) + d/2*(tr(C)^2 - tr(C^2) - 6)",
        "F[3,3], c, d",
        "F",
        "2*F*((c + d*norm2(F)^2)*eye(3) - d*F'*F)",
    ),
    Exercise(
        "Saint Venant-Kirchhoff solid",
        "E = (F'*F - eye(3))/2; l/2*tr(E)^2 + u*tr(E^2)",
        "F[3,3], l, u",
        "F",
        "F*(l*(norm2(F)^2 - 3)*eye(3) + 2*u*(F'*F - eye(3)))/2",
    ),
    Exercise(
        "Coulomb's potential",
        "1/norm2(x - y)",
        "x[3], y[3]",
        "x",
        "(y - x)/norm2(x - y)^3",
        "(3*(x - y)*(x - y)'/norm2(x - y)^2 - eye(3))/norm2(x - y)^3",
    ),
    Exercise(
        "geometric mean",
        "prod(x)^(1/n)",
        "x[n] positive",
        "x",
        "prod(x)^(1/n)./x/n",
        "prod(x)^(1/n)*((1./x)*(1./x)'/n - diag(1./x.^2))/n",
    ),
    Exercise(
        "harmonic mean",
        "n/sum(1./x)",
        "x[n] positive",
        "x",
        "n./x.^2/sum(1./x)^2",
        "2*n*((1./x.^2)*(1./x.^2)'/sum(1./x) - diag(1./x.^3))/sum(1./x)^2",
    ),
    Exercise(
        "barrier of the second-order cone",
        "-log(t^2 - x'*x)",
        "x[n], t",
        "x",
        "2*x/(t^2 - x'*x)",
        "2*(eye(n) + 2*x*x'/(t^2 - x'*x))/(t^2 - x'*x)",
    ),
    Exercise(
        "D-optimal design",
        "logdet(X'*diag(w)*X)",
        "X[m,n], w[m]",
        "w",
        "diag(X*inv(X'*diag(w)*X)*X')",
        "-(X*inv(X'*diag(w)*X)*X').^2",
    ),
    Exercise(
        "compliance of a truss",
        "f'*inv(B'*diag(x)*B)*f",
        "B[m,n], x[m] positive, f[n]",
        "x",
        "-(B*inv(B'*diag(x)*B)*f).^2",
        "2*diag(B*inv(B'*diag(x)*B)*f)*B*inv(B'*diag(x)*B)*B'*diag(B*inv(B'*diag(x)*B)*f)",
    ),
    Exercise(
        "phase retrieval",
        "norm2((A*x).^2 - y)^2/4",
        "A[m,n], y[m], x[n]",
        "x",
        "A'*((A*x).*((A*x).^2 - y))",
        "A'*diag(3*(A*x).^2 - y)*A",
    ),
    Exercise(
        "Kuramoto's oscillators",
        "s = A[i,j]*cos(x[i] - x[j]); s/2",
        "x[n], A[n,n] symmetric",
        "x",
        "-diag(sin(x*ones(n)' - ones(n)*x')*A)",
        "A.*cos(x*ones(n)' - ones(n)*x') - diag((A.*cos(x*ones(n)' - ones(n)*x'))*ones(n))",
    ),
]


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.title)
def test_an_exercise_is_solved_as_in_its_book(exercise: Exercise) -> None:
    program = tcalc.parse(exercise.text, exercise.declared)
    assert str(tcalc.gradient(program, exercise.variable)) == exercise.gradient
    if exercise.hessian:
        assert str(tcalc.hessian(program, exercise.variable)) == exercise.hessian


@pytest.mark.parametrize("names", ["W X", "W_7 X_7", "Wq X"])
def test_differences_of_all_pairs_are_a_laplacian_whatever_the_names(names: str) -> None:
    weights, points = names.split()
    text = f"s = {weights}[i,j]*({points}[i,k] - {points}[j,k])^2; s/2"
    f = tcalc.parse(text, f"{points}[m,n], {weights}[m,m] symmetric")
    expected = f"2*(diag({weights}*ones(m)) - {weights})*{points}"
    assert str(tcalc.gradient(f, points)) == expected
