"""Printed forms that a reader can be promised."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from printed_programs import Example, declarations, same_value

import tcalc
from tcalc import gallery
from tcalc.errors import LimitError
from tcalc.expr import build, shape
from tcalc.expr.nodes import Node
from tcalc.expr.traverse import postorder, variables
from tcalc.language import parse
from tcalc.primitives.exponential import exp, sigmoid
from tcalc.printing import to_latex, to_text

PROMISED = [
    (Example("tr(A*X'*B*X*C)", "", "X"), "B*X*C*A + B'*X*A'*C'"),
    (Example("norm2(X*w - y)^2/2", "X[m,n]", "w"), "X'*(X*w - y)"),
    (Example("norm2(X*w - y)^2/2", "X[m,n]", "w", 2), "X'*X"),
    (Example("log(det(inv(X)))", "X[n,n]", "X"), "-inv(X)'"),
    (Example("log(det(X))", "X[n,n]", "X"), "inv(X)'"),
    (Example("x'*A*x", "", "x"), "(A + A')*x"),
    (Example("x'*A*x", "", "x", 2), "A + A'"),
    (Example("x'*A*x", "A[n,n] symmetric", "x", 2), "2*A"),
    (
        Example("tr(A'*inv(X))", "A[n,n] symmetric, X[n,n] symmetric", "X"),
        "-inv(X)*A*inv(X)",
    ),
    (
        Example("(w'*r - a)/sqrt(w'*S*w)", "S[n,n] symmetric, r[n], w[n], a", "w"),
        "(r + (a - w'*r)*S*w/(w'*S*w))/sqrt(w'*S*w)",
    ),
    (
        Example("norm2(y - X*inv(X'*X)*X'*y)^2", "X[m,n]", "X"),
        "2*(X*inv(X'*X)*X'*y - y)*y'*X*inv(X'*X)",
    ),
    (
        Example("sum(log(1 + exp(X*w)))", "X[m,n]", "w", 2),
        "X'*diag(sigmoid(X*w).*(1 - sigmoid(X*w)))*X",
    ),
    (
        Example("sum(log(exp(-y.*(X*w)) + vector(1)))", "", "w"),
        "-X'*(y.*sigmoid(-y.*(X*w)))",
    ),
    (Example("norm2(A*x - y)^2"), "2*A'*(A*x - y)"),
    (Example("norm2(A*x - y)"), "A'*(A*x - y)/norm2(A*x - y)"),
    (
        Example("norm2(A*x - y)", "", "x", 2),
        "A'*(eye(m) - (A*x - y)*(A*x - y)'/norm2(A*x - y)^2)*A/norm2(A*x - y)",
    ),
    (
        Example("logsumexp(A*x)", "", "x", 2),
        "A'*(diag(softmax(A*x)) - softmax(A*x)*softmax(A*x)')*A",
    ),
    (Example("tr(chol(K))", "K[n,n] spd", "K"), "inv(chol(K))'*diag(diag(chol(K)))*inv(chol(K))/2"),
    (
        Example("x'*y/(norm2(x)*norm2(y))", "x[n], y[n]"),
        "(y - x'*y*x/norm2(x)^2)/(norm2(x)*norm2(y))",
    ),
    (Example("norm1(A*x - y)"), "A'*sign(A*x - y)"),
    (Example("A*exp(x)"), "A*diag(exp(x))"),
    (Example("(y.*v)'*x", "", "y"), "v.*x"),
    (Example("sin(x)'*y"), "y.*cos(x)"),
    (Example("a^b", "", "a"), "b*a^(b - 1)"),
    (Example("logsumexp(x)", "x[n]", "x", 2), "diag(softmax(x)) - softmax(x)*softmax(x)'"),
    (Example("norm2(U*V' - X)^2", "U[m,k], V[n,k], X[m,n]", "U"), "2*(U*V' - X)*V"),
    (Example("sum(where(x > 0, sqrt(x), 0))", "x[n]"), "where(x > 0, 1./sqrt(x), 0)/2"),
    (Example("2^a", "a", "a", 1), "2^a*log(2)"),
    (Example("sum(2.^x)", "x[n]", "x", 1), "log(2)*2.^x"),
    (Example("sum(x.^a)", "x[n], a", "x", 1), "a*x.^(a - 1)"),
    (Example("sum(abs(x).^a)", "x[n], a", "a", 1), "(abs(x).^a)'*log(abs(x))"),
    (Example("sum(tril(A).^2)", "A[n,n]", "A", 1), "2*tril(A)"),
    (Example("sum(tril(A,-1).^2)", "A[n,n]", "A", 1), "2*tril(A, -1)"),
    (Example("sum(triu(A,1).^2)", "A[n,n]", "A", 1), "2*triu(A, 1)"),
    (Example("sum(tril(A,2).^2)", "A[m,n]", "A", 1), "2*tril(A, 2)"),
    (Example("tril(A,-1)*x", "A[n,n], x[n]", "x", 0), "tril(A, -1)*x"),
    (Example("triu(A,1)*x", "A[n,n], x[n]", "x", 0), "triu(A, 1)*x"),
    (Example("(A.*B)*x", "A[n,n], B[n,n], x[n]", "x", 0), "(A.*B)*x"),
]


def _last(example: Example, notation: str = "auto") -> str:
    return to_text(example.derivatives()[-1], notation=notation, order=example.order)


@pytest.mark.parametrize(("example", "expected"), PROMISED, ids=lambda x: getattr(x, "text", x))
def test_it_reads_as_promised(example: Example, expected: str) -> None:
    assert _last(example) == expected


def test_einstein_notation_follows_the_chain() -> None:
    example = Example("tr(A*X'*B*X*C)", "A[c,b], X[a,b], B[a,a], C[b,c]", "X", 0)
    assert _last(example, "einstein") == "A[i,j]*X[k,j]*B[k,l]*X[l,p]*C[p,i]"


def test_a_sum_that_the_language_would_misplace_is_written_out() -> None:
    assert _last(Example("sum(exp(x.*y))", "", "x", 0), "einstein") == "sum[i](exp(x[i]*y[i]))"
    assert _last(Example("sum(exp(x).*y)", "", "x", 0), "einstein") == "y[i]*exp(x[i])"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum(1./sqrt(x + s*x))", "sum[i](1/sqrt(x[i] + s*x[i]))"),
        ("tr(1./sqrt(diag(x) + x*x'))", "sum[i](1/sqrt(x[i] + x[i]*x[i]))"),
        (
            "sum(x)*eye(n) - eye(n)*sum(exp(eye(n)))",
            "eye(n)[i,j]*(sum[k](x[k]) - sum[l,p](exp(eye(n)[l,p])))",
        ),
    ],
)
def test_sums_below_and_on_diagonals_are_written_out(text: str, expected: str) -> None:
    declared = "x[n], s"
    node = parse(text, declared).value
    written = to_text(node, notation="einstein", order=["x", "s"])
    assert written == expected
    assert same_value(node, parse(written, declared).value, variables([node]))


def test_a_left_side_stands_where_the_axes_need_one() -> None:
    assert _last(Example("x.*y", "", "x", 0), "einstein") == "T[i] = x[i]*y[i]"
    assert _last(Example("A*x", "", "x", 0), "einstein") == "A[i,j]*x[j]"


def test_wanted_names_are_kept() -> None:
    node = parse("x.*y").value
    text = to_text(node, notation="einstein", called="g", order=["x", "y"])
    assert text == "g[i] = x[i]*y[i]"


def test_common_subexpressions_get_names_that_nobody_has() -> None:
    p = sigmoid(parse("X*w", "X[m,n], w[n]").value)
    node = build.hadamard(p, build.subtract(build.ones(p.dims), p))
    assert to_text(node, cse=True, order=["X", "w"]) == "p = sigmoid(X*w)\np.*(1 - p)"
    assert to_text(node, cse=True, order=["X", "w"], names=["p"]).startswith("p1 = ")


def test_formulas_with_names_are_simplified_as_much_as_those_without() -> None:
    example = Example("norm2(X*w - y)^3", "X[m,n], w[n], y[m]", "w", 1)
    text = to_text(example.derivatives()[1], cse=True, order=example.order)
    assert text == "r = X*w - y\n3*norm2(r)*X'*r"


NAMED = [
    ("y'*inv(K)*y/2 + logdet(K)/2", "K[n,n] spd", "K", "K_inv = inv(K)\n"),
    ("K_inv'*inv(K)*K_inv + logdet(K)", "K[n,n] spd, K_inv[n]", "K", "K_inv1 = inv(K)\n"),
    ("norm2(A*x - y)", "", "x", "r = A*x - y\n"),
    ("logsumexp(A*x)", "", "x", "p = softmax(A*x)\n"),
]


@pytest.mark.parametrize(("text", "declared", "variable", "first"), NAMED)
def test_names_of_common_subexpressions_mean_something(
    text: str, declared: str, variable: str, first: str
) -> None:
    example = Example(text, declared, variable, 2)
    node = example.derivatives()[1 if variable == "K" else 2]
    assert to_text(node, cse=True, order=example.order).startswith(first)


def test_a_deep_graph_prints_in_pieces_without_recursion() -> None:
    x, A = build.var("x", shape("n")), build.var("A", shape("n", "n"))
    node: Node = x
    for _ in range(5_000):
        node = sigmoid(build.sum_of(build.einsum([A, node], "ij,j->i"), x))
    text = to_text(node)
    assert text.count("sigmoid") == 5_000
    assert max(map(len, text.splitlines())) < 1_000
    to_latex(node)


def test_long_results_are_divided_by_themselves() -> None:
    node: Node = build.var("a", ())
    for _ in range(60):
        node = sigmoid(build.sum_of(node, build.hadamard(node, node)))
    assert len(postorder([node])) < 400
    assert len(to_text(node)) < 5_000


def test_a_formula_too_long_to_read_says_how_long_it_is() -> None:
    node: Node = build.var("a", ())
    for _ in range(40):
        node = sigmoid(build.sum_of(node, exp(node)))
    with pytest.raises(LimitError, match="symbols"):
        to_text(node, cse=False)


def test_output_does_not_depend_on_hashes() -> None:
    program = (
        "from tcalc.language import parse\n"
        "from tcalc.calculus.derivative import derivative\n"
        "from tcalc.printing import to_text\n"
        "p = parse('tr(A*X*B*X*C) + sum(exp(X*x).*y)')\n"
        "print(to_text(derivative(p.value, [p.variables['X']])))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outputs) == 1


def test_printing_imports_no_arrays() -> None:
    program = (
        "import sys, tcalc.printing\n"
        "print([m for m in ('numpy', 'scipy', 'sympy', 'networkx') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("text", ["softmax(S)'", "softmax(S')", "softmax(S')'"])
@pytest.mark.parametrize("declared", ["S[n,n]", "S[n,n] symmetric"])
def test_the_index_of_a_normalisation_makes_no_order_of_axes(text: str, declared: str) -> None:
    matrix = parse(text, declared).value
    assert parse(to_text(matrix, notation="einstein"), declared).value is matrix


@pytest.mark.parametrize("variable", ["ell", "logs", "logn"])
def test_an_inverse_that_occurs_over_and_over_gets_a_name(variable: str) -> None:
    kernel = (
        "K[i,j] = exp(logs)*exp(-(X[i,k]-X[j,k])^2*exp(-2*ell[k])/2) + exp(logn)*delta[i,j]\n"
        f"gradient(y'*inv(K)*y/2 + logdet(K)/2, {variable})"
    )
    text = to_text(parse(kernel, "X[n,d], ell[d], logs, logn, y[n]").value)
    assert text.count("inv(") == 1
    assert max(map(len, text.splitlines())) < 160


def test_scalars_of_products_in_products_are_one_power() -> None:
    b, x, A = build.var("b", ()), build.var("x", shape("n")), build.var("A", shape("n", "n"))
    inner = build.einsum([b, A, sigmoid(x)], ",ij,j->i")
    node = build.einsum([b, inner, inner], ",i,i->")
    text = to_text(node, notation="einstein")
    assert text.count("b") == 1
    assert "b^3" in text


def test_what_is_the_same_in_another_grouping_has_one_name() -> None:
    hessian = tcalc.hessian(tcalc.parse(gallery.load("kalman_filter").program), "q")
    definitions = [line.partition(" = ") for line in hessian.text().splitlines()[:-1]]
    values = [(name.partition("[")[2], value) for name, _, value in definitions]
    assert len(set(values)) == len(values)
    names = [name.partition("[")[0] for name, _, _ in definitions]
    numbers = [int(name[1:]) for name in names if re.fullmatch(r"t\d+", name)]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(
    ("text", "declared"),
    [
        # A sum over all denominators of one quotient, which would else be one denominator.
        ("s = z[p]*z[p]*A[i,j]*A[i,j]*((1/(1 + z[k]^2))*(x[i]/(2 + z[k]^2)))", "A[m,n]"),
        # The same power twice.
        ("h[i] = (1 + exp(x[i]))^3; s = h[i]*h[i]", "x[m]"),
        ("c = (1 + exp(a))^3; c*c", "a"),
        # A function whose rows have no name in the language.
        ("s = norm2[k](x[i] - z[k])*w[i]; gradient(s, x)", "x[m], z[k], w[m]"),
        # A difference that may be turned about, whose terms have a number in common.
        ("hessian(logsumexp(2*B*z), z)", "B[n,n], z[n]"),
    ],
)
@pytest.mark.parametrize("notation", ["auto", "einstein"])
def test_what_simplification_would_have_put_in_order(
    text: str, declared: str, notation: str
) -> None:
    program = parse(text, declared)
    printed = to_text(program.value, notation=notation, simplify=False)
    variables = list(program.variables.values())
    back = parse(printed, declarations(variables)).value
    assert same_value(program.value, back, variables), printed
