"""Expressions to SymPy and back have the same values; what has no counterpart is named."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from sympy.matrices.expressions.matexpr import MatrixElement

import tcalc
from tcalc import gallery
from tcalc.errors import ArgumentError, LimitError, TcalcError

RANDOM = np.random.default_rng(0)
P, Q = sympy.symbols("p q", integer=True)
N = sympy.Symbol("n", integer=True, positive=True)
SIZES = {"m": 3, "n": 2, "k": 2, "p": 4}

MATRIX = [
    "A*x - y",
    "x'*A'*y + 2",
    "(A*x)'*(A*x)",
    "tr(A'*A*S)",
    "inv(S)*x + S'*x",
    "S^3*x",
    "S\\x",
    "logdet(S*S' + eye(n)) + det(S)",
    "A.*B ./ (2 + A.^2)",
    "exp(A) + c*B - 1",
    "sum(log(1 + exp(-y.*(A*x))))",
    "norm2(A*x - y)^2",
    "norm2(x)",
    "diag(x)*S + diag(diag(S))",
    "x*y'",
    "y'*A",
    "c*norm2(A*x)^2/m + n/c + pi",
    "sin(c)^2 + atan2(c, d)",
    "norm1(A)",
    "c^d",
]
INDEXED = [
    *MATRIX,
    "T[i,j,k]*x[j]",
    "r[i] = T[i,j,j]",
    "where(c < d, c, d^2)",
    "logsumexp(x)",
    "softmax(x)",
    "A[2,1] + x[1]",
    "A[1:2,1]",
    "outer(x, y)",
    "tril(S)*x",
    "relu(x) + sigmoid(x)",
    "prod(x)",
    "y[end]*y[end-1]",
    "y[2:end]'*y[1:end-1]",
    "y[2:3]",
    "A[1:end-1,2:end]",
    "concat(x, y)",
    "concat[2](A, B)",
    "stack(x, 2*x)",
    "tril(S) + triu(S, 1)",
]
DECLARED = "A[m,n], B[m,n], S[n,n], T[m,n,n], x[n], y[m], c, d"
DATA = {
    "A": RANDOM.standard_normal((3, 2)),
    "B": RANDOM.standard_normal((3, 2)),
    "S": RANDOM.uniform(0.2, 0.8, (2, 2)) + 2 * np.eye(2),
    "T": RANDOM.standard_normal((3, 2, 2)),
    "x": RANDOM.standard_normal(2),
    "y": RANDOM.standard_normal(3),
    "c": 1.3,
    "d": 0.4,
}


def value_of(expression):
    given = {name: DATA[name] for name in expression.variables}
    return np.asarray(tcalc.compile(expression)(**given))


@pytest.mark.parametrize("program", MATRIX)
def test_matrix_form_and_back(program):
    f = tcalc.parse(program, DECLARED)
    there = tcalc.to_sympy(f, "matrix")
    back = tcalc.from_sympy(there)
    found, expected = value_of(back), value_of(f)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-12)


@pytest.mark.parametrize("program", INDEXED)
def test_indexed_form_and_back(program):
    f = tcalc.parse(program, DECLARED)
    try:
        there = tcalc.to_sympy(f, "indexed")
    except TcalcError as error:
        assert "indexed form" in str(error)
        assert any(word in program for word in ("det", "inv", "\\"))
        return
    back = tcalc.from_sympy(there)
    np.testing.assert_allclose(value_of(back), value_of(f), rtol=1e-12)


@pytest.mark.parametrize(
    "program", [p for p in MATRIX if not any(w in p for w in ("diag", "norm1"))]
)
def test_sympy_itself_finds_the_same_numbers(program):
    """With explicit matrices in their places, and without us."""
    f = tcalc.parse(program, DECLARED)
    expression = tcalc.to_sympy(f, "matrix")
    sizes = {sympy.Symbol(s, integer=True, positive=True): n for s, n in SIZES.items()}
    explicit = {}
    for symbol in expression.atoms(sympy.MatrixSymbol):
        shape = [int(size.subs(sizes)) for size in symbol.shape]
        numbers = sympy.Matrix(DATA[symbol.name].reshape(shape))
        explicit[sympy.MatrixSymbol(symbol.name, *shape)] = numbers
    scalars = {sympy.Symbol(name): DATA[name] for name in "cd"}
    concrete = expression.subs(sizes).subs(explicit).subs(scalars)
    # SymPy leaves the trace of ones times a matrix as it is, unless that is written out.
    concrete = concrete.replace(
        lambda part: isinstance(part, sympy.Trace | sympy.Determinant),
        lambda part: type(part)(part.arg.as_explicit()).doit(),
    ).doit()
    if getattr(concrete, "is_Matrix", False):
        concrete = concrete.as_explicit() if hasattr(concrete, "as_explicit") else concrete
        found = np.array(concrete.evalf().tolist(), dtype=float)
    else:
        found = np.array(float(concrete))
    expected = value_of(f)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-9)


def test_sums_are_evaluated_by_sympy_too():
    f = tcalc.parse("sum(exp(A*x)) + x'*S*x", DECLARED)
    e = tcalc.to_sympy(f, "indexed")
    sizes = {sympy.Symbol(s, integer=True, positive=True): n for s, n in SIZES.items()}
    unrolled = e.subs(sizes).doit()
    numbers = {
        entry: DATA[str(entry.base)][tuple(int(k) for k in entry.indices)]
        for entry in unrolled.atoms(sympy.Indexed)
    }
    assert float(unrolled.xreplace(numbers).evalf()) == pytest.approx(float(value_of(f)))


SMALL = ["ridge", "logistic", "quadratic_form", "trace_product", "least_squares", "sine_product",
         "factorisation", "weighted_product", "power", "matrix_times_exp"]  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_gradients_of_the_gallery(name):
    model, data = gallery.load(name), gallery.make_data(name)
    f = tcalc.parse(model.text)
    g = tcalc.jacobian(f, model.wrt[0])
    for form in ("auto", "indexed"):
        back = tcalc.from_sympy(tcalc.to_sympy(g, form))
        found = tcalc.compile(back)(**{name: data[name] for name in back.variables})
        expected = tcalc.evaluate(g, **data)
        np.testing.assert_allclose(np.reshape(found, expected.shape), expected, rtol=1e-11)


class TestFromSympy:
    m, n = sympy.symbols("m n")
    i, j = sympy.symbols("i j")
    A = sympy.IndexedBase("A", shape=(m, n))
    x = sympy.IndexedBase("x", shape=(n,))

    def test_free_indices_are_axes_in_the_order_of_their_names(self):
        e = self.A[self.j, self.i] * self.x[self.i]
        assert tcalc.from_sympy(e).shape == ("n", "m")
        assert tcalc.from_sympy(e, indices=[self.j, self.i]).shape == ("m", "n")
        with pytest.raises(TcalcError, match="the free indices are i, j"):
            tcalc.from_sympy(e, indices=[self.i])

    def test_sums_over_idx_and_from_one(self):
        k = sympy.Idx("k", self.n)
        e = sympy.Sum(self.A[self.i, k] * self.x[k], (k, 0, self.n - 1))
        assert str(tcalc.from_sympy(e)) == "A*x"
        one = sympy.Sum(self.x[self.j], (self.j, 1, self.n))
        assert str(tcalc.from_sympy(one)) == "sum(x)"

    def test_integers_count_from_zero(self):
        found = tcalc.from_sympy(self.A[0, self.j] + self.A[-1, self.j])
        data = np.arange(6.0).reshape(3, 2)
        np.testing.assert_array_equal(tcalc.evaluate(found, A=data), data[0] + data[-1])

    def test_places_may_be_told_by_sizes(self):
        found = tcalc.from_sympy(self.A[self.m - 1, self.j] + self.A[self.m - 2, self.j])
        data = np.arange(6.0).reshape(3, 2)
        np.testing.assert_array_equal(tcalc.evaluate(found, A=data), data[-1] + data[-2])
        X = sympy.MatrixSymbol("X", self.m, self.n)
        last = tcalc.from_sympy(X[self.m - 1, self.n - 1])
        assert tcalc.evaluate(last, X=data) == data[-1, -1]
        mixed = self.x[self.i + 1] * sympy.Sum(self.x[self.i], (self.i, 0, self.n - 1))
        with pytest.raises(TcalcError, match="is no index"):
            tcalc.from_sympy(mixed)

    def test_an_axis_along_which_nothing_varies_is_an_index_with_a_range(self):
        f = tcalc.parse("x*ones(n)' + c", "x[n], c")
        j = sympy.Idx("i1", self.n)
        e = tcalc.to_sympy(f, "indexed")
        i = next(k for k in e.free_symbols if str(k) == "i0")
        found = tcalc.from_sympy(e, indices=[i, j])
        assert found.shape == ("n", "n")
        data = {"x": np.arange(3.0), "c": 2.0}
        due = np.outer(data["x"], np.ones(3)) + 2
        np.testing.assert_array_equal(tcalc.evaluate(found, **data), due)
        turned = tcalc.from_sympy(e, indices=[j, i])
        np.testing.assert_array_equal(tcalc.evaluate(turned, **data), due.T)
        with pytest.raises(TcalcError, match="free indices"):
            tcalc.from_sympy(e, indices=[i, j, j])

    def test_elements_of_matrices_and_deltas(self):
        X = sympy.MatrixSymbol("X", self.m, self.n)
        e = (X.T * X)[self.i, self.j]
        assert isinstance(X[0, 1], MatrixElement)
        found = tcalc.from_sympy(e)
        data = RANDOM.standard_normal((3, 2))
        np.testing.assert_allclose(tcalc.evaluate(found, X=data), data.T @ data)
        unit = sympy.KroneckerDelta(self.i, self.j) * self.x[self.i]
        assert str(tcalc.from_sympy(unit)) == "diag(x)"

    def test_declarations_say_more(self):
        K = sympy.MatrixSymbol("K", self.n, self.n)
        f = tcalc.from_sympy(sympy.log(sympy.Determinant(K)), "K[n,n] spd")
        assert str(tcalc.gradient(f, "K")) == "inv(K)"
        with pytest.raises(TcalcError, match=r"K is K\[m\]"):
            tcalc.from_sympy(sympy.Trace(K), "K[m]")

    def test_piecewise_functions_and_dimensions_as_numbers(self):
        c = sympy.Symbol("c")
        f = tcalc.from_sympy(sympy.Piecewise((c**2, c < 1), (2 * c, c < 3), (6, True)))
        assert [float(tcalc.evaluate(f, c=v)) for v in (0.5, 2.0, 5.0)] == [0.25, 4.0, 6.0]
        mean = sympy.Sum(self.x[self.j], (self.j, 0, self.n - 1)) / self.n
        assert float(tcalc.evaluate(tcalc.from_sympy(mean), x=[1.0, 2.0, 6.0])) == 3.0

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda s: "x + 1", "an expression of SymPy's was expected, not str"),
            (lambda s: sympy.zeta(sympy.Symbol("c")), "no counterpart of zeta"),
            (lambda s: sympy.IndexedBase("A")[s.i], "A needs a shape"),
            (lambda s: s.A[s.i, s.i], "index i runs over m and over n"),
            (lambda s: s.A[s.i + 1, s.j], r"i \+ 1 is no index"),
            (lambda s: sympy.Sum(s.x[s.j], (s.j, 0, s.n)), "index j runs over"),
            (lambda s: sympy.Sum(s.x[s.j], (s.j, 2, s.n + 1)), "should at 0 or 1"),
            (lambda s: s.i * s.x[s.i], "stands alone, as a number"),
            (lambda s: sympy.Symbol("a b"), "no name for a variable"),
            (lambda s: sympy.I * 2, "no counterpart of ImaginaryUnit"),
            (lambda s: sympy.KroneckerDelta(s.i, s.j), "range of"),
            (
                lambda s: sympy.kronecker_product(
                    sympy.MatrixSymbol("X", 2, 2), sympy.MatrixSymbol("Y", 2, 2)
                ),
                "no counterpart of KroneckerProduct",
            ),
        ],
    )
    def test_what_has_no_counterpart_is_named(self, make, message):
        with pytest.raises(TcalcError, match=message):
            tcalc.from_sympy(make(self))


class TestToSympy:
    def test_what_sympy_does_not_have_is_named(self):
        with pytest.raises(TcalcError, match="SymPy has no counterpart of chol"):
            tcalc.to_sympy(tcalc.parse("chol(K)", "K[n,n] spd"))
        with pytest.raises(TcalcError, match="tensor of order 3 is no matrix"):
            tcalc.to_sympy(tcalc.parse("T", "T[m,n,k]"), "matrix")
        with pytest.raises(TcalcError, match="no form 'array'"):
            tcalc.to_sympy(tcalc.parse("x"), "array")
        with pytest.raises(TcalcError, match="an expression was expected"):
            tcalc.to_sympy("x")

    def test_a_large_graph_is_refused_before_sympy_recurses(self):
        e = tcalc.parse("s{0} = c\nfor t = 1:4000\ns{t} = sin(s{t-1})\nend\ns{4000}")
        with pytest.raises(TcalcError, match=r"too many for SymPy|too deep"):
            tcalc.to_sympy(e)

    def test_users_functions_are_what_they_are_in_sympy(self):
        t = sympy.Symbol("t")
        huber = tcalc.elementwise("huber", sympy.sqrt(1 + t**2) - 1, t)
        e = tcalc.to_sympy(tcalc.parse("huber(c)", "c", functions=[huber]))
        c = sympy.Symbol("c")
        assert sympy.simplify(e - (sympy.sqrt(1 + c**2) - 1)) == 0


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        ((P, Q + 1), lambda v, w: v[1:] @ w[:-1]),
        ((P + 2, Q), lambda v, w: v[:-2] @ w[2:]),
        ((P - 1, Q), lambda v, w: v[1:] @ w[:-1]),
        ((P, Q + N), lambda v, w: 0.0),
        ((P, N - 1), lambda v, w: v[-1] * w.sum()),
        ((-1, P), lambda v, w: 0.0),
    ],
)
def test_a_unit_tensor_between_shifted_indices(delta, expected):
    v, w = (sympy.IndexedBase(name, shape=(N,)) for name in "vw")
    term = sympy.KroneckerDelta(*delta) * v[P] * w[Q]
    f = tcalc.from_sympy(sympy.Sum(term, (P, 0, N - 1), (Q, 0, N - 1)))
    data = {"v": RANDOM.standard_normal(4), "w": RANDOM.standard_normal(4)}
    given = {name: data[name] for name in f.variables}
    np.testing.assert_allclose(tcalc.evaluate(f, **given), expected(**data))


def test_a_unit_tensor_of_no_index_is_refused():
    v = sympy.IndexedBase("v", shape=(N,))
    with pytest.raises(ArgumentError, match="index"):
        tcalc.from_sympy(sympy.Sum(sympy.KroneckerDelta(P, 2 * Q) * v[P] * v[Q], (P, 0, N - 1)))
    A = sympy.MatrixSymbol("A", 2, 2)
    with pytest.raises(ArgumentError, match="BlockMatrix"):
        tcalc.from_sympy(sympy.Trace(sympy.BlockMatrix([[A, A], [A, A]])))


def test_what_sympy_would_get_wrong_is_refused():
    # SymPy moves the case j <= p out of the sum over j that is squared.
    f = tcalc.parse("w[k,p] = tril(L)[k,p,q]*M[k,q]; sum(w.^2)", "L[k,d,d], M[k,d]")
    with pytest.raises(ArgumentError, match="take cases out of the sums"):
        tcalc.to_sympy(f)


def test_deep_comparisons_are_refused_before_sympy_takes_hours():
    text = "x"
    for k in range(6):
        text = f"relu(W{k}*{text})"
    f = tcalc.parse(f"sum({text})", ", ".join(f"W{k}[n,n]" for k in range(6)) + ", x[n]")
    with pytest.raises(LimitError, match="within one another"):
        tcalc.to_sympy(f, "indexed")
    assert "Max" in str(tcalc.to_sympy(tcalc.parse("relu(W*relu(V*x))"), "indexed"))


@pytest.mark.parametrize("name", ["bayes_lq", "cca", "least_squares_qr"])
def test_models_without_a_counterpart_say_which_function_has_none(name):
    f = tcalc.parse(gallery.load(name).text)
    with pytest.raises(ArgumentError, match=r"no counterpart of (lq|chol|qr)"):
        tcalc.to_sympy(f)


def test_indices_keep_their_names():
    n, d = sympy.symbols("n d", integer=True)
    batch, mu = sympy.symbols("batch mu", integer=True)
    X, w = sympy.IndexedBase("X", shape=(n, d)), sympy.IndexedBase("w", shape=(d,))
    inner = sympy.Sum(X[batch, mu] * w[mu], (mu, 0, d - 1))
    f = tcalc.from_sympy(sympy.Sum(inner**2, (batch, 0, n - 1)))
    assert tcalc.hessian(f, "w").einstein() == "2*X[batch,mu]*X[batch,nu]"
    assert tcalc.from_sympy(inner).einstein() == "X[batch,mu]*w[mu]"


@pytest.mark.parametrize("form", ["auto", "matrix"])
def test_the_largest_element_of_a_matrix_is_no_matrix(form):
    for text in ("max(x)", "x - min(x)", "max(A)*c"):
        with pytest.raises(TcalcError, match=r"SymPy has no .*(max|min)"):
            tcalc.to_sympy(tcalc.parse(text, DECLARED), form)


@pytest.mark.parametrize(
    "program",
    [
        "digamma(c^2 + 1)",
        "gradient(sum(digamma(x + 3)), x)",
        "r[i] = sum[j](gradient(sum(lgamma(exp(A))), A)[i,j])",
        "mean(kron(A, S))",
        "sum(kron(S, S))/n^2",
    ],
)
def test_what_functions_and_sizes_are_in_sympy_is_read_again(program):
    f = tcalc.parse(program, DECLARED)
    back = tcalc.from_sympy(tcalc.to_sympy(f))
    np.testing.assert_allclose(value_of(back), value_of(f), rtol=1e-12)


ROW, COLUMN = sympy.symbols("i j", integer=True)
CONDITIONS = {
    ROW < COLUMN: np.less,
    ROW > COLUMN + 1: lambda i, j: i > j + 1,
    ROW >= COLUMN: np.greater_equal,
    sympy.Eq(ROW, COLUMN): np.equal,
    sympy.Ne(ROW, COLUMN + 1): lambda i, j: i != j + 1,
    sympy.Eq(ROW, 0): lambda i, j: i == 0,
    (ROW < COLUMN) | (ROW > COLUMN + 1): lambda i, j: (i < j) | (i > j + 1),
}


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
@pytest.mark.parametrize("other", [0, 2])
def test_conditions_on_indices(condition, other):
    F = sympy.IndexedBase("F", shape=(N, N))
    e = sympy.Piecewise((sympy.log(F[ROW, COLUMN]), condition), (other * F[COLUMN, ROW], True))
    values = np.arange(1.0, 10.0).reshape(3, 3)
    expected = np.where(CONDITIONS[condition](*np.ogrid[:3, :3]), np.log(values), other * values.T)
    found = tcalc.evaluate(tcalc.from_sympy(e), F=values)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_conditions_made_of_several():
    c, d = sympy.symbols("c d")
    conditions = (
        (c > 0) & (c < 1) & (d < c),
        (c > 0) | (d > 0),
        sympy.Not(sympy.And(c > 0, d > 0), evaluate=False),
        sympy.ITE(c > 0, d > 0, d < -0.5),
    )
    for condition in conditions:
        f = tcalc.from_sympy(sympy.Piecewise((c + 2 * d, condition), (c * d, True)))
        for point in ((0.7, 0.2), (0.7, 0.9), (-0.3, -0.6), (2.0, -1.0), (-1.0, 0.4)):
            holds = bool(condition.xreplace({c: sympy.Float(point[0]), d: sympy.Float(point[1])}))
            due = point[0] + 2 * point[1] if holds else point[0] * point[1]
            assert float(tcalc.evaluate(f, c=point[0], d=point[1])) == pytest.approx(due)


def test_unit_tensors_with_a_range_of_their_own():
    A = sympy.MatrixSymbol("A", N, N)
    e = ((A + sympy.Identity(N)) * A)[0, 1]
    assert any(len(part.args) == 3 for part in e.atoms(sympy.KroneckerDelta))
    values = np.arange(9.0).reshape(3, 3)
    found = tcalc.evaluate(tcalc.from_sympy(e), A=values)
    assert found == ((values + np.eye(3)) @ values)[0, 1]


class TestMatricesOfScalars:
    X, Y = sympy.symbols("x y")

    def test_jacobian_as_of_sympy(self):
        F = sympy.Matrix([self.X**2, sympy.sin(self.X * self.Y), 3])
        found = tcalc.from_sympy(F)
        assert found.shape == ("3",)
        expected = F.jacobian([self.X, self.Y]).subs({self.X: 0.5, self.Y: 2.0})
        for column, name in enumerate("xy"):
            value = tcalc.evaluate(tcalc.jacobian(found, name), x=0.5, y=2.0)
            np.testing.assert_allclose(value, np.array(expected, dtype=float)[:, column])

    @pytest.mark.parametrize(
        ("entries", "shape"),
        [([[1, 2]], ("2",)), ([[1, "x"], [0, 4]], ("2", "2")), ([["x"]], ()), ([[0, 0]], ("2",))],
    )
    @pytest.mark.parametrize("kind", [sympy.Matrix, sympy.ImmutableMatrix, sympy.SparseMatrix])
    def test_shapes_and_values(self, entries, shape, kind):
        found = tcalc.from_sympy(kind(entries))
        assert found.shape == shape
        value = tcalc.evaluate(found, **dict.fromkeys(found.variables, 7.0))
        expected = np.array([[7 if x == "x" else x for x in row] for row in entries]).reshape(
            np.shape(value)
        )
        np.testing.assert_array_equal(value, expected)

    def test_they_stand_in_matrix_expressions(self):
        A, rotation = sympy.MatrixSymbol("A", 2, 2), sympy.Matrix([[0, -1], [1, 0]])
        data = RANDOM.standard_normal((2, 2))
        value = tcalc.evaluate(tcalc.from_sympy(rotation * A), A=data)
        np.testing.assert_allclose(value, [[0, -1], [1, 0]] @ data)
        same = tcalc.evaluate(tcalc.from_sympy(A.as_explicit()), A=data)
        np.testing.assert_array_equal(same, data)

    def test_an_entry_with_an_index_is_refused(self):
        i, x = sympy.Idx("i", 3), sympy.IndexedBase("x", shape=(3,))
        with pytest.raises(ArgumentError, match="has no index"):
            tcalc.from_sympy(sympy.Matrix([x[i]]))
