"""Whatever the text, the answer is a program or an error that points into it, and soon."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from language_cases import refused

import tcalc
from tcalc.errors import (
    ArgumentError,
    DomainError,
    IndexNotationError,
    LimitError,
    OrientationError,
    ParseError,
    TcalcError,
    UnknownNameError,
)
from tcalc.expr.traverse import postorder
from tcalc.expr.verify import verify
from tcalc.interpret import evaluate
from tcalc.language import parse, parse_declarations


@pytest.mark.parametrize(
    ("text", "line", "column", "hint"),
    [
        ("a +* b", 1, 4, ""),
        ("a **b", 1, 4, "`^`"),
        ("2x", 1, 2, "write `*`"),
        ("x y", 1, 3, "write `*`"),
        ("sin x", 1, 5, "`sin(...)`"),
        ("(a)(b)", 1, 1, "write `*`"),
        ("2(a)", 1, 1, "write `*`"),
        ("a = b = c", 1, 7, "where"),
        ("1 = 2", 1, 1, "where"),
        ("a, b", 1, 5, ""),
        ("A[:2,1]", 1, 4, "1:2"),
        ("A[i j]", 1, 5, "commas"),
        ("x[]y", 1, 4, "write `*`"),
        ("__import__('os')", 1, 1, "begins with a letter"),
        ("a +\n b", 1, 4, "parentheses"),
        ("sum(a,)", 1, 7, ""),
        ("sum(a; b)", 1, 6, ""),
        ("a − b", 1, 3, "`-`"),
        ("x²", 1, 2, "`^2`"),
        ("xᵀ", 1, 2, "`'`"),
        ("a % b", 1, 3, "`#`"),
        ("a != b", 1, 3, "comparison"),
        ("a.b", 1, 2, "`a*b`"),
        ('"abc', 1, 1, '`"`'),
        ("x\x00", 1, 2, "cannot be seen"),
        ("for", 1, 4, ""),
        ("for t in x", 1, 7, ""),
        ("end", 1, 1, "closes"),
        ("for = 3", 1, 5, ""),
        ("tensor 3", 1, 8, ""),
        ("a <", 1, 4, ""),
        ("a < b < c", 1, 7, "where"),
        ("'", 1, 1, ""),
        ("a\n\n\n  b c\n", 4, 5, ""),
        ("", 1, 1, "last bare expression"),
        ("# only a comment", 1, 1, "last bare expression"),
        ("tensor x[n]", 1, 1, "last bare expression"),
    ],
)
def test_wrong_syntax(text, line, column, hint):
    refused(text, ParseError, (line, column), hint)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("(a + b", 1, 1),
        ("a + b)", 1, 6),
        ("sum(a]", 1, 6),
        ("A[1,2)", 1, 6),
        ("(a + b\nc = 3", 1, 1),
        ("y = sum(x\nz = 2*y\nz", 1, 8),
        ("sum((x)", 1, 4),
        ("x{1", 1, 2),
        ("a\n)\nb", 2, 1),
        ("(" * 50_000 + "a" + ")" * 49_999, 1, 1),
        ("(" * 49_999 + "a" + ")" * 50_000, 1, 99_999 + 1),
    ],
)
def test_unbalanced_brackets_point_at_the_culprit(text, line, column):
    refused(text, ParseError, (line, column))


def test_a_wrong_closing_bracket_names_the_opening_one():
    error = refused("sum(a]", ParseError, (1, 6), "`)`")
    assert error.places[0].span.column == 4


def test_cases_of_the_language():
    refused("x*y", OrientationError, (1, 1), "x'*y")
    refused("x = x + 1", UnknownNameError, (1, 5), "assigned once")
    refused("z[i,k] = x[i]", IndexNotationError, (1, 10))
    refused("9^9^9^9", LimitError, (1, 3))


@pytest.mark.parametrize(
    ("text", "error", "column", "hint"),
    [
        ("Tr(A)", UnknownNameError, 1, "`tr`"),
        ("SUM(x)", UnknownNameError, 1, "`sum`"),
        ("sum(A, 1)", ParseError, 1, "sum[j](X[i,j])"),
        ("norm2(A, 2)", ParseError, 1, "norm2[j](X[i,j])"),
        ("sin(x, y)", ParseError, 1, "sine"),
        ("||x||", ParseError, 1, "norm2(x)"),
        ("A⁻¹", ParseError, 2, "inv(A)"),
        ("A.foo*x", ParseError, 2, "only `.T`"),
        ("\\alpha*x", ParseError, 1, "`alpha` or `α`"),
    ],
)
def test_habits_from_elsewhere_are_told_what_to_write(text, error, column, hint):
    refused(text, error, (1, column), hint)


@pytest.mark.parametrize("text", [None, 3, b"x", ["x"]])
def test_a_program_is_a_str(text):
    with pytest.raises(ArgumentError):
        parse(text)


DEEP = 50_000


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("(" * DEEP + "a" + ")" * DEEP, "a"),
        ("+".join(["a"] * DEEP), f"{DEEP}*a"),
        ("-".join(["x"] * DEEP), f"{2 - DEEP}*x"),
        ("s = " + "+".join(["x[i]"] * (DEEP // 3)), f"{DEEP // 3}*sum(x)"),
        ("-" * DEEP + "a", "a"),
        ("x" + "'" * DEEP, "x"),
        ("x[1" + "+1" * DEEP + "]", f"x[{DEEP + 1}]"),
        ("(" * (DEEP // 3) + "x" + ")[i]" * (DEEP // 3), "x"),
    ],
    ids=lambda text: text[:8],
)
def test_long_and_deep_programs(text, short):
    assert parse(text).value is parse(short).value


@pytest.mark.parametrize(
    "text",
    [
        "^".join(["a"] * (DEEP // 2)),
        "sin(" * (DEEP // 3) + "a" + ")" * (DEEP // 3),
    ],
    ids=lambda text: text[:8],
)
def test_programs_of_many_operations(text):
    assert len(postorder([parse(text).value])) >= DEEP // 3


def test_a_long_product_has_all_its_factors():
    product = parse("*".join(["a"] * (DEEP // 2))).value
    (value,) = evaluate([product], {"a": np.asarray(1.0001)})
    np.testing.assert_allclose(value, 1.0001 ** (DEEP // 2), rtol=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "a+" * 500_000 + "a",
        "(" * 1_000_000,
        "x" * 1_000_000,
        "\n" * 1_000_000,
        "9" * 110_000,
        "x" * 110_000,
        "a " * 55_000,
        "9^" * 55_000 + "9",
        "a" + "^2" * 50_000,
        '"' * 100_001,
        "for t=1:2\n" * 11_000,
        "for t=1:1000000000\n x{t}=1\nend\n1",
        "for t=1:1000\nfor u=1:1000\n x{t,u}=1\nend\nend\n1",
    ],
    ids=lambda text: text[:12],
)
def test_too_large_is_refused_soon(text):
    started = time.process_time()
    with pytest.raises(TcalcError) as caught:
        parse(text)
    assert time.process_time() - started < 15  # a second or two, where nothing else runs
    assert len(str(caught.value)) < 2000


def test_a_long_line_is_shown_round_the_caret():
    error = refused("a+" * 1000 + "* b" + "+a" * 1000, ParseError, (1, 2001))
    excerpt, carets = str(error).splitlines()[2:4]
    assert len(excerpt) < 110
    assert excerpt[carets.index("^")] == "*"


# Random text

_WORDS = [
    *"abxyAXijm", "1", "2.5", "1e999", "(", ")", "[", "]", "{", "}", ",", ";", "\n", ":", "=", "==",
    "<", "+", "-", "*", "/", "\\", ".*", "./", ".^", "^", "@", "'", ".T", "#", "#(", '"ij,jk->ik"',
    "for ", "end", "tensor ", "t", "sum(", "exp(", "max[j](", "softmax[i](", "where(", "x[i]",
    "A[i,j]", "delta[i,j]", "x{t}", "x{1}", "gradient(", "hessian(", "ones", "eye(", "einsum(",
    "stack(", "concat[i](", "qr(", "A\\x", "spd", " ", "2:end", "pi", "λ", "é", "_",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(_WORDS), max_size=14).map("".join))
def test_words_of_the_language_in_any_order(text):
    _only_our_errors(text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_any_text(text):
    _only_our_errors(text)
    try:
        parse_declarations(text)
    except TcalcError as error:
        str(error)


_ATOMS = ["a", "x", "A", "x[i]", "A[i,j]", "A[j,i]", "2", "x'", "(x[i]*y[i])", "delta[i,j]"]
_FORMS = [
    "{}+{}", "{}*{}", "{}.*{}", "{}/{}", "{}\\{}", "({})^2*{}", "-{}*{}", "exp({})*{}",
    "sum({}+{})", "max[j]({})+{}", "max({},{})", "where({}>0,{},1)", "softmax[i]({})*{}",
    "({}*{})[i,j]", "{}'*{}",
    "{}^{}", "concat({},{})", "stack[k]({},{})", "det({})*{}", "gradient({},x)*{}", "norm2({})*{}",
]  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(
    st.recursive(
        st.sampled_from(_ATOMS),
        lambda inner: st.builds(str.format, st.sampled_from(_FORMS), inner, inner),
        max_leaves=6,
    ),
    st.sampled_from(["", "z[i] = ", "s = ", "z[i,j] = "]),
)
def test_formulas_that_parse(formula, left):
    _only_our_errors(left + formula)


def _only_our_errors(text):
    try:
        program = parse(text)
    except TcalcError as error:
        assert "^" in str(error)
        assert error.line is not None
    else:
        verify([program.value, *program.definitions.values()])


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("1/0", 1),
        ("1/(c - c)", 3),
        ("x./(y - y)", 4),
        ("(c - c)^-1", 1),
        ("r = c - c; a + 1/r^2", 18),
        ("x/(tr(A) - tr(A'))", 3),
        ("z[i] = y[i]/(c*x[i] - x[i]*c)", 13),
        ("1/log(1)", 3),
        ("x/(exp(0) - 1)", 3),
        ("c*log(1)^(-1/2)", 3),
        ("pow(log(1), -1)", 1),
        ("reciprocal(sin(0))", 1),
        ("where(c > 0, c/log(1), c)", 16),
        ("gradient(c^2, c)/gradient(c*log(1), c)", 18),
    ],
)
def test_a_denominator_that_cancels_is_shown(text: str, column: int) -> None:
    refused(text, DomainError, (1, column), "no infinite numbers")


@pytest.mark.parametrize(
    "text", ["1/(exp(c)*exp(-c) - 1)", "c/(log(exp(c)) - c)", "1/max(0, 0)", "c*log(0)"]
)
def test_what_is_infinite_by_an_identity_is_printed_as_it_is_written(text: str) -> None:
    printed = str(tcalc.parse(text))
    assert "/0" not in printed
    assert str(tcalc.parse(printed)) == printed


def test_a_denominator_that_cancels_and_that_nothing_needs() -> None:
    assert parse("r = c - c; unused = 1/r; 2*c") is not None
