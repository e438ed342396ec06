"""The operator form of derivatives between matrices, and where there is none."""

from __future__ import annotations

import pytest

import tcalc

HESSIANS = [
    ("norm2(U*V'-T)^2", "U[m,k], V[n,k], T[m,n]", "U", "2 (V'*V ⊗ I)"),
    ("logdet(K)", "K[n,n]", "K", "-(inv(K) ⊗ inv(K)') T"),
    ("norm2(B*X*A')^2/2", "A[p,n], B[q,m], X[m,n]", "X", "(A'*A ⊗ B'*B)"),
    (
        "tr(X'*S*X) + tr(X*R*X')",
        "X[m,n], S[m,m] spd, R[n,n] spd",
        "X",
        "2 (R ⊗ I) + 2 (I ⊗ S)",
    ),
    ("c*norm2(X)^2", "X[m,n], c", "X", "2 c (I ⊗ I)"),
    (
        "a'*inv(x*X)*b",
        "X[n,n], a[n], b[n], x",
        "X",
        "1/x (inv(X)*b*a'*inv(X) ⊗ inv(X)') T + 1/x (inv(X) ⊗ inv(X)'*a*b'*inv(X)') T",
    ),
    ("sum(exp(X))", "X[m,n]", "X", None),
    ("sum(exp(x))", "x[n]", "x", None),
]


@pytest.mark.parametrize(("text", "declared", "wrt", "form"), HESSIANS)
def test_operator_form(text, declared, wrt, form):
    found = tcalc.hessian(tcalc.parse(text, declared), wrt).operator()
    if form is None:
        assert found is None
    else:
        assert sorted(found.split(" + ")) == sorted(form.split(" + "))


def test_jacobians_of_matrices():
    A = tcalc.parse("A*X*B", "A[k,m], X[m,n], B[n,l]")
    assert tcalc.jacobian(A, "X").operator() == "(B' ⊗ A)"
    assert tcalc.jacobian(tcalc.parse("inv(X)"), "X").operator() == "-(inv(X)' ⊗ inv(X))"
    assert A.operator() is None


FACTORED = [
    (
        "norm2(U*V'-T)^2",
        "U[m,k], V[n,k], T[m,n]",
        "U",
        "2 δ[i,k] (V'*V)[j,l]\noperator: 2 (V'*V ⊗ I)",
    ),
    ("sum(O.*(U*V'-T).^2)", "U[m,k], V[n,k], T[m,n], O[m,n]", "U", "2 δ[i,k] O[i,p] V[p,j] V[p,l]"),
    (
        "logdet(K)",
        "K[n,n]",
        "K",
        "-inv(K)[j,k] inv(K)[l,i]\noperator: -(inv(K) ⊗ inv(K)') T",
    ),
    ("norm2(x)^4/4 + norm2(x)^2", "x[n]", "x", "2 (1 + x'*x/2) δ[i,j] + 2 x[i] x[j]"),
    ("sum(exp(X))", "X[m,n]", "X", "δ[i,k] δ[j,l] exp(X)[i,j]"),
    ("sum(X)", "X[m,n]", "X", "0"),
]


@pytest.mark.parametrize(("text", "declared", "wrt", "form"), FACTORED)
def test_factored_form(text, declared, wrt, form):
    assert tcalc.hessian(tcalc.parse(text, declared), wrt).factored() == form


def test_long_cores_stand_below():
    f = tcalc.parse("sum(log(1 + exp(-y.*(X*w)))) + norm2(w)^2", "X[m,n], y[m], w[n]")
    first, second = tcalc.hessian(f, "w").factored().splitlines()
    assert first == "C1[i,j]"
    assert second.startswith("C1: [n,n], 2*eye(n) + X'*diag(")
