"""Formulas as an expert would have written them: what derivatives and identities come to."""

from __future__ import annotations

import pytest

import tcalc

IDENTITIES = {
    ("Q, R = qr(C)\nQ*R", "C[m,n]"): "C",
    ("Q, R = qr(C)\nQ'*Q", "C[m,n]"): "eye(n)",
    ("L, Q = lq(C)\nL*Q", "C[m,n]"): "C",
    ("L, Q = lq(C)\nQ*Q'", "C[m,n]"): "eye(m)",
    ("U, s, V = svd(C)\nU*diag(s)*V'", "C[m,n]"): "C",
    ("w, V = eigh(S)\nV*diag(w)*V'", "S[n,n] symmetric"): "S",
    ("w, V = eigh(S)\nV'*V", "S[n,n] symmetric"): "eye(n)",
    ("L = chol(K)\nL*L'", "K[n,n] spd"): "K",
    ("L = chol(K)\ninv(L)'*inv(L)*y", "K[n,n] spd, y[n]"): "inv(K)*y",
    ("2*sum(log(diag(chol(K))))", "K[n,n] spd"): "logdet(K)",
    ("log(det(A))", "A[n,n]"): "logdet(A)",
    ("inv(diag(x))*y", "x[n], y[n]"): "y./x",
    ("tr(A*B) - tr(B*A)", "A[n,n], B[n,n]"): "0",
    ("diag(A)./diag(A)", "A[n,n]"): "ones(n)",
    ("(diag(diag(S))*B)'", "S[n,n] symmetric, B[n,n] symmetric"): "B*diag(diag(S))",
    ("x'*x/norm2(x)", "x[n]"): "norm2(x)",
    ("(a - b)/(a^2 - b^2)", "a, b"): "1/(a + b)",
    ("e*ones(m) + Y*ones(k) - e*Y*ones(k)", "Y[m,k], e"): "e + (1 - e)*Y*ones(k)",
    ("(a^2 - b^2)^2/(a - b)^3", "a, b"): "(a + b)^2/(a - b)",
    ("(a^3 - b^3)/(a - b)", "a, b"): "a^2 + a*b + b^2",
    ("(a^2 + b^2)/(a + b)", "a, b"): "(a^2 + b^2)/(a + b)",
    ("((x'*y)^2 - c^2)/(x'*y - c)", "x[n], y[n], c"): "c + x'*y",
    ("(x.^2 - 1)./(x + 1)", "x[n]"): "x - 1",
    ("a/(a^2 - b^2) - b/(a^2 - b^2)", "a, b"): "1/(a + b)",
    ("e[i] = p[i,a]*E[a,b]*q[i,b]; norm2(e)^2", "E[3,3], p[n,3], q[n,3]"): "norm2(diag(p*E*q'))^2",
    ("a'*diag(y)*X*X'*diag(y)*a", "a[n], y[n], X[n,d]"): "norm2(X'*(a.*y))^2",
    ("a'*diag(y)*K*diag(y)*a", "a[n], y[n], K[n,n]"): "(a.*y)'*K*(a.*y)",
    ("x'*sqrtm(S)*sqrtm(S)*x", "S[n,n] spd, x[n]"): "x'*S*x",
    ("inv(sqrtm(S))*A*inv(sqrtm(S))*inv(sqrtm(S))", "S[n,n] spd, A[n,n]"): (
        "inv(sqrtm(S))*A*inv(S)"
    ),
    ("sqrtm(A)*sqrtm(A)", "A[n,n]"): "A",
    (
        "H[i,j,k,l] = a*delta[i,j]*delta[k,l] + b*delta[i,k]*delta[j,l]; H[i,j,k,l]*E[i,j]*E[k,l]",
        "E[3,3], a, b",
    ): "a*tr(E)^2 + b*norm2(E)^2",
    ("exp(X[2:end,1:end-1] - X[1:end-1,1:end-1])", "X[m,n]"): (
        "exp(X[2:end,1:end-1] - X[1:end-1,1:end-1])"
    ),
    ("logdet(concat(C, C*A, C*A*A)'*W)", "A[n,n], C[p,n], W[3*p,n]"): (
        "logdet(W'*concat(C, C*A, C*A^2))"
    ),
    ("stack(sin(q[1])*cos(q[2]), sin(q[1])*sin(q[2]), cos(q[1]))", "q[2]"): (
        "stack(cos(q[2])*sin(q[1]), sin(q[1])*sin(q[2]), cos(q[1]))"
    ),
    ("(x + h/2*(x + h/3*x.^2).^3).^3", "x[n], h"): "(x + h*(3*x + h*x.^2).^3/54).^3",
    ("(x + h/128*(x + y).^2).*y", "x[n], y[n], h"): "(x + h*(x + y).^2/128).*y",
}

