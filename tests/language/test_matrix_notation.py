"""Section 2: matrix notation."""

from __future__ import annotations

import numpy as np
import pytest
from language_cases import check, refused, same, value
from scipy import special

from tcalc.calculus import derivative
from tcalc.checking import check_derivative
from tcalc.errors import (
    DimensionError,
    DomainError,
    IndexNotationError,
    LimitError,
    OrientationError,
    ParseError,
    UnknownNameError,
    UnsupportedError,
)
from tcalc.language import parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-a^2", lambda a: -(a**2)),
        ("2^-1", lambda: 0.5),
        ("2^3^2", lambda: 512),
        ("a^-b^2", lambda a, b: np.abs(a) ** -(b**2)),
        ("-a*b", lambda a, b: -a * b),
        ("a*-b", lambda a, b: -a * b),
        ("a-b-c", lambda a, b, c: a - b - c),
        ("a/b/c", lambda a, b, c: a / b / c),
        ("a/b*c", lambda a, b, c: a / b * c),
        ("x'*y", lambda x, y: x @ y),
        ("-x.^2", lambda x: -(x**2)),
        ("2.^x", lambda x: 2**x),
        ("2.*x", lambda x: 2 * x),
        ("1./x", lambda x: 1 / x),
        ("2*x'.^2", lambda x: 2 * x**2),
        ("A*B'", lambda A, B: A @ B.T),
        ("A.T*B", lambda A, B: A.T @ B),
        ("A @ B", lambda A, B: A @ B),
        ("+a", lambda a: a),
        ("--a", lambda a: a),
        ("x*y'", lambda x, y: np.outer(x, y)),
        ("x'*A*y", lambda x, A, y: x @ A @ y),
        ("x'*A", lambda x, A: x @ A),
        ("x*y'*z", lambda x, y, z: np.outer(x, y) @ z),
        ("x'*y*z", lambda x, y, z: (x @ y) * z),
        ("a*x*b", lambda a, x, b: a * x * b),
        ("a + x", lambda a, x: a + x),
        ("A - 1", lambda A: A - 1),
        ("a .* A ./ b", lambda a, A, b: a * A / b),
        ("x .* y ./ z", lambda x, y, z: x * y / z),
        ("A / b", lambda A, b: A / b),
        ("x''", lambda x: x),
        (".5 + 2. + 1e-3 + 2.5E+1", lambda: 27.501),
    ],
)
def test_operators_and_their_precedence(text, expected):
    if text == "a^-b^2":
        check(text, expected, "a positive, b")
    else:
        check(text, expected)


