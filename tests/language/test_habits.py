"""What people write who come from elsewhere ends in an error that says what to write instead."""

from __future__ import annotations

import pytest
from language_cases import refused

from tcalc.errors import (
    DimensionError,
    IndexNotationError,
    OrientationError,
    ParseError,
    UnknownNameError,
    UnsupportedError,
)
from tcalc.expr.properties import PROPERTIES
from tcalc.language import elsewhere, habits, marks, parse
from tcalc.language.calls import FORMS
from tcalc.language.catalogue import BY_NAME


@pytest.mark.parametrize(
    ("text", "column", "hint"),
    [
        ("np.exp(x)", 3, "`exp(...)`"),
        ("np.linalg.norm(X @ w)", 3, "`norm2(...)`"),
        ("torch.nn.functional.relu(x)", 6, "`relu(...)`"),
        ("np.pi*x", 3, "`pi`"),
        ("X.sum()", 2, "`sum(X)`"),
        ("A.inverse()", 2, "`inv(A)`"),
        ("A.dot(B)", 2, "`*`"),
        ("A.I*x", 2, "`inv(A)`"),
        ("A.H", 2, "`A'`"),
        ("A.reshape(m, n)", 2, "vec(A)"),
        ("x.shape", 2, "dimension"),
        ("sum(X, axis=0)", 12, "sum[i](X[i,j])"),
        ("softmax(X, axis=1)", 16, "no names"),
        ("x += 1", 4, "assigned once"),
        ("1_000*x", 2, "separators"),
        ("x if y else z", 3, "where(x > 0, a, b)"),
        ("lambda x: x*x", 8, "without parameters"),
        ("def f(x): return x", 5, "without parameters"),
        ("import numpy as np", 8, "without an import"),
        ("where(x > 0 and y > 0, x, 0)", 13, "one comparison"),
        ("tf.reduce_sum(x)", 3, "`sum(...)`"),
        ("A[i,j]*B[j,k] -> C[i,k]", 16, "on the left"),
        ("X[i,...]", 5, "`:`"),
        ("X[[1]]", 3, "a position is"),
        ("softmax(X[i,j], j)", 1, "softmax[j](X[i,j])"),
        ('einsum("ij,jk->ik" A, B)', 20, "commas"),
        ("!x", 1, "where(a > b"),
        ("t(X) %*% y", 6, "the product is `*`"),
        ("x %o% y", 3, "x*y'"),
        ("A %x% B", 3, "kron(A, B)"),
        ("svd(X)$d", 7, "`U, s, V = svd(A)`"),
        ("data$x", 5, "joined by `_`"),
        ("$x'*x$", 1, "without `$`"),
        ("beta.hat = x", 5, "`beta_hat`"),
        ("function(x) x^2", 13, "without parameters"),
        ("A.t()*A", 2, "`A'`"),
        ("x.pow(2)", 2, "`x.^2`"),
        ("x.view(-1)", 2, "vec(A)"),
        ("f.backward()", 2, "a formula alone"),
        ("cholesky(A).L", 12, "names of their own"),
        ("F.cross_entropy(z, y)", 2, "logsoftmax"),
        ("torch.bmm(A, B)", 6, "C[b,i,k]"),
        ("loss: x'*x", 5, "`name = formula`"),
        ("x |> sum", 3, "`sum(x)`"),
        ("ℓ = x", 1, "`l`"),
        ("𝐱'*𝐱", 1, "`x`"),
        ("日*x", 1, "Latin and Greek letters"),
        ("s.t. x > 0", 2, "tcalc.problem"),
        ("log|A|", 4, "`det(A)`"),
        ("f'(x)", 1, "gradient(f, x)"),
        ("x.A.x", 2, "`x*A*x`"),
        ("x . y", 3, "`*`"),
        ("y ~ x", 3, "a model is written as its loss"),
        ("2*(x, y)", 5, "stack(x, y)"),
        ("sum_{i=1}^n x_i", 7, "sum[i](x[i])"),
        ("argmin_x norm2(x)", 10, "finds its minimum"),
        ("sum(x[i] for i in 1:n)", 10, "sum[i](x[i])"),
    ],
)
def test_python(text, column, hint):
    refused(text, ParseError, (1, column), hint)