GRADIENTS = {
    ("(w'*r - a)/sqrt(w'*S*w)", "S[n,n] symmetric, w[n], r[n], a", "w"): (
        "(r + (a - w'*r)*S*w/(w'*S*w))/sqrt(w'*S*w)"
    ),
    ("tr(A'*inv(X))", "A[n,n] symmetric, X[n,n] symmetric", "X"): "-inv(X)*A*inv(X)",
    # The stress of multidimensional scaling, and of unfolding.
    ("(norm2[k](X[i,k] - X[j,k]) - D[i,j])^2", "X[n,p], D[n,n] symmetric", "X"): (
        "d[i,j] = norm2[k](X[i,k] - X[j,k])\n"
        "4*(diag(((d - D).*reciprocal0(d))*ones(n)) - (d - D).*reciprocal0(d))*X"
    ),
    ("(norm2[k](X[i,k] - X[j,k]) - D[i,j])^2", "X[n,p], D[n,n]", "X"): (
        "d[i,j] = norm2[k](X[i,k] - X[j,k])\n"
        "2*((D + D' - 2*d).*reciprocal0(d) - diag(((D + D' - 2*d).*reciprocal0(d))*ones(n)))*X"
    ),
    ("(norm2[k](X[i,k] - Y[j,k]) - D[i,j])^2", "X[n,p], Y[m,p], D[n,m]", "X"): (
        "d[i,j] = norm2[k](X[i,k] - Y[j,k])\n2*(diag(((d - D)./d)*ones(m))*X - ((d - D)./d)*Y)"
    ),
    ("norm2(y - X*inv(X'*X)*X'*y)^2", "X[m,n], y[m]", "X"): (
        "2*(X*inv(X'*X)*X'*y - y)*y'*X*inv(X'*X)"
    ),
    ("log(det(inv(X)))", "X[n,n]", "X"): "-inv(X)'",
    ("sum(log(diag(chol(K))))", "K[n,n] spd", "K"): "inv(K)/2",
    ("y'*inv(K)*y + 2*sum(log(diag(chol(K))))", "K[n,n] spd, y[n]", "K"): (
        "inv(K) - inv(K)*y*y'*inv(K)"
    ),
    ("norm2(X*w - y)^2 + c*norm2(w)^2", "X[m,n], y[m], w[n], c", "w"): ("2*(c*w + X'*(X*w - y))"),
    ("norm2(A*x - b)", "A[m,n], b[m], x[n]", "x"): "A'*(A*x - b)/norm2(A*x - b)",
    ("(x - m)'*inv(S)*(x - m)", "S[n,n] spd, x[n], m[n]", "x"): "2*inv(S)*(x - m)",
    ("(x - m)'*inv(S)*(x - m)", "S[n,n] spd, x[n], m[n]", "S"): ("-inv(S)*(x - m)*(x - m)'*inv(S)"),
    ("log(sum(exp(A*x)))", "A[m,n], x[n]", "x"): "A'*softmax(A*x)",
    ("-sum(y.*logsoftmax(W*x))", "W[k,n], x[n], y[k]", "W"): "(sum(y)*softmax(W*x) - y)*x'",
    ("tr(X'*A*X)", "A[m,m], X[m,n]", "X"): "(A + A')*X",
    ("tr(A*X*B*X'*C)", "A[n,n], X[n,n], B[n,n], C[n,n]", "X"): "C*A*X*B + A'*C'*X*B'",
    ("a'*inv(X)*b", "a[n], X[n,n], b[n]", "X"): "-inv(X)'*a*b'*inv(X)'",
    ("a'*X'*X*b", "a[n], X[m,n], b[n]", "X"): "X*(a*b' + b*a')",
    ("det(X)^2", "X[n,n]", "X"): "2*det(X)*adj(X)'",
    ("log(det(X'*X))", "X[m,n]", "X"): "2*X*inv(X'*X)",
    ("logdet(A + X*X')", "A[m,m] spd, X[m,n]", "X"): "2*inv(A + X*X')*X",
    ("norm2(A - U*V')^2", "A[m,n], U[m,k], V[n,k]", "V"): "2*(U*V' - A)'*U",
    ("sum(M.*(A - U*V').^2)", "A[m,n], U[m,k], V[n,k], M[m,n]", "U"): "2*(M.*(U*V' - A))*V",
    ("(x'*A*x)/(x'*B*x)", "A[n,n] symmetric, B[n,n] symmetric, x[n]", "x"): (
        "2*(A*x - x'*A*x*B*x/(x'*B*x))/(x'*B*x)"
    ),
    ("exp(-norm2(x - y)^2/(2*s^2))", "x[n], y[n], s", "x"): (
        "exp(-norm2(x - y)^2/(2*s^2))*(y - x)/s^2"
    ),
    ("norm2(x/norm2(x) - y)^2", "x[n], y[n]", "x"): "2*(x'*y*x/norm2(x)^2 - y)/norm2(x)",
    ("x'*y/(norm2(x)*norm2(y))", "x[n], y[n]", "x"): (
        "(y - x'*y*x/norm2(x)^2)/(norm2(x)*norm2(y))"
    ),
    ("sum(tanh(W*x + b))", "W[m,n], x[n], b[m]", "W"): "(1 - tanh(W*x + b).^2)*x'",
    ("v'*relu(W*x)", "W[m,n], x[n], v[m]", "x"): "W'*(v.*step(W*x))",
    ("sum(x.*log(x))", "x[n]", "x"): "1 + log(x)",
    ("x'*log(x./y)", "x[n], y[n]", "y"): "-x./y",
    ("sum(log(1 + exp(X*w))) - y'*(X*w)", "X[m,n], y[m], w[n]", "w"): "X'*(sigmoid(X*w) - y)",
    ("1/(1 + exp(-w'*x))", "w[n], x[n]", "w"): "sigmoid(w'*x)*(1 - sigmoid(w'*x))*x",
    ("(a'*x + b)*exp(x'*x)", "a[n], b, x[n]", "x"): "exp(x'*x)*(a + 2*(b + a'*x)*x)",
    ("d = diag(A*B); d'*d", "A[n,m], B[m,n]", "A"): "2*diag(diag(A*B))*B'",
    ("d = diag(A*B'); d'*d", "A[n,m], B[n,m]", "A"): "2*diag((A.*B)*ones(m))*B",
    # The likelihood of a hidden Markov model by forward recursion, in logarithms.
    (
        "u[j] = logsumexp[i](p[i] + A[i,j]); v[j] = logsumexp[i](u[i] + A[i,j]); logsumexp(v)",
        "A[n,n], p[n]",
        "A",
    ): (
        "t1[i,j] = A[j,i] + logsumexp[k](p[k] + A[k,j])\n"
        "t2[i] = logsumexp[j](t1[i,j])\n"
        "softmax(t1)'*diag(softmax(t2)) + "
        "softmax(A' + ones(n)*p')'*diag(softmax(t1)'*softmax(t2))"
    ),
    # Cross-entropy with smoothed labels.
    ("-((1 - e)*y + e*ones(n)/n)'*log(softmax(x))", "x[n], y[n], e", "x"): (
        "(e - 1)*y + (e + (1 - e)*sum(y))*softmax(x) - e/n"
    ),
    # The Tobit model: what is left of a condition is one branching.
    (
        "sum(where(y > 0, -(y - z).^2/(2*s^2) - log(s), log(normcdf(-z/s))))",
        "y[n], z[n], s positive",
        "s",
    ): "sum(where(y > 0, ((y - z).^2/s^2 - 1)/s, z.*normpdf(z/s)./normcdf(-z/s)/s^2))",
    ("4*s*where(y > 0, (y - z)^4/(4*s^2), 0)", "y, z, s positive", "s"): (
        "where(y > 0, -(y - z)^4/s^2, 0)"
    ),
    # A periodic kernel is symmetric, as is its inverse.
    ("K[i,j] = exp(-sin(x[i] - x[j])^2); y'*inv(K + s*eye(n))*y", "x[n], y[n], s", "x"): (
        "t1 = sin(x*ones(n)' - ones(n)*x')\n"
        "V = inv(s*eye(n) + exp(-t1.^2))\n"
        "4*(V*y).*((t1.*exp(-t1.^2).*cos(x*ones(n)' - ones(n)*x'))*V*y)"
    ),
}

