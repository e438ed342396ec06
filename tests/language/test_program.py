"""Section 1: statements, declarations, names, guesses, loops."""

from __future__ import annotations

import numpy as np
import pytest
from language_cases import check, refused, value

from tcalc.errors import (
    ArgumentError,
    DimensionError,
    IndexNotationError,
    LimitError,
    ParseError,
    TcalcError,
    UnknownNameError,
)
from tcalc.language import inputs, parse, parse_declarations
from tcalc.language.names import guessed_order

MODEL = """
tensor X[m,n], y[m], w[n]            # declarations: name, dimensions, properties
tensor K[n,n] spd
z[i] = -y[i] * X[i,j] * w[j]         # a definition in Einstein notation
f = sum(log(1 + exp(z)))             # a definition in matrix notation
f + norm2(w)^2 / 2                   # the value
"""


def test_the_program_of_the_manual():
    check(MODEL, lambda X, y, w: np.log1p(np.exp(-y * (X @ w))).sum() + w @ w / 2)


def test_statements_end_at_newlines_and_semicolons():
    check("z = 2*x; y = 3*z\n\n;; y + z", lambda x: 8 * x)


def test_a_comment_starts_with_a_hash_that_no_parenthesis_follows():
    check('#("ij,jk->ik", A, B) # the product', lambda A, B: A @ B)


def test_the_value_is_the_last_bare_expression():
    check("2*x\n3*x\ny = 4*x", lambda x: 3 * x)


def test_without_a_bare_expression_it_is_the_last_definition():
    check("y = 4*x\nz = 5*y", lambda x: 20 * x)


def test_newlines_in_brackets_are_white_space():
    check("sum(\n  x\n  + 1\n) + A[\n1,\n2]", lambda x, A: x.sum() + x.size + A[0, 1])


def test_windows_line_ends():
    check("y = 2*x\r\ny + 1\r\n", lambda x: 2 * x + 1)


# Declarations


def test_several_properties_and_commas():
    found = parse_declarations("X[n,n] spd, x[n] positive integer, c, d[], T[3,n,m]")
    assert found["X"].properties == ("spd",)
    assert found["x"].properties == ("integer", "positive")
    assert [variable.order for variable in found.values()] == [2, 1, 0, 0, 3]
    assert [str(dim) for dim in found["T"].dims] == ["3", "n", "m"]


def test_declarations_may_say_tensor_and_use_lines():
    found = parse_declarations("tensor X[m,\n n], y\nw[n]; tensor v[n]")
    assert list(found) == ["X", "y", "w", "v"]


def test_declarations_come_before_the_text_and_may_stand_anywhere_in_it():
    program = parse("X*w\ntensor w[n]", "X[m,n]")
    assert list(program.variables) == ["X", "w"]
    assert program.guesses == {}


def test_declared_variables_that_nothing_uses_are_inputs_all_the_same():
    assert list(parse("sum(x)", "x[n], y[n]").variables) == ["x", "y"]


@pytest.mark.parametrize(
    ("text", "kind", "column", "hint"),
    [
        ("x[n] positve", ParseError, 6, "positive"),
        ("x[n] spd", DimensionError, 1, ""),
        ("X[m,n] symmetric", DimensionError, 1, ""),
        ("x[0]", ParseError, 3, ""),
        ("x[1.5]", IndexNotationError, 3, ""),
        ("x[n], x[m]", UnknownNameError, 7, ""),
        ("x[n], n", UnknownNameError, 7, "rename"),
        ("f(x)", ParseError, 2, ""),
    ],
)
def test_wrong_declarations(text, kind, column, hint):
    error = refused("1", kind, (1, column), hint, text)
    assert "declarations, line 1" in str(error)


# Names


def test_spaces_of_names_are_separate_for_indices():
    check("i[i] * j[i,j]", lambda i, j: i @ j)


def test_a_dimension_is_a_value():
    check("norm2(X*w-y)^2 / m", lambda X, w, y: np.sum((X @ w - y) ** 2) / 3, "X[m,n]")


def test_a_definition_and_a_dimension_of_one_name():
    error = refused("n = 3\nX*x + n", UnknownNameError, (1, 1), "rename", "X[m,n]")
    assert "declarations" in str(error)