@pytest.mark.parametrize(
    ("text", "column", "hint"),
    [
        ("A.'", 2, "the transpose is `'`"),
        ("A(:,1)", 3, "`A[:,1]`"),
        ("x(end)", 3, "`x[end]`"),
        ("[A, B]", 1, "concat(x, y)"),
        ("f = @(x) x'*x", 5, "no parameters"),
        ("@. exp(x)", 1, "element by element"),
        ("x(2:end)", 4, "`x[2:end]`"),
        ("A(1:2, 3:4)", 4, "`A[1:2, 3:4]`"),
        ("X(i,:)", 5, "`X[i,:]`"),
        ("sum(A(:))", 7, "vec(A)"),
        ("[Q,R] = qr(A)", 1, "`Q,R = qr(A)`"),
        ("% a comment\nx", 1, "`#`"),
        ("x ~= y", 3, "`< <= > >= ==`"),
        ("~x", 1, "negation"),
        ("// c\nx", 1, "`#`"),
        ("(* c *) x", 2, "`#`"),
        ("x[1:2:5]", 6, "every element"),
        ("x[1..3]", 5, "`1:3`"),
        ("for t = 1:2:9:", 14, "`for t = 1:10`"),
        ("for t = 1..3", 11, "`for t = 1:10`"),
        ("for t = 1:3 x", 13, "lines of its own"),
        ("for t in 1:3", 7, "`for t = 1:10`"),
        ("while x > 0", 7, "`for t = 1:10`"),
        ("if x > 0", 4, "where(x > 0, a, b)"),
        ("end = 3", 1, "words of the language"),
        ("for = 3", 5, "words of the language"),
        ("tensor = 3", 8, "words of the language"),
        ("x ...\n + y", 3, "parentheses"),
        ("1,000*x", 8, "without commas"),
        ("a // b", 4, "`#`"),
        ("y := x", 3, "`name = formula`"),
        ("syms x", 6, "`tensor X[m,n], c`"),
        ("A .+ x", 3, "`+`"),
        ("x .> 0", 3, "`>`"),
        ("exp.(x)", 4, "`exp(...)`"),
        ("A[i;j]", 4, "commas"),
        ("/* c */ x", 1, "`#`"),
        ("f = 'x'", 5, '`"`'),
    ],
)
def test_matlab(text, column, hint):
    refused(text, ParseError, (1, column), hint)


@pytest.mark.parametrize(
    ("text", "column", "hint"),
    [
        (r"\log(x)", 1, "`log(...)`"),
        (r"\frac{1}{2}", 1, "`a/b`"),
        (r"\|x\|^2", 1, "`norm2(x)`"),
        (r"x^\top*y", 3, "`'`"),
        ("A^{-1}", 3, "`A^(-1)`"),
        ("A^{T}", 3, "`A'`"),
        ("A_{ij} B_{jk}", 8, "`A[i,j]`"),
        ("sum_{i} x[i]", 9, "write `*`"),
        ("sum_i x[i]", 7, "`sum[i](...)`"),
        ("exp x", 5, "`exp(...)`"),
        ("log det A", 5, "`log(...)`"),
        ("sin^2(x)", 5, "`sin(...)^2`"),
        ("sigma x", 7, "write `*`"),
        ("<x,y>", 1, "x'*y"),
        ("‖x‖", 1, "norm2(x)"),
        ("x ⊗ y", 3, "kron(A, B)"),
        ("∇f", 1, "gradient(f, x)"),
        ("d/dx x'*x", 6, "gradient(f, x)"),
        ("x₁", 2, "`x1`"),
        ("norm(x)_2", 8, "norm2(x)"),
        ("()", 2, "hold a value"),
        ("minimize x'*x", 10, "tcalc.problem"),
        (r"\operatorname{diag}(x)", 1, "as they are"),
        ("max[j] X[i,j]", 8, "`max[j](...)`"),
        ("Σ_j X[i,j]*w[j]", 5, "`sum[j](...)`"),
        ("n!", 2, "gamma(n + 1)"),
        ("\ufeffx", 1, "cannot be seen"),
        ("x\u200b*y", 2, "cannot be seen"),
        ("x +\u3000y", 4, "blanks"),
    ],
)
def test_papers(text, column, hint):
    refused(text, ParseError, (1, column), hint)


