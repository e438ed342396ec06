"""The identities of Petersen and Pedersen, *The Matrix Cookbook* (2012), on random data."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc

SIZES = {"m": 3, "n": 4, "p": 2, "q": 5}

# A program, what it declares, a variable, and the derivative by it as the book has it.
IDENTITIES = [
    # Section 2.1
    ("det(X)", "X[n,n]", "X", "det(X)*inv(X)'"),
    ("det(A*X*B)", "X[n,n], A[n,n], B[n,n]", "X", "det(A*X*B)*inv(X')"),
    ("det(X'*A*X)", "X[n,n], A[n,n]", "X", "2*det(X'*A*X)*inv(X')"),
    ("det(X'*A*X)", "X[n,m], A[n,n]", "X", "det(X'*A*X)*(A*X*inv(X'*A*X)+A'*X*inv(X'*A'*X))"),
    ("log(det(X'*X))", "X[n,m]", "X", "2*pinv(X)'"),
    ("log(det(X'*X))", "X[n,m]", "X", "2*X*inv(X'*X)"),
    ("logdet(X)", "X[n,n]", "X", "inv(X)'"),
    ("det(X^3)", "X[n,n]", "X", "3*det(X^3)*inv(X')"),
    ("det(inv(X))", "X[n,n]", "X", "-det(inv(X))*inv(X)'"),
    ("logdet(kron(A,B))", "A[n,n], B[m,m]", "A", "m*inv(A)'"),
    # Section 2.2
    ("a'*inv(X)*b", "X[n,n], a[n], b[n]", "X", "-inv(X)'*a*b'*inv(X)'"),
    ("tr(A*inv(X)*B)", "X[n,n], A[m,n], B[n,m]", "X", "-(inv(X)*B*A*inv(X))'"),
    ("tr(inv(X+A))", "X[n,n], A[n,n]", "X", "-(inv(X+A)*inv(X+A))'"),
    ("tr(A*inv(X)*B)", "X[n,n], A[m,n], B[n,m]", "X", "-inv(X)'*A'*B'*inv(X)'"),
    (
        "tr(inv(X'*C*X)*A)",
        "X[n,m], C[n,n] symmetric, A[m,m]",
        "X",
        "-(C*X*inv(X'*C*X))*(A+A')*inv(X'*C*X)",
    ),
    (
        "tr(inv(X'*C*X)*(X'*B*X))",
        "X[n,m], C[n,n] symmetric, B[n,n] symmetric",
        "X",
        "-2*C*X*inv(X'*C*X)*X'*B*X*inv(X'*C*X)+2*B*X*inv(X'*C*X)",
    ),
    (
        "tr(inv(A+X'*C*X)*(X'*B*X))",
        "X[n,m], C[n,n] symmetric, B[n,n] symmetric, A[m,m] symmetric",
        "X",
        "-2*C*X*inv(A+X'*C*X)*X'*B*X*inv(A+X'*C*X)+2*B*X*inv(A+X'*C*X)",
    ),
    # Section 2.3
    ("sum(eigvalsh(X))", "X[n,n] symmetric", "X", "eye(n)"),
    # Section 2.4
    ("a'*x", "a[n], x[n]", "x", "a"),
    ("a'*X*b", "X[m,n], a[m], b[n]", "X", "a*b'"),
    ("a'*X'*b", "X[m,n], b[m], a[n]", "X", "b*a'"),
    ("a'*X*a", "X[n,n], a[n]", "X", "a*a'"),
    ("sum(X)^2", "X[m,n]", "X", "2*sum(X)*ones(m,n)"),
    ("b'*X'*X*c", "X[m,n], b[n], c[n]", "X", "X*(b*c'+c*b')"),
    (
        "(B*x+b)'*C*(D*x+d)",
        "B[m,n], D[m,n], C[m,m], x[n], b[m], d[m]",
        "x",
        "B'*C*(D*x+d)+D'*C'*(B*x+b)",
    ),
    ("x'*B*x", "x[n], B[n,n]", "x", "(B+B')*x"),
    ("b'*X'*D*X*c", "X[m,n], D[m,m], b[n], c[n]", "X", "D'*X*b*c'+D*X*c*b'"),
    ("(X*b+c)'*D*(X*b+c)", "X[m,n], D[m,m], b[n], c[m]", "X", "(D+D')*(X*b+c)*b'"),
    ("(x-A*s)'*W*(x-A*s)", "x[n], A[n,m], s[m], W[n,n] symmetric", "s", "-2*A'*W*(x-A*s)"),
    ("(x-A*s)'*W*(x-A*s)", "x[n], A[n,m], s[m], W[n,n] symmetric", "x", "2*W*(x-A*s)"),
    ("(x-A*s)'*W*(x-A*s)", "x[n], A[n,m], s[m], W[n,n] symmetric", "A", "-2*W*(x-A*s)*s'"),
    ("a'*X^3*b", "X[n,n], a[n], b[n]", "X", "a*b'*X'^2 + X'*a*b'*X' + X'^2*a*b'"),
    (
        "a'*(X^2)'*X^2*b",
        "X[n,n], a[n], b[n]",
        "X",
        "X^2*b*a'*X'+X'*X^2*b*a' + X^2*a*b'*X'+X'*X^2*a*b'",
    ),
    ("norm2(A*X*B-C)^2", "X[m,n], A[p,m], B[n,q], C[p,q]", "X", "2*A'*(A*X*B-C)*B'"),
    # Section 2.5
    ("tr(X'*B*X)", "X[n,m], B[n,n]", "X", "B*X+B'*X"),
    ("tr(X)", "X[n,n]", "X", "eye(n)"),
    ("tr(X*A)", "X[m,n], A[n,m]", "X", "A'"),
    ("tr(A*X*B)", "X[m,n], A[p,m], B[n,p]", "X", "A'*B'"),
    ("tr(A*X'*B)", "X[m,n], A[p,n], B[m,p]", "X", "B*A"),
    ("tr(kron(A,X))", "X[n,n], A[m,m]", "X", "tr(A)*eye(n)"),
    ("tr(X^2)", "X[n,n]", "X", "2*X'"),
    ("tr(X^2*B)", "X[n,n], B[n,n]", "X", "(X*B+B*X)'"),
    ("tr(X'*B*X)", "X[n,m], B[n,n]", "X", "B*X+B'*X"),
    ("tr(X*B*X')", "X[m,n], B[n,n]", "X", "X*B'+X*B"),
    ("tr(A*X*B*X)", "X[n,n], A[n,n], B[n,n]", "X", "A'*X'*B'+B'*X'*A'"),
    ("tr(X'*X)", "X[n,m]", "X", "2*X"),
    ("tr(B*X'*X*B')", "X[n,m], B[p,m]", "X", "2*X*B'*B"),
    ("tr(B'*X'*C*X*B)", "X[n,m], B[m,p], C[n,n]", "X", "C'*X*B*B'+C*X*B*B'"),
    ("tr(X'*B*X*C)", "X[n,m], B[n,n], C[m,m]", "X", "B*X*C+B'*X*C'"),
    ("tr(A*X*B*X'*C)", "X[m,n], A[p,m], B[n,n], C[m,p]", "X", "A'*C'*X*B'+C*A*X*B"),
    ("tr((A*X*B+C)*(A*X*B+C)')", "X[m,n], A[p,m], B[n,q], C[p,q]", "X", "2*A'*(A*X*B+C)*B'"),
    ("tr(kron(X,X))", "X[n,n]", "X", "2*tr(X)*eye(n)"),
    ("tr(X^4)", "X[n,n]", "X", "4*(X^3)'"),
    ("tr(A*X^3)", "X[n,n], A[n,n]", "X", "(A*X^2+X*A*X+X^2*A)'"),
    (
        "tr(B'*X'*C*X*X'*C*X*B)",
        "X[n,m], C[n,n], B[m,p]",
        "X",
        "C*X*X'*C*X*B*B'+C'*X*B*B'*X'*C'*X+C*X*B*B'*X'*C*X+C'*X*X'*C'*X*B*B'",
    ),
    ("tr(sin(X))", "X[n,n]", "X", "diag(diag(cos(X)))"),
    # Sections 2.6 and 2.7
    ("norm2(x-a)", "x[n], a[n]", "x", "(x-a)/norm2(x-a)"),
    ("(x-a)/norm2(x-a)", "x[n], a[n]", "x", "eye(n)/norm2(x-a) - (x-a)*(x-a)'/norm2(x-a)^3"),
    ("norm2(x)^2", "x[n]", "x", "2*x"),
    ("norm2(X)^2", "X[m,n]", "X", "2*X"),
    ("norm2(X)", "X[m,n]", "X", "X/norm2(X)"),
    ("normnuc(X)", "X[n,m]", "X", "X*inv(sqrtm(X'*X))"),
    # Section 2.8
    ("det(X'*A*X)", "X[n,m], A[n,n] symmetric", "X", "2*det(X'*A*X)*A*X*inv(X'*A*X)"),
    ("tr(A*X)", "X[n,n] symmetric, A[n,n]", "X", "(A+A')/2"),
    ("det(X)", "X[n,n] symmetric", "X", "det(X)*inv(X)"),
    ("logdet(X)", "X[n,n] symmetric", "X", "inv(X)"),
    ("tr(A*X)", "X[n,n] diagonal, A[n,n]", "X", "diag(diag(A))"),
    # Sections 5 and 10
    ("norm2(A*x-b)^2", "A[m,n], x[n], b[m]", "x", "2*A'*(A*x-b)"),
    ("(A*x-b)'*W*(A*x-b)", "A[m,n], x[n], b[m], W[m,m] spd", "x", "2*A'*W*(A*x-b)"),
    ("norm2(A*x-b)^2+c*norm2(x)^2", "A[m,n], x[n], b[m]", "x", "2*A'*(A*x-b)+2*c*x"),
    ("vec(A*X*B)'*vec(C)", "A[p,m], X[m,n], B[n,q], C[p,q]", "X", "A'*C*B'"),
    ("sum((A*X).*B)", "A[p,m], X[m,n], B[p,n]", "X", "A'*B"),
    # Section 8
    ("-logdet(S)/2 - (x-m)'*inv(S)*(x-m)/2", "S[n,n] spd, x[n], m[n]", "m", "inv(S)*(x-m)"),
    (
        "-logdet(S)/2 - (x-m)'*inv(S)*(x-m)/2",
        "S[n,n] spd, x[n], m[n]",
        "S",
        "-inv(S)/2+inv(S)*(x-m)*(x-m)'*inv(S)/2",
    ),
    (
        "exp(-(x-m)'*inv(S)*(x-m)/2)/sqrt(det(2*pi*S))",
        "S[n,n] spd, x[n], m[n]",
        "x",
        "-exp(-(x-m)'*inv(S)*(x-m)/2)/sqrt(det(2*pi*S))*inv(S)*(x-m)",
    ),
    ("m'*A*m+tr(A*S)", "A[n,n], S[n,n] spd, m[n]", "m", "(A+A')*m"),
    ("log(sqrt(det(2*pi*S)))+n/2", "S[n,n] spd", "S", "inv(S)/2"),
    # Sections 2.5 and 10.3
    ("tr(expm(X))", "X[n,n]", "X", "expm(X)'"),
    ("tr(logm(X))", "X[n,n] spd", "X", "inv(X)"),
    ("tr(sqrtm(X))", "X[n,n] spd", "X", "inv(sqrtm(X))/2"),
]


@pytest.mark.parametrize(("text", "declared", "wrt", "book"), IDENTITIES, ids=lambda x: x)
def test_the_derivative_is_that_of_the_book(text, declared, wrt, book):
    function = tcalc.parse(text, declared)
    found = tcalc.jacobian(function, wrt)
    wanted = tcalc.parse(book, declared)
    generator = np.random.default_rng(0)
    variables = {**function.variables, **wanted.variables}
    data = {name: draw(x, generator) for name, x in variables.items()}
    values = [
        tcalc.evaluate(expression, **{name: data[name] for name in expression.variables})
        for expression in (found, wanted)
    ]
    np.testing.assert_allclose(*values, rtol=1e-8, atol=1e-10)


def draw(variable, generator):
    """Data of the size and the structure of a variable; square matrices far from singular."""
    array = generator.standard_normal([dim.evaluate(SIZES) for dim in variable.dims])
    if variable.order < 2 or array.shape[0] != array.shape[1]:
        return array
    match variable.properties:
        case ("symmetric",):
            return array + array.T + 9 * np.eye(len(array))
        case ("spd",):
            return array @ array.T + np.eye(len(array))
        case ("diagonal",):
            return np.diag(np.diag(array))
    return array + 4 * np.eye(len(array))