SQUARE = "A[n,n], B[n,n], b[n], C[m,n]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"A \ b", lambda A, b: np.linalg.solve(A, b)),
        (r"A \ B", lambda A, B: np.linalg.solve(A, B)),
        ("C / A", lambda C, A: C @ np.linalg.inv(A)),
        ("b' / A", lambda b, A: b @ np.linalg.inv(A)),
        ("1 / A", lambda A: np.linalg.inv(A)),
        ("A^2", lambda A: A @ A),
        ("A^0", lambda A: np.eye(4)),
        ("A^7", lambda A: np.linalg.matrix_power(A, 7)),
        ("A^-1", lambda A: np.linalg.inv(A)),
        ("A^-3", lambda A: np.linalg.matrix_power(np.linalg.inv(A), 3)),
        ("A.^-1", lambda A: 1 / A),
        (r"2 \ A", lambda A: A / 2),
        (r"A \ b * 2", lambda A, b: 2 * np.linalg.solve(A, b)),
        ("solve(A, b)", lambda A, b: np.linalg.solve(A, b)),
        ("inv(A)*b", lambda A, b: np.linalg.solve(A, b)),
        ("tr(A*B)", lambda A, B: np.trace(A @ B)),
        ("diag(b)*A", lambda A, b: b[:, None] * A),
        ("diag(A)", lambda A: np.diag(A)),
        ("tril(A) + triu(A)", lambda A: np.tril(A) + np.triu(A)),
        ("tril(A, -1) + triu(A, 1)", lambda A: np.tril(A, -1) + np.triu(A, 1)),
        ("tril(A, 2)*x", lambda A, x: np.tril(A, 2) @ x),
        ("triu(A', -2)", lambda A: np.triu(A.T, -2)),
        ("outer(b, b)", lambda b: np.outer(b, b)),
        ("dot(b, b)", lambda b: b @ b),
        ("transpose(C)*C", lambda C: C.T @ C),
        ("hadamard(A, B)", lambda A, B: A * B),
        ("det(A)", lambda A: np.linalg.det(A)),
    ],
)
def test_linear_algebra(text, expected):
    check(text, expected, SQUARE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum(A)", lambda A: A.sum()),
        ("mean(x)", lambda x: x.mean()),
        ("prod(x)", lambda x: x.prod()),
        ("max(A)", lambda A: A.max()),
        ("min(x)", lambda x: x.min()),
        ("max(x, 0)", lambda x: np.maximum(x, 0)),
        ("min(x, y)", lambda x, y: np.minimum(x, y)),
        ("logsumexp(x)", lambda x: special.logsumexp(x)),
        ("norm1(A)", lambda A: np.abs(A).sum()),
        ("norm2(A)", lambda A: np.sqrt((A**2).sum())),
        ("norm2(x)^2", lambda x: x @ x),
        ("norminf(x)", lambda x: np.abs(x).max()),
        ("softmax(A)", lambda A: special.softmax(A, axis=-1)),
        ("logsoftmax(x)", lambda x: special.log_softmax(x)),
        ("cumsum(x)", lambda x: np.cumsum(x)),
        ("cumsum(A)", lambda A: np.cumsum(A, axis=-1)),
        ("norm2(a)", lambda a: abs(a)),
        ("norminf(a) + max(a) + min(a) + prod(a) + logsumexp(a)", lambda a: abs(a) + 4 * a),
        ("atan2(x, y)", lambda x, y: np.arctan2(x, y)),
        ("arctan2(x, y) + arctan(x)", lambda x, y: np.arctan2(x, y) + np.arctan(x)),
        ("tr(x'*y) + det(a) + inv(a)", lambda x, y, a: x @ y + a + 1 / a),
        ("pow(2, x)", lambda x: 2**x),
        ("xlogx(a)", lambda a: special.xlogy(a, a)),
    ],
)
def test_functions(text, expected):
    check(text, expected, "a positive" if "xlogx" in text else "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x + vector(1)", lambda x: x + 1),
        ("A + matrix(a)", lambda A, a: A + a),
        ("A*vector(2)", lambda A: 2 * A.sum(1)),
        ("A + ones", lambda A: A + 1),
        ("x - ones", lambda x: x - 1),
        ("A*ones", lambda A: A.sum(1)),
        ("ones'*x", lambda x: x.sum()),
        ("x + 2*ones", lambda x: x + 2),
        ("A*zeros", lambda A: 0 * A.sum(1)),
        ("A + eye", lambda A: A + np.eye(3)),
        ("eye*x", lambda x: x),
        ("ones(m,n) + C", lambda C: 1 + C),
        ("ones(m)*x'", lambda x, C: np.outer(np.ones(3), x)),
        ("ones(2,3)", lambda: np.ones((2, 3))),
        ("zeros(2)", lambda: np.zeros(2)),
        ("eye(n)*x", lambda x: x),
        ("eye(3)", lambda: np.eye(3)),
        ("eye(n,n)*x", lambda x: x),
        ("ones(n-1) + x[2:end]", lambda x: 1 + x[1:]),
        ("ones(2*m + 1)", lambda C: np.ones(7)),
        ("exp(ones)'*x", lambda x: np.e * x.sum()),
        ("ones[i]*x[i]", lambda x: x.sum()),
        ("x.^c", lambda x: x**3),
    ],
)
def test_constants(text, expected):
    declarations = {"(m": "C[m,n]", "2*m": "C[m,n]", "(n": "x[n]"}
    declared = next((d for part, d in declarations.items() if part in text), "")
    if text == "x.^c":
        check("c = 3; x.^c", expected)
    else:
        check(text, expected, declared)