HESSIANS = {
    # The density of Student's t: the quadratic form has a name throughout.
    (
        "q = (x - u)'*inv(S)*(x - u); p*log(nu)/2 + (nu + p)/2*log(1 + q/nu)",
        "x[p], u[p], S[p,p] spd, nu positive",
        "nu",
    ): (
        "t1 = (x - u)'*inv(S)*(x - u)\n(2*p*t1/(nu + t1) - p - (nu + p)*t1^2/(nu + t1)^2)/(2*nu^2)"
    ),
    # All pairs of rows: each difference is taken one way.
    ("sum[i,j](exp(-norm2[k](X[i,k] - X[j,k])^2))", "X[n,p]", "X"): (
        "e[i,j] = exp(-(X[i,k] - X[j,k])^2)\n"
        "T[i,k,j,l] = 4*(e[i,j] - delta[i,j]*sum[q](e[i,q]))*delta[k,l] + "
        "8*delta[i,j]*e[i,q]*(X[i,k] - X[q,k])*(X[i,l] - X[q,l]) - "
        "8*e[i,j]*(X[i,k] - X[j,k])*(X[i,l] - X[j,l])"
    ),
    ("100*(x[2] - x[1]^2)^2 + (1 - x[1])^2", "x[2]", "x"): (
        "stack(stack(2*(1 + 600*x[1]^2 - 200*x[2]), -400*x[1]), stack(-400*x[1], 200))"
    ),
    ("x[1]*x[2]*x[3]", "x[3]", "x"): (
        "stack(stack(0, x[3], x[2]), stack(x[3], 0, x[1]), stack(x[2], x[1], 0))"
    ),
    ("x'*A*x", "A[n,n], x[n]", "x"): "A + A'",
    ("x'*A*x", "A[n,n] symmetric, x[n]", "x"): "2*A",
    ("norm2(X*w - y)^2 + c*norm2(w)^2", "X[m,n], y[m], w[n], c", "w"): "2*(X'*X + c*eye(n))",
    ("log(sum(exp(A*x)))", "A[m,n], x[n]", "x"): (
        "A'*(diag(softmax(A*x)) - softmax(A*x)*softmax(A*x)')*A"
    ),
    ("sum(log(1 + exp(X*w))) - y'*(X*w)", "X[m,n], y[m], w[n]", "w"): (
        "X'*diag(sigmoid(X*w).*(1 - sigmoid(X*w)))*X"
    ),
    ("norm2(x)", "x[n]", "x"): "(eye(n) - x*x'/norm2(x)^2)/norm2(x)",
    ("norm2(A*x - b)", "A[m,n], b[m], x[n]", "x"): (
        "A'*(eye(m) - (A*x - b)*(A*x - b)'/norm2(A*x - b)^2)*A/norm2(A*x - b)"
    ),
    ("exp(-norm2(x - y)^2/(2*s^2))", "x[n], y[n], s", "x"): (
        "exp(-norm2(x - y)^2/(2*s^2))*((x - y)*(x - y)'/s^2 - eye(n))/s^2"
    ),
    ("(w'*r - a)/sqrt(w'*S*w)", "S[n,n] symmetric, w[n], r[n], a", "w"): (
        "((w'*r - a)*(3*S*w*w'*S/(w'*S*w) - S) - r*w'*S - S*w*r')/(w'*S*w)^(3/2)"
    ),
}