@pytest.mark.parametrize(
    ("text", "at", "hint"),
    [
        ("s{0} = x\nfor t = 1:3\n s{t} = s{t-1}", (3, 15), "`for` ends with `end`"),
        ("for t = 1:3\n", (1, 12), "`for` ends with `end`"),
        ("for 1 = 1:3", (1, 5), "`for t = 1:10`"),
        ("for t = 1\nx\nend", (1, 10), "`for t = 1:10`"),
        ("f(n) = n*f(n-1)", (1, 1), "a recurrence is a loop"),
    ],
)
def test_loops(text, at, hint):
    refused(text, ParseError, at, hint)


def test_steps_that_nothing_defines():
    loop = "s{0} = x\nfor t = 1:3\n s{t} = 2*s{t-1}\nend\n"
    refused(loop + "s{4}", UnknownNameError, (5, 1), "from s{0} to s{3}")
    refused(loop + "s{-1}", UnknownNameError, (5, 1), "define the first step")
    refused(loop + "r{0}", UnknownNameError, (5, 1), "define the first step")


def test_one_result_is_one():
    assert refused("Q, R = inv(A)", ParseError, (1, 1)).message == "2 names for 1 result"


@pytest.mark.parametrize(
    ("text", "column", "hint"),
    [
        ("tensor X(m,n); X", 9, "`X[m,n]`"),
        ("tensor X: m x n; X", 9, "`X[m,n]`"),
        ("tensor X[m][n]; X", 12, "one pair"),
        ("tensor X[m n]; X", 12, "commas"),
        ("tensor x[n] = 3", 13, "no value"),
        ("X[n,n] spd", 8, "`tensor X[n,n] spd`"),
        ("variable X[m,n]; X", 10, "`tensor X[m,n], c`"),
        ("tensor K[n,n] SPD; K", 15, "`spd`"),
        ("tensor K[n,n] positive definite; K", 24, "`spd`"),
        ("tensor K[n,n] orthonormal; K", 15, "`orthogonal`"),
        ("tensor K[n,n] hermitian; K", 15, "`symmetric`"),
        ("tensor K[n,n] lower_triangular; K", 15, "`lower`"),
        ("tensor K[n,n] positive-definite; K", 23, "one word"),
        ("tensor K[n,n] > 0; K", 15, "`K[n,n] spd`"),
        ("tensor K[n,n]: spd; K", 14, "as they are"),
        ("tensor symmetric K[n,n]; K", 19, "`K[n,n] symmetric`"),
        ("tensor K[n,n] invertible; K", 15, "leave it out"),
        ("tensor K[n,n] real; K", 15, "all numbers are real"),
        ("tensor K[n,n] sparse; K", 15, "leave it out"),
        ("tensor x in R^n; x", 14, "`x[n]`"),
        ("tensor X[3x2]; X", 11, "`[3,2]`"),
        ("tensor X[n x n]; X", 12, "`[n,n]`"),
    ],
)
def test_declarations(text, column, hint):
    refused(text, ParseError, (1, column), hint)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("norm(x)", "Frobenius"),
        ("norm(A,'fro')", "Frobenius"),
        ("trace(A)", "`tr`"),
        ("sigma(x)", "`sigmoid`"),
        ("σ(x)", "`sigmoid(...)`"),
        ("grad(x'*x, x)", "`gradient`"),
        ("diff(x)", "x[2:end]"),
        ("delta(i,j)", "delta[i,j]"),
        ("size(X,1)", "dimension"),
        ("std(x)", "sqrt(mean"),
        ("cumprod(x)", "cumsum"),
        ("log_sum_exp(x)", "`logsumexp`"),
        ("max_j(X[i,j])", "`max[j](...)`"),
        ("repmat(x, 1, n)", "x*ones(n)'"),
        ("A(1,2)", "A[...]"),
        ("A(1)", "A[...]"),
        ("a(x+y)", "a*(...)"),
        ("Phi(x)", "normcdf(x)"),
        ("pnorm(x)", "`normcdf(x)`"),
        ("rowSums(X)", "r[i] = X[i,j]"),
        ("cross_entropy(p, y)", "logsoftmax"),
        ("foobarbaz(x)", "`tcalc functions`"),
        ("round(x)", "what is rounded is data"),
        ("t(X)*X", "the transpose is X'"),
        ("t(X*Y)", "the transpose is (...)'"),
        ("x(i)", "x[i]"),
        ("c(1,2,3)", "data"),
        ("ncol(X)", "dimension"),
        ("lu(A)", "A \\ b"),
        ("sort(x)", "sorted"),
        ("vmap(x)", "one more index"),
        ("eigen(A)", "`eigh`"),
        ("IdentityMatrix(3)", "`eye`"),
        ("LinearSolve(A, b)", "`solve`"),
        ("rnorm(n)", "drawn"),
    ],
)
def test_functions(text, hint):
    refused(text, UnknownNameError, (1, 1), hint)