def test_orientation_travels():
    assert parse("z = x'; exp(-2*z)").orientation == "row"
    assert parse("z = x'; z'").orientation == "column"
    assert parse("x'*A").orientation == "row"
    assert parse("A*x").orientation == "column"
    assert parse("a*A").orientation == ""
    assert parse("softmax(x')").orientation == "row"
    check("z = exp(x'); z*y", lambda x, y: np.exp(x) @ y)


@pytest.mark.parametrize(
    ("text", "column", "hint"),
    [
        ("x*y", 1, "x'*y"),
        ("x'*y'", 1, "column*row"),
        ("x'+y", 1, "transpose"),
        ("x'.*y", 1, "outer product x*y'"),
        ("x*A", 1, "diag(x)"),
        ("A*x'", 1, "transpose"),
        ("1/x", 1, "./"),
        ("A/x", 1, "./"),
        ("x^2", 1, ".^"),
        ("2^x", 1, ".^"),
        ("a^A", 1, ".^"),
        (r"x \ y", 1, "./"),
        ("b + x*y", 5, "x.*y"),
    ],
)
def test_orientation_errors_offer_what_was_meant(text, column, hint):
    refused(text, OrientationError, (1, column), hint)


@pytest.mark.parametrize(
    ("text", "kind", "hint"),
    [
        ("A^a", DimensionError, ".^"),
        ("A^0.5", DimensionError, ".^"),
        ("x + A", DimensionError, "ones*x' has x in every row"),
        ("det(x)", DimensionError, ""),
        ("vector(x)", DimensionError, ""),
        ("softmax(a)", DimensionError, ""),
        ("exp()", ParseError, ""),
        ("exp(x, y)", ParseError, ""),
        ("atan2(x)", ParseError, ""),
        ("T^2", DimensionError, "with indices"),
        ("A/T", DimensionError, "with indices"),
        ("T/A", DimensionError, "with indices"),
        ("A^2000000", LimitError, "a loop"),
        ("(-2)^(1/2)", DomainError, "real"),
        ("0^-1", DomainError, "infinite"),
        ("eye(2,2,2)", ParseError, "eye(n)"),
        ("concat()", ParseError, "concat(x, y)"),
        ("concat[1,2](x, y)", IndexNotationError, "concat[2]"),
    ],
)
def test_misfits(text, kind, hint):
    declared = "T[n,n,n]" if "T" in text else ""
    refused(text, kind, (1, 1), hint, declared)


def test_the_transpose_is_a_prime():
    refused("A^T", OrientationError, (1, 1), "`A'`")
    refused("A^T", DimensionError, (1, 1), "`A'`", "A[n,n], T")


def test_squares_only():
    for text in ("det(X)", "inv(X)", "tr(X)", "X^2", "1/X"):
        with pytest.raises(DimensionError, match="m against n"):
            parse(text, "X[m,n]")


def test_dimension_of_a_solve():
    with pytest.raises(DimensionError, match="n against m"):
        parse(r"A \ y", "A[n,n], y[m]")


# Numbers


def test_literals_beyond_double_range():
    refused("1 + 1e999", LimitError, (1, 5))
    refused("1e-999", LimitError, (1, 1))
    refused("9" * 500, LimitError, (1, 1))
    assert value("1e308") == 1e308
    assert value("0e999") == 0


def test_powers_of_numbers_fold_only_while_small():
    same("2^10*x", "1024*x")
    refused("9^9^9^9", LimitError, (1, 3), "right")
    refused("2^2000", LimitError, (1, 1))
    assert np.isclose(value("2^0.5"), np.sqrt(2))
    assert np.isclose(value("1.0001^10000"), 1.0001**10000)


def test_division_by_zero():
    refused("x/0", DomainError, (1, 1))
    refused("0^-1", DomainError, (1, 1))


# Branches


def test_where():
    check("where(x > 0, x, 2*x)", lambda x: np.where(x > 0, x, 2 * x))
    check("where(a <= b, A, 0)", lambda a, b, A: np.where(a <= b, A, 0 * A))
    check("where(x == x, 1, 0)", lambda x: np.ones(3))
    check("where((x >= y), x, y)", lambda x, y: np.maximum(x, y))
    check("z[i] = where(x[i] < y[i], x[i], y[i])", lambda x, y: np.minimum(x, y))