def test_a_declared_name_cannot_be_assigned():
    error = refused("x = 3\nx", UnknownNameError, (1, 1), "assigned once", "x[n]")
    assert error.places


@pytest.mark.parametrize(
    ("name", "order"),
    [
        *((letter, 0) for letter in "abcdefg"),
        *((letter, 1) for letter in "hijklmnopqrstuvwxyz"),
        *((letter, 2) for letter in "ABCXYZ"),
        *((name, 0) for name in ("alpha", "λ", "omega", "Σ", "alpha_2", "a1", "g_rate", "é")),
        *((name, 1) for name in ("weights", "x1", "x_train", "über", "abc")),
        *((name, 2) for name in ("Data", "X1", "X_train", "É")),
    ],
)
def test_undeclared_names_are_guessed_by_their_spelling(name, order):
    assert guessed_order(name) == order


def test_guesses_are_told():
    program = parse("a*A*x")
    assert program.guesses == {"a": "scalar", "A": "matrix", "x": "vector"}
    assert parse("s = T[i,j,k]*a[i]").guesses == {"T": "tensor3", "a": "vector"}


def test_a_name_with_brackets_has_as_many_axes_as_indices():
    check("s = a[i]*a[i]", lambda a: a @ a)
    check("sum(a) + a[1]", lambda a: a.sum() + a[0])


def test_brackets_that_disagree():
    error = refused("A[i,j]*A[i]", IndexNotationError, (1, 8))
    assert error.places[0].span.column == 1


def test_e_is_an_ordinary_scalar_and_pi_a_constant():
    check("e*pi", lambda e: e * np.pi)


def test_pi_may_be_declared():
    check("pi + 1", lambda pi: pi + 1, "pi[n]")


def test_function_names_are_functions_only_before_a_parenthesis():
    check("exp(exp) .* max[1]", lambda exp, max: np.exp(exp) * max[0])


def test_a_prime_is_never_part_of_a_name():
    check("x'*x", lambda x: x @ x)


def test_accented_and_greek_names():
    check("λ*größe + σ_1", lambda λ, größe, σ_1: λ * größe + σ_1)
    check("ẋ'*ẋ", lambda ẋ: ẋ @ ẋ)


def test_names_are_plain_strings():
    (name,) = parse("tensor größe[n]\nsum(größe)").variables
    assert type(name) is str


def test_one_spelling_of_an_accented_letter():
    program = parse("e\u0301x'*\u00e9x")
    assert list(program.variables) == ["\u00e9x"]


# Dimensions


def test_dimensions_are_inferred_and_named():
    program = parse("X*w - y")
    assert [str(v.dims[0]) for v in program.variables.values()] == ["m", "n", "m"]


def test_names_of_dimensions_avoid_those_of_variables():
    program = parse("m'*X*n")
    assert not {str(dim) for v in program.variables.values() for dim in v.dims} & {"m", "n", "X"}


def test_a_size_that_the_last_line_tells():
    check("z = vector(1)\nf = sum(z)\nf * (x'*z)", lambda x: 4 * x.sum(), "x[n]")


def test_a_size_that_nothing_tells():
    refused("sum(vector(1))", DimensionError, (1, 5), "")
    refused("sum(ones(n))", DimensionError, (1, 10), "")


def test_a_clash_shows_both_places():
    error = refused(
        "tensor X[m,n], w[k]\nX*w", DimensionError, (2, 1), "equal only where they have one name"
    )
    notes = {(place.note, place.span.line, place.span.column) for place in error.places}
    assert {("`X` has n", 2, 1), ("`w` has k", 2, 3)} <= notes
    assert {("n is declared here", 1, 12), ("k is declared here", 1, 18)} <= notes


def test_a_clash_shows_where_a_size_comes_from():
    error = refused("X*w\nz = X*w\nY*w + z", DimensionError, (3, 1), "", "X[m,n], Y[m,k]")
    assert ("n follows from here", 2) in {(p.note, p.span.line) for p in error.places}