@pytest.mark.parametrize("table", [elsewhere.FUNCTIONS.values(), marks.MODULES & BY_NAME.keys()])
def test_only_functions_that_exist_are_offered(table):
    assert set(table) <= {*BY_NAME, *FORMS}


def test_no_habit_hides_a_function():
    words = {
        *(*elsewhere.FUNCTIONS, *elsewhere.FORMULAS, *elsewhere.PHRASES),
        *(*habits.WORDS, *marks.TEX),
    }
    assert not elsewhere.FORMULAS.keys() & {*elsewhere.FUNCTIONS, *elsewhere.PHRASES}
    assert words & BY_NAME.keys() == {"matrix", "vector"}  # of which ``vector x`` is a habit too


@pytest.mark.parametrize("text", sorted(set(elsewhere.FORMULAS.values())))
def test_formulas_parse(text):
    parse(text)


@pytest.mark.parametrize(
    ("text", "column", "hint"),
    [
        ("A^T", 1, "`A'`"),
        ("x^T*A*x", 1, "`x'`"),
        ("(A*B)^T", 1, "`(...)'`"),
        ("e^x", 1, "`exp(...)`"),
        ("E^x", 1, "`exp(...)`"),
        ("A^H", 1, "`A'`"),
        ("A^-T*x", 1, "`inv(A)'`"),
    ],
)
def test_exponents_that_are_none(text, column, hint):
    refused(text, OrientationError, (1, column), hint)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("solve(A)", "inv(A)"),
        ("dot(x, A, y)", "x'*A*y"),
        ("matrix(0, m, n)", "zeros(m, n)"),
        ("transpose(A, 1, 0)", "T[i,j,k] = A[k,i,j]"),
        ("sum(A, 1)", "sum[i](X[i,j])"),
        ("tr(A, B)", "tr: "),
    ],
)
def test_other_numbers_of_arguments(text, hint):
    refused(text, ParseError, (1, 1), hint)


