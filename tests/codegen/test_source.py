"""What generated modules look like: self-contained, readable, and never the slow way to say it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from generated import body
from scipy import special

import tcalc
from tcalc import runtime
from tcalc.codegen.texts import harmless
from tcalc.errors import DomainError, LimitError
from tcalc.expr import Dim, build, shape
from tcalc.expr.nodes import Node
from tcalc.primitives.exponential import exp, sigmoid, softplus
from tcalc.primitives.inverse import inv
from tcalc.primitives.logdet import logdet
from tcalc.primitives.matrices import diagonal, diagonal_matrix, trace, tril, triu
from tcalc.primitives.power import divide, reciprocal, square
from tcalc.primitives.selection import unit, window
from tcalc.primitives.trigonometric import sin

M, N = Dim.of("m"), Dim.of("n")
X = build.var("X", shape("m", "n"))
A = build.var("A", shape("n", "n"))
K = build.var("K", shape("n", "n"), ("spd",))
L = build.var("L", shape("n", "n"), ("lower",))
x, y = build.var("x", shape("n")), build.var("y", shape("m"))
s = build.var("s", ())


def line(node: Node | list[Node], **sizes: int) -> list[str]:
    """The statements of the straight line."""
    source = runtime.compile(node).source_for(**sizes)
    tree = ast.parse(source)
    (compute,) = (f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name == "compute")
    return [ast.unparse(statement) for statement in compute.body[1:]]


GOLDEN: list[tuple[str, Node, list[str]]] = [
    (
        "a product of matrix and vector",
        build.einsum([X, x], "ij,j->i"),
        ["t1 = X @ x", "return t1"],
    ),
    ("its transpose", build.einsum([X, y], "ij,i->j"), ["t1 = X.T @ y", "return t1"]),
    ("an inner product", build.einsum([x, x], "i,i->"), ["t1 = x @ x", "return t1"]),
    (
        "a matrix times itself",
        build.einsum([X, X], "ki,kj->ij"),
        ["t1 = X.T @ X", "return t1"],
    ),
    (
        "a diagonal scales rows",
        build.einsum([diagonal_matrix(y), X], "ij,jk->ik"),
        ["t1 = X * y[:, None]", "return t1"],
    ),
    (
        "a diagonal is written through a view",
        diagonal_matrix(x),
        [
            "n, = x.shape",
            "dtype = x.dtype.type",
            "t1 = np.zeros((n, n), dtype)",
            "diagonal_of(t1)[...] = x",
            "return t1",
        ],
    ),
    (
        "a multiple of the unit matrix is added in place",
        build.add([(1, A), (2, build.delta(N))]),
        ["t1 = A.copy()", "diagonal_of(t1)[...] += 2", "return t1"],
    ),
    (
        "a diagonal is taken out by a view",
        diagonal(A),
        ["t1 = A.diagonal()", "return np.array(t1)"],
    ),
    ("an element", build.einsum([x, unit(3, N)], "i,i->"), ["t1 = x[2]", "return t1"]),
    (
        "a row",
        build.einsum([X, unit(M, M)], "ij,i->j"),
        ["m = X.shape[0]", "t1 = X[m - 1]", "return np.array(t1)"],
    ),
    (
        "a slice",
        build.einsum([window(2, 4, N), x], "ij,j->i"),
        ["t1 = x[1:4]", "return np.array(t1)"],
    ),
    ("a lower triangle", tril(X), ["t1 = np.tril(X)", "return t1"]),
    ("an upper triangle", triu(A), ["t1 = np.triu(A)", "return t1"]),
    ("a division", divide(x, exp(x)), ["t1 = np.exp(x)", "t2 = x / t1", "return t2"]),
    (
        "a large temporary is written over when it is not needed any more",
        build.add([(2, divide(X, exp(X))), (-2, square(exp(sin(X))))]),
        [
            "t1 = np.exp(X)",
            "np.divide(X, t1, out=t1)",
            "t2 = np.sin(X)",
            "np.exp(t2, out=t2)",
            "np.square(t2, out=t2)",
            "t1 -= t2",
            "t1 *= 2",
            "return t1",
        ],
    ),
    (
        "a sum over an axis",
        build.einsum([X], "ij->i"),
        ["t1 = X.sum(axis=1)", "return t1"],
    ),
    (
        "a broadcast stays one as long as it can",
        build.add([(1, X), (-1, build.broadcast(x, (M, N)))]),
        ["t1 = X - x", "return t1"],
    ),
    (
        "a column is broadcast",
        build.add([(1, X), (3, build.einsum([y], ["i"], "ij", {"j": N}))]),
        ["t1 = X + 3 * y[:, None]", "return t1"],
    ),
    (
        "a common coefficient stands before the sum",
        build.add([(Fraction(1, 2), A), (Fraction(1, 2), build.transpose(A))]),
        ["t1 = 0.5 * (A + A.T)", "return t1"],
    ),
    (
        "weights that are not negative go into both sides as roots",
        build.einsum([X, X, square(y)], "ki,kj,k->ij"),
        [
            "t1 = np.square(y)",
            "t2 = np.sqrt(t1)",
            "t3 = X * t2[:, None]",
            "t4 = t3.T @ t3",
            "return t4",
        ],
    ),
    (
        "a solve with a positive definite matrix, its factor shared",
        build.einsum([inv(K), x, x], "ij,j,i->"),
        [
            "t1 = factorise_spd(K, where='inv(K)')",
            "t2 = solve_factored(t1, x, transposed=False, columns=False)",
            "del t1",
            "t3 = t2 @ x",
            "return t3",
        ],
    ),
    (
        "a solve with a transposed triangle",
        build.einsum([inv(L), x], "ji,j->i"),
        [
            "t1 = solve_triangle(L, x, lower=True, transposed=True, columns=False, where='inv(L)')",
            "return t1",
        ],
    ),
    (
        "a sum of squares",
        build.sum_all(square(sin(y))),
        ["t1 = np.sin(y)", "t2 = t1 @ t1", "return t2"],
    ),
    (
        "a squared norm of a matrix",
        build.sum_all(square(X)),
        ["t1 = X.ravel().dot(X.ravel())", "return t1"],
    ),
    ("a function of a transpose", build.transpose(exp(X)), ["t1 = np.exp(X)", "return t1.T"]),
]


@pytest.mark.parametrize(("name", "node", "due"), GOLDEN, ids=[case[0] for case in GOLDEN])
def test_golden(name: str, node: Node, due: list[str]) -> None:
    assert line(node) == due


def test_one_factorisation_serves_solves_inverse_and_determinant() -> None:
    solved = build.einsum([inv(K), x], "ij,j->i")
    statements = line([logdet(K), solved, inv(K)])
    assert statements == [
        "t1 = factorise_spd(K, where='logdet(K)')",
        "t2 = log_determinant_factored(t1, where='logdet(K)')",
        "t3 = solve_factored(t1, x, transposed=False, columns=False)",
        "t4 = inverse_factored(t1, overwrite=True)",
        "return (t2, t3, t4)",
    ]


def test_a_negative_determinant_is_refused_with_a_shared_factorisation_too() -> None:
    fun = runtime.compile([logdet(A), build.einsum([inv(A), x], "ij,j->i")])
    value, solved = fun(A=[[0.0, 2.0], [-3.0, 0.0]], x=[2.0, 3.0])
    np.testing.assert_allclose(value, np.log(6))
    np.testing.assert_allclose(solved, [-1, 1])
    with pytest.raises(DomainError, match=r"logdet\(A\): the determinant is not positive"):
        fun(A=[[0.0, 2.0], [3.0, 0.0]], x=[2.0, 3.0])


SLOW = re.compile(r"np\.eye|identity\(|diag\([^)]*\) @|inv\([^)]*\) @|np\.diag\(")


def test_the_slow_ways_are_not_taken() -> None:
    nodes = [node for _, node, _ in GOLDEN] + [
        build.einsum([inv(A), X], "ij,kj->ik"),
        build.einsum([inv(A), x], "ij,j->i"),
        trace(build.einsum([inv(K), A], "ij,jk->ik")),
        build.einsum([diagonal_matrix(x), A, diagonal_matrix(x)], "ij,jk,kl->il"),
    ]
    for node in nodes:
        source = runtime.compile(node, variables=(x,)).source_for(**{})
        assert not SLOW.search(source)


def test_a_module_stands_by_itself(tmp_path: Path) -> None:
    roots = [build.einsum([inv(K), x], "ij,j->i"), build.einsum([X, reciprocal(exp(x))], "ij,j->i")]
    path = tmp_path / "generated.py"
    path.write_text(runtime.compile(roots).source, encoding="utf-8")
    code = (
        "import sys; import numpy as np; from generated import evaluate\n"
        "r = evaluate(K=2 * np.eye(2), X=[[1, 2]], x=[0, 0])\n"
        "print([a.tolist() for a in r], any(n.startswith('tcalc') for n in sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "[[0.0, 0.0], [3.0]] False"


HOSTILE = [
    "class",
    "match",
    "np",
    "dtype",
    "t1",
    "compute",
    "evaluate",
    "as_arrays",
    "factorise_spd",
    "ValueError",
    "len",
    "__import__",
    "_",
    "λ",
    "Ärger",
    "ﬁ",
    "x y",
    "a'; import os; os.abort()  #",
    '"""\nraise SystemExit\n"""',
    "a\\",
    "9lives",
    "m",
    "n",
    "",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_of_an_input_is_harmless(name: str) -> None:
    variable = build.var(name, shape("m", "n"))
    node = build.add(
        [(2, exp(variable)), (1, variable), (1, build.einsum([K, variable], "ji,kj->ki"))]
    )
    quadratic = build.einsum([inv(K), variable], "ij,kj->ki")
    function = runtime.compile([node, quadratic])
    values = np.arange(6.0).reshape(2, 3)
    first, second = function(**{name: values, "K": 2 * np.eye(3)})
    np.testing.assert_allclose(first, 2 * np.exp(values) + 3 * values)
    np.testing.assert_allclose(second, values / 2)
    tree = ast.parse(function.source)
    assert {type(part).__name__ for part in tree.body} <= {
        "Expr",
        "Import",
        "ImportFrom",
        "Assign",
        "AnnAssign",
        "FunctionDef",
    }
    namespace: dict[str, Any] = {}
    exec(function.source, namespace)
    assert namespace["evaluate"].__kwdefaults__ is None


@pytest.mark.parametrize("line", ['"""; x = 1; """', "\\d\\", "a \t\0 b"])
@pytest.mark.parametrize("times", [1, 300])
def test_any_line_can_stand_in_a_docstring(line: str, times: int) -> None:
    (found,) = ast.parse(f'"""Title.\n{harmless(" ".join([line] * times))}\n"""').body
    assert isinstance(found, ast.Expr)


def test_two_hostile_names_stay_apart() -> None:
    names = ["x y", "x_y", "x+y", "x-y", "np", "np_", "np__", "class", "class_"]
    total = build.sum_of(*(build.scale(10**k, build.var(name, ())) for k, name in enumerate(names)))
    found = runtime.compile(total)(**{name: k + 1 for k, name in enumerate(names)})
    assert found == sum((k + 1) * 10**k for k in range(len(names)))


@pytest.mark.parametrize("dim", ["min", "X", "t1", "dtype", "np", "lambda", "x'y", "evaluate"])
def test_any_name_of_a_size_is_harmless(dim: str) -> None:
    variable = build.var("X", (Dim.of(dim), Dim.of("k")))
    low = Dim.minimum(Dim.of(dim), Dim.of("k"))
    node = build.add(
        [
            (1, variable),
            (1, build.einsum([build.size(low)], [""], "ab", {"a": Dim.of(dim), "b": Dim.of("k")})),
        ]
    )
    function = runtime.compile([node, build.size(Dim.of(dim) * 2 + Dim.of("k"))])
    first, second = function(X=np.zeros((3, 2)))
    assert first.tolist() == [[2.0] * 2] * 3
    assert second == 8


def test_hints_name_what_the_user_named() -> None:
    z = build.einsum([X, x], "ij,j->i")
    p = exp(z)
    function = runtime.compile(
        build.sum_all(p), hints={z: "z", p: "np"}, title="Sum\n of '''z\"\"\""
    )
    source = function.source
    assert "z = X @ x" in source
    assert "np_ = np.exp(z)" in source
    assert function(X=np.eye(2), x=[0, 0]) == 2


def test_numbers_are_exact_or_refused() -> None:
    assert line(build.scale(Fraction(1, 3), x))[0] == "t1 = 1 / 3 * x"
    assert line(build.scale(Fraction("0.1"), x))[0] == "t1 = 0.1 * x"
    assert line(build.scale(10**25, x))[0] == "t1 = 1e+25 * x"
    with pytest.raises(LimitError, match="beyond the range"):
        line(build.scale(10**400, x))


def test_a_sum_of_many_terms_is_added_up_in_place() -> None:
    terms = [build.var(f"v{k}", shape("n")) for k in range(5)]
    statements = line(build.sum_of(*terms))
    assert statements[0].startswith("t1 = ")
    assert [s.split()[1] for s in statements[1:-1]] == ["+="] * 3


def test_squared_distances_make_no_array_of_all_differences() -> None:
    k = Dim.of("k")
    Z, V = build.var("Z", shape("n", "k")), build.var("V", shape("m", "k"))
    dims = {"i": M, "j": N, "k": k}
    rows = build.einsum([V], ["ik"], "ikj", dims)
    gap = build.subtract(rows, build.einsum([Z], ["jk"], "ikj", dims))
    squares = build.einsum([square(build.scale(3, gap))], ["ikj"], "ij")
    assert line(build.scale(Fraction(1, 9), squares)) == [
        "t1 = squared_distances(V, Z)",
        "return t1",
    ]
    rng = np.random.default_rng(0)
    data: dict[str, Any] = {"V": rng.normal(size=(4, 2)), "Z": rng.normal(size=(3, 2))}
    fun = runtime.compile([squares, build.einsum([squares, y], "ij,i->j")])
    due = 9 * ((data["V"][:, None] - data["Z"]) ** 2).sum(axis=2)
    given = {**data, "y": np.arange(4.0)}
    np.testing.assert_allclose(fun(**given)[0], due)
    np.testing.assert_allclose(fun(**given)[1], np.arange(4.0) @ due)
    single = {name: array.astype(np.float32) for name, array in given.items()}
    assert fun(**single)[0].dtype == np.float32
    step = fun(**{**given, "V": data["V"] + 1e-20j})[0].imag / 1e-20
    np.testing.assert_allclose(step, 18 * (data["V"][:, None] - data["Z"]).sum(axis=2))


def test_numbers_are_multiplied_before_arrays_are() -> None:
    node = build.scale(-3, build.einsum([s, exp(X)], ",ij->ij"))
    assert line(node) == ["t1 = np.exp(X)", "t2 = -3 * s", "t1 *= t2", "return t1"]
    assert line(build.scale(4, divide(exp(x), build.broadcast(exp(s), (N,)))))[-3:-1] == [
        "t3 = 0.25 * t1",
        "t4 = t2 / t3",
    ]


def test_a_diagonal_that_is_a_result_may_be_written_to() -> None:
    square = build.einsum([A, A], "ij,jk->ik")
    fun = runtime.compile([diagonal(sin(square)), sin(square)])
    result, whole = fun(A=np.eye(3))
    result[:] = 7
    np.testing.assert_allclose(whole, np.sin(np.eye(3)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("error")
def test_sigmoid_and_softplus_neither_overflow_nor_cancel(dtype: type) -> None:
    far = np.array([-np.inf, -1e30, -80, -30, 0, 30, 80, 1e30, np.inf], dtype)
    given = far.copy()
    curve, soft = runtime.compile([sigmoid(x), softplus(x)])(x=given)
    assert curve.dtype == soft.dtype == dtype
    np.testing.assert_array_equal(given, far)
    np.testing.assert_allclose(curve, special.expit(far), rtol=1e-6)
    np.testing.assert_allclose(soft, np.logaddexp(dtype(0), far), rtol=1e-6)
    (one,) = runtime.compile([sigmoid(s)])(s=2.0)
    assert one == pytest.approx(special.expit(2.0), rel=1e-15)


@pytest.mark.parametrize("text", ["2*pi", "eye(3)/7", "kron(eye(2), ones(2, 3))", "3"])
def test_a_module_without_arguments_says_the_type_that_it_gives(text: str) -> None:
    run = tcalc.compile(tcalc.parse(text))
    assert "The results are of type float64." in run.source
    assert "have their type" not in run.source
    assert np.asarray(run()).dtype == np.float64


@pytest.mark.parametrize("exponent", [*range(-8, 0), *range(1, 9), 0.5, -0.5, 1.5, -2.5, 3.5, -3.5])
def test_small_powers_are_products_and_roots(exponent: float) -> None:
    function = tcalc.compile(tcalc.parse(f"x.^({exponent})", "x[n]"))
    assert "**" not in body(function)
    x = np.array([0.3, 1.0, 7.0, 1e20])
    np.testing.assert_allclose(function(x=x), x**exponent, rtol=2e-15)