def test_numbers_clash():
    refused("x + y", DimensionError, (1, 1), "", "x[3], y[4]")
    refused("x + y", DimensionError, (1, 1), "", "x[3], y[n]")
    refused("x[2:end] + x", DimensionError, (1, 1), "")


@pytest.mark.parametrize(
    ("text", "kind", "column", "hint", "declarations", "parameters"),
    [
        ("a*x", ArgumentError, 1, "rename", "a", {"a": 2}),
        ("x", DimensionError, 3, "positive integer", "x[n]", {"n": 2.5}),
        ("x", DimensionError, 3, "positive integer", "x[n]", {"n": 0}),
        ("x", DimensionError, 3, "at least 1", "x[n-m]", {"n": 2, "m": 3}),
        ("x[k]", IndexNotationError, 3, "counted from 1", "x[n]", {"k": 1.5}),
        ("ones(k)*a", ParseError, 6, "ones(m, n-1)", "", {"k": 1.5}),
    ],
)
def test_given_numbers_that_do_not_fit(text, kind, column, hint, declarations, parameters):
    refused(text, kind, (1, column), hint, declarations, **parameters)


def test_given_numbers_are_positions_and_sizes():
    assert parse("x[k]", "x[n]", k=2).value is parse("x[2]", "x[n]").value
    assert parse("ones(k)*a", k=3).value is parse("ones(3)*a").value


@pytest.mark.parametrize("properties", ["lower symmetric", "lower upper", "upper spd"])
def test_properties_that_leave_a_diagonal_matrix(properties):
    refused("K", DimensionError, (1, 1), "declare K diagonal", f"K[n,n] {properties}")


# Assignments


def test_a_name_is_assigned_once():
    error = refused("y = 2*x\ny = 3*x\ny", UnknownNameError, (2, 1), "assigned once")
    assert error.places[0].span.line == 1


def test_a_name_is_not_defined_by_itself():
    refused("x = x + 1", UnknownNameError, (1, 5), "assigned once")


def test_a_name_is_defined_before_it_is_used():
    refused("y = 2*z\nz = 3*x\ny", UnknownNameError, (1, 7))


def test_a_definition_that_nothing_uses_is_never_evaluated():
    program = parse("z = qr(Q)*nothing\ny = 2*x\nsum(y)")
    assert list(program.variables) == ["x"]
    assert list(program.definitions) == ["y"]


def test_factorisations_unpack():
    check("Q, R = qr(A)\nQ*R", lambda A: A, "A[n,n]")
    check("w, V = eigh(S)\nV*diag(w)*V'", lambda S: S, "S[n,n] symmetric")
    refused("Q, R = exp(A)\nQ*R", ParseError, (1, 1))
    for names in ("Q, R = qr", "L, Q = lq", "w, V = eigh", "U, s, V = svd", "s, l = slogdet"):
        call = names.partition("= ")[2] + "(A)"
        refused(call, ParseError, (1, 1), f"{names}(...)", "A[n,n]")


# Loops


def test_a_loop_unrolls():
    text = "s{0} = 0\nfor t = 1:3\n  s{t} = s{t-1} + t*x[t]\nend\ns{3}"
    check(text, lambda x: x[0] + 2 * x[1] + 3 * x[2])


def test_a_filter():
    text = "m{1} = x\nfor t = 1:3; m{t+1} = F*m{t}; end\nsum(m{4})"
    check(text, lambda F, x: (F @ F @ F @ x).sum(), "F[n,n]")


def test_the_counter_is_an_integer_in_an_index_position():
    text = "for t = 1:3\n  s{t} = Y[t,i]*Y[t,i]\nend\ns{1} + s{3}"
    check(text, lambda Y: Y[0] @ Y[0] + Y[2] @ Y[2])


def test_bounds_are_given_as_numbers():
    text = "s{0} = 0\nfor t = 1:T\n  s{t} = s{t-1} + y[t]\nend\ns{T} / T"
    check(text, lambda y: y[:4].mean(), "y[n]", T=4)


def test_a_given_number_is_a_dimension_and_a_value_too():
    check("T*sum(y)", lambda y: 5 * y.sum(), "y[T]", T=5)
    assert str(parse("sum(y)", "y[T]", T=5).variables["y"].dims[0]) == "5"
    check("c*x", lambda x: 2.5 * x, c=2.5)