@pytest.mark.parametrize("text", sorted(habits.VALUES))
def test_constants_of_elsewhere_are_no_variables_by_themselves(text):
    refused(f"x + {text}*x", UnknownNameError, (1, 5), habits.VALUES[text])
    assert set(parse(f"tensor {text}; x + {text}*x").variables) == {text, "x"}


@pytest.mark.parametrize(
    ("text", "hint"), [("Tr[A]", "`tr(A)`"), ("Sin[x]", "`sin(x)`"), ("Dot[x, y]", "`dot(x, y)`")]
)
def test_brackets_of_mathematica(text, hint):
    refused(text, UnknownNameError, (1, 1), hint)
    name, _, inside = text.partition("[")
    dims = "m,n"[: 2 * inside.count(",") + 1]
    assert parse(f"tensor {name}[{dims}]; {text}").guesses == {}


def test_tensors_of_physics_are_no_functions():
    assert parse("Gamma[k,i,j]*v[i]*v[j]").guesses == {"Gamma": "tensor3", "v": "vector"}
    assert parse("Sigma[i,j]").guesses == {"Sigma": "matrix"}


@pytest.mark.parametrize("letter", ["delta", "δ"])
def test_the_unit_tensor_in_greek(letter):
    assert parse(f"{letter}[i,j]*A[i,j]").value is parse("tr(A)").value
    assert parse(f"tensor {letter}[n,n]; {letter}[i,j]").guesses == {}
    assert parse(f"{letter}*x").guesses == {letter: "scalar", "x": "vector"}


@pytest.mark.parametrize("name", ["None", "newaxis", "begin"])
def test_words_in_brackets_that_are_no_indices(name):
    refused(f"x[{name}]", IndexNotationError, (1, 3), habits.INDICES[name])
    refused(f"tensor x[n]; x[:, {name}]", IndexNotationError, (1, 19), habits.INDICES[name])


@pytest.mark.parametrize("operator", ["+", "-", ".*", "./"])
@pytest.mark.parametrize("vector", ["b", "b'"])
def test_broadcasting_a_vector_is_told_as_it_is_written(operator, vector):
    text = f"A {operator} {vector}"
    hint = "ones*b' has b in every row, b*ones' in every column"
    with pytest.raises((DimensionError, OrientationError)) as caught:
        parse(text, "A[m,n], b[n]")
    assert hint in (caught.value.hint or "")
    assert parse("A + ones*b'", "A[m,n], b[n]").value is parse("C[i,j] = A[i,j] + b[j]").value
    assert parse("A + b*ones'", "A[m,n], b[m]").value is parse("C[i,j] = A[i,j] + b[i]").value


def test_a_row_of_a_matrix_is_told_as_it_is_written():
    refused("X[1]", IndexNotationError, (1, 1), "A[1,:]", "X[m,n]")


def test_quotients_of_differentials():
    refused("d/dx(x'*x)", UnknownNameError, (1, 3), "gradient(f, x)")


def test_an_arrow_defines_nothing():
    refused("f <- x'*x", UnsupportedError, (1, 1), "`name = formula`")
    refused("f < -x", UnsupportedError, (1, 1), "where(")


def test_the_root_of_a_matrix():
    refused("A^0.5", DimensionError, (1, 1), "`sqrtm(A)`")


def test_indices_in_pairs_of_brackets_of_their_own():
    refused("A[i][j]", IndexNotationError, (1, 1), "A[i,j]")
    refused("Tr[A*B]", UnknownNameError, (1, 1), "`tr(A*B)`")
    refused("A_{i,j}", UnknownNameError, (1, 4), "brackets")
    refused("x_{1}", UnknownNameError, (1, 1), "x[1]")


def test_a_product_of_slices_says_no_sum():
    refused("A[i,:]*B[:,j]", IndexNotationError, (1, 1), "A[i,k]*B[k,j]")