@pytest.mark.parametrize(("text", "declarations"), IDENTITIES, ids=lambda x: x.replace("\n", "; "))
def test_identities(text: str, declarations: str) -> None:
    assert str(tcalc.parse(text, declarations)).splitlines()[-1] == IDENTITIES[text, declarations]


@pytest.mark.parametrize("case", GRADIENTS, ids=lambda case: f"{case[0]} by {case[2]}")
def test_gradients(case: tuple[str, str, str]) -> None:
    text, declarations, variable = case
    f = tcalc.parse(text, declarations)
    assert str(tcalc.gradient(f, variable)) == GRADIENTS[case]


@pytest.mark.parametrize("case", HESSIANS, ids=lambda case: f"{case[0]} by {case[2]}")
def test_hessians(case: tuple[str, str, str]) -> None:
    text, declarations, variable = case
    f = tcalc.parse(text, declarations)
    assert str(tcalc.hessian(f, variable)) == HESSIANS[case]


def test_positions_that_are_sums_of_indices() -> None:
    f = tcalc.parse("r[i] = x[i-j+8]*w[j]", "x[15], w[8]")
    assert str(f) == "x[i-j+8]*w[j]"
    assert str(tcalc.parse("r[i] = x[end+1-i]", "x[8]")) == "x[end+1-i]"


def test_zeros_of_any_order() -> None:
    f = tcalc.parse("tr(A*B)", "A[n,n], B[n,n]")
    assert str(tcalc.hessian(f, "A")) == "zeros(n, n, n, n)"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1/(x'*(1./y))", "1/(x[i]/y[i])"),
        ("c/(x'*y/d)", "c*d/(x[i]*y[i])"),
        ("1./(A*(x./y))", "1/(A[i,j]*x[j]/y[j])"),
    ],
)
def test_sums_of_quotients_stay_below(text: str, written: str) -> None:
    declared = "A[n,n], x[n], y[n], c, d"
    f = tcalc.parse(text, declared)
    assert f.einstein() == written
    again = tcalc.parse(f.einstein(), declared)
    data = {"A": [[1.0, 2.0], [3.0, 5.0]], "x": [1.0, 2.0], "y": [3.0, 7.0], "c": 2.0, "d": 5.0}
    first, second = (
        tcalc.evaluate(g, **{name: data[name] for name in g.variables}) for g in (f, again)
    )
    assert first.tolist() == pytest.approx(second.tolist())