def test_definitions_in_loops_have_indices():
    text = "for t = 1:2\n  e{t}[i] = Y[t,i] - x[i]\nend\ne{1}'*e{2}"
    check(text, lambda Y, x: (Y[0] - x) @ (Y[1] - x))


def test_loops_nest():
    text = "for t=1:2\nfor u=1:t\nz{t,u} = t*u*a\nend\nend\nz{2,1} + z{2,2}"
    check(text, lambda a: 6 * a)


def test_loops_count_down_and_by_any_number():
    text = "P{3} = Q\nfor t = 2:-1:0\n P{t} = A'*P{t+1}*A\nend\nP{0}"
    check(text, lambda A, Q: A.T @ A.T @ A.T @ Q @ A @ A @ A)
    text = "s{-1} = 0\nfor t = 1:k:T\n s{t} = s{t-k} + x[t]\nend\ns{5}"
    check(text, lambda x: x[0] + x[2] + x[4], "x[6]", k=2, T=6)
    check("for t = 5:-2:4\n s{t} = t*a\nend\ns{5}", lambda a: 5 * a)


def test_a_loop_without_steps():
    check("for t = 3:2\n s{t} = 1\nend\na", lambda a: a)
    check("for t = 2:-1:3\n s{t} = 1\nend\na", lambda a: a)


def test_a_first_step_that_nothing_defines():
    refused("for t=1:3\n s{t} = s{t-1}+1\nend\ns{3}", UnknownNameError, (2, 9), "s{0} = ...")
    refused("s{4}", UnknownNameError, (1, 1), "")


def test_wrong_loops():
    refused("for t=1:T\n s{t} = 1\nend\ns{1}", UnknownNameError, (1, 9), "--let T=200")
    refused("for t=1:2\n s = t\nend\ns", UnknownNameError, (2, 2), "s{t} = ...")
    refused("for t=1:2000000\n s{t} = 1\nend\ns{1}", LimitError, (1, 1))
    refused("for t=9:0:1\n s{t} = 1\nend\ns{1}", ParseError, (1, 9), "for t = 10:-1:1")
    refused("for t=1:n:9\n s{t} = x\nend\ns{1}", UnknownNameError, (1, 9), "--let n=200")
    refused("for t=2000000:-1:1\n s{t} = 1\nend\ns{1}", LimitError, (1, 1))
    refused("for t=1:2\nfor t=1:2\nx{t}=1\nend\nend\n1", UnknownNameError, (2, 5))
    refused("for t=1:2\ntensor x[n]\nend\n1", ParseError, (2, 1))
    refused("for t=1:2\n s{t}=1\n", ParseError, (2, 8), "`end`")


@pytest.mark.parametrize("given", [float("nan"), float("inf"), True, "3", None, 1j])
def test_parameters_are_numbers(given):
    with pytest.raises(ArgumentError):
        parse("T*x", T=given)


def test_a_parameter_that_the_text_lacks():
    with pytest.raises(ArgumentError, match="no name `S`"):
        parse("T*x", S=3)


def test_fifty_thousand_steps():
    text = "s{0} = a\nfor t = 1:50000\n s{t} = sin(s{t-1})\nend\ns{50000}"
    assert abs(value(text)) < 0.1


@pytest.mark.parametrize(
    ("text", "variables", "guessed"),
    [
        ("tensor K[n,n] spd\ns^2*K", ["K[n,n]", "s[m]"], {"s": "vector"}),
        (
            "S[b,i] = Q[b,i,d]*x\nexp(S)*y",
            ["Q[m,n,p]", "x[q]", "y[r]"],
            {"Q": "tensor3", "x": "vector", "y": "vector"},
        ),
        ("for t = 1:3\n m{t} = x^2 + t*ones(n)\nend\nm{3}", ["x[m]"], {"x": "vector"}),
    ],
)
def test_inputs_of_a_wrong_program(text, variables, guessed):
    with pytest.raises(TcalcError):
        parse(text)
    found = inputs(text)
    assert list(map(str, found.variables.values())) == variables
    assert found.guesses == guessed