GUESSED = ", as nothing declares it"
BETA = ": nothing declares `beta`, which is taken for a number; `tensor beta[n]` makes it a vector"


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        (
            "n*x",
            [
                f"this is a column{GUESSED}; `tensor n` makes it a number",
                f"this is a column{GUESSED}",
            ],
        ),
        ("tensor n; n^-1*x/y", [f"this is a column{GUESSED}; `tensor y` makes it a number"]),
        ("det(x)", [f"taken for a vector{GUESSED}; `tensor x` makes it a number"]),
        ("A*x + B", ["this is a column", f"this is a matrix{GUESSED}"]),
        (
            "sum(y - X*beta)",
            [
                f"this is a column{GUESSED}; `tensor y` makes it a number",
                f"this is a matrix{BETA}",
            ],
        ),
        (
            "eta = X*beta\nmu = exp(eta)\nsum(y.*log(mu) - mu)",
            [f"this is a column{GUESSED}; `tensor y` makes it a number", f"this is a matrix{BETA}"],
        ),
        ("tensor b[n], y[n]; y - X.*sum(b)", ["this is a column", "this is a matrix"]),
        ("tensor x[n], y[n]; x*y", ["this is a column"] * 2),
        (
            "K[i,j] = exp(logs)*A[i,j]",
            [f"taken for a vector{GUESSED}; `tensor logs` makes it a number"],
        ),
        ("K[i,i] = A[i,j]*x[j]", []),
    ],
)
def test_errors_on_shapes_tell_what_was_guessed(text, notes):
    with pytest.raises((OrientationError, DimensionError, IndexNotationError)) as caught:
        parse(text)
    assert [place.note for place in caught.value.places] == notes


@pytest.mark.parametrize(
    ("copied", "typed"),
    [
        ("xᵀ·A⁻¹·x − ½·b²", "x'*A^-1*x - 1/2*b^2"),
        ("f = x₁′*x₁ × y₁₂", "f = x_1'*x_1 * y_12"),
        ("x ⊙ y ≤ z ⊘ b¹⁰", "x .* y <= z ./ b^10"),
        ("ｓｕｍ（ｘ＊ａ）", "sum(x*a)"),
        ("xˆ2 × y", "x^2 * y"),
    ],
)
def test_a_line_from_a_paper_is_told_as_it_is_typed(copied: str, typed: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(f"g = 1\n  {copied}\nh = 2")
    assert caught.value.hint is not None
    assert caught.value.hint.endswith(f"; the line in plain characters: `{typed}`")


@pytest.mark.parametrize("copied", ["x’*x", "‖x‖² − y", "x − y" + " − 1" * 40])
def test_a_line_is_told_only_where_that_helps(copied: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(copied)
    assert "plain" not in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "hint"),
    [("powm(A, 2)", "write it as it is: `powm(2, A)`"), ("tril(A, c)", "`tril(A, 2)`")],
)
def test_parameters_are_numbers(text: str, hint: str) -> None:
    with pytest.raises(ParseError, match="takes a number") as caught:
        parse(text)
    assert hint in (caught.value.hint or "")


def test_a_property_of_matrices_tells_how_a_matrix_is_declared() -> None:
    refused("tensor K symmetric; K", DimensionError, (1, 8), "K[n,n] symmetric")


def test_other_names_of_properties_stand_for_some() -> None:
    assert set(habits.PROPERTIES.values()) <= set(PROPERTIES) and not {*habits.PROPERTIES} & {
        *PROPERTIES
    }


@pytest.mark.parametrize("declared", ["X[m,n] w[n]", "X[m,n] w", "X[m,n] spd, c w[n]"])
def test_declarations_without_a_comma(declared: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse("X*w", declared)
    assert "declarations are separated by commas" in (caught.value.hint or "")


def test_dimensions_in_several_brackets() -> None:
    with pytest.raises(ParseError) as caught:
        parse("X*w", "X[m][n]")
    assert caught.value.hint == "dimensions stand in one pair of brackets: `X[m,n]`"