def test_comparisons_stand_in_where_only():
    refused("x < y", UnsupportedError, (1, 1), "where(")
    refused("1 + (x < y)", UnsupportedError, (1, 6), "where(")
    refused("where(x, y, z)", UnsupportedError, (1, 7), "where(x < y")


# Joining


def test_stack_and_concat():
    check("concat(x, y)", lambda x, y: np.concatenate([x, y]), "x[m], y[n]")
    check("concat[2](A, B)", lambda A, B: np.hstack([A, B]), "A[m,n], B[m,k]")
    check("concat(A, B)", lambda A, B: np.vstack([A, B]), "A[m,n], B[k,n]")
    check("stack(x, 2*x, y)", lambda x, y: np.stack([x, 2 * x, y]))
    check("stack[2](x, y)", lambda x, y: np.stack([x, y], 1))
    check("stack(a, b, 1)", lambda a, b: np.array([a, b, 1]))
    check("s = concat[i](x[i], y[i])", lambda x, y: x.sum() + y.sum(), "x[m], y[n]")
    check(
        "z[j,i] = concat[i](A[i,j], B[i,j])",
        lambda A, B: np.concatenate([A, B]).T,
        "A[m,n], B[k,n]",
    )
    check("z[i,t] = stack[t](x[i], y[i])", lambda x, y: np.stack([x, y], 1))
    check(
        "z[i,j,t] = stack[t](x[i], y[j])",
        lambda x, y: np.stack([np.add.outer(x, 0 * y), np.add.outer(0 * x, y)], 2),
        "x[m], y[n]",
    )
    assert str(parse("concat(x, y)", "x[m], y[n]").value.dims[0]) == "m + n"


def test_wrong_joins():
    refused("concat(a, b)", DimensionError, (1, 8), "stack")
    refused("concat[3](A, B)", DimensionError, (1, 1))
    refused("concat(A, B)", DimensionError, (1, 1), "", "A[m,n], B[m,k]")
    refused("stack(x[i], y[i])", IndexNotationError, (1, 1), "stack[k]")


# Functions


def test_unknown_functions():
    refused("epx(x)", UnknownNameError, (1, 1), "`exp`")
    refused("2 + x(y)", UnknownNameError, (1, 5), "x*(...)")
    refused("y = 2*x\ny(3)", UnknownNameError, (2, 1), "y*(...)")
    refused("foobarbaz(3)", UnknownNameError, (1, 1), "tcalc functions")
    refused("trace(A)", UnknownNameError, (1, 1), "`tr`")


def test_arguments_of_the_wrong_order():
    error = refused("outer(A, x)", DimensionError, (1, 1))
    assert error.message == "`outer` takes a vector and a vector, not a matrix and a column"


@pytest.mark.parametrize(
    "text",
    [
        "0.5*x'*A*x",
        "A*exp(x)",
        "(y.*v)'*x",
        "a^b",
        "norm1(A*x-y)",
        "norm2(A*x-y)^2",
        "sum(log(exp(-y.*(X*w)) + vector(1)))",
        "tr(A*X'*B*X*C)",
        "log(det(inv(X)))",
        "sin(x)'*y",
        "norm1(A)",
        "tr(matrix(1)*A)",
        '#("ij,jk->ik", A, B)',
        "log(det(X))",
        "x'*A*x/(x'*x)",
    ],
)
def test_what_matrixcalculus_accepts(text):
    program = parse(text)
    variable = next(iter(program.variables.values()))
    report = check_derivative(program.value, derivative(program.value, [variable]), variable)
    assert report, str(report)


@pytest.mark.parametrize(
    ("reduction", "plain"),
    [("norm2", "abs(a)"), ("norminf", "abs(a)"), ("max", "a"), ("prod", "a"), ("logsumexp", "a")],
)
def test_a_reduction_of_a_scalar_has_no_axis_of_its_own(reduction, plain):
    assert parse(f"{reduction}(a)").value is parse(plain).value
