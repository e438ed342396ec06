"""Factored results are the dense tensor in every respect, with the structure that is expected."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse.linalg import cg

import tcalc
from tcalc.runtime import FactoredTensor, FactoredTerm

RANDOM = np.random.default_rng(0)


def normal(*shape):
    return RANDOM.standard_normal(shape)


def spd(n):
    A = normal(n, n)
    return A @ A.T + np.eye(n)


FACTORS = {"U": normal(6, 3), "V": normal(5, 3), "T": normal(6, 5)}
LABELS = {"X": normal(6, 3), "y": np.sign(normal(6)), "w": normal(3), "c": np.asarray(0.1)}

HESSIANS = {
    "matrix factorisation": (
        ("norm2(U*V'-T)^2", "U[m,k], V[n,k], T[m,n]", "U", FACTORS),
        "part by part: 3 × 3",
    ),
    "masked factorisation": (
        (
            "norm2(O.*(U*V'-T))^2",
            "U[m,k], V[n,k], T[m,n], O[m,n]",
            "U",
            {**FACTORS, "O": (RANDOM.random((6, 5)) > 0.3) * 1.0},
        ),
        "part by part: 6 blocks of 3 × 3",
    ),
    "transposed Kronecker": (("logdet(K)", "K[n,n]", "K", {"K": spd(4)}), "4 × 4, 4 × 4"),
    "Kronecker": (
        (
            "norm2(B*X*A')^2/2",
            "A[p,n], B[q,m], X[m,n]",
            "X",
            {"A": normal(5, 3), "B": normal(6, 4), "X": normal(4, 3)},
        ),
        "3 × 3, 4 × 4",
    ),
    "Kronecker sum": (
        (
            "tr(X'*S*X) + tr(X*R*X')",
            "X[m,n], S[m,m] spd, R[n,n] spd",
            "X",
            {"X": normal(4, 3), "S": spd(4), "R": spd(3)},
        ),
        "Kronecker sum",
    ),
    "diagonal": (("sum(exp(X))", "X[m,n]", "X", {"X": normal(4, 3)}), "diagonal of 12"),
    "multiple of the unit": (("3*norm2(X)^2", "X[m,n]", "X", {"X": normal(4, 3)}), "unit"),
    "diagonal and low rank": (
        ("norm2(x)^4/4 + norm2(x)^2", "x[n]", "x", {"x": normal(9)}),
        "rank 1",
    ),
    "blocks that are sums": (
        (
            "sum(O.*(U*V'-T).^2) + norm2(U)^2",
            "U[m,k], V[n,k], T[m,n], O[m,n]",
            "U",
            {**FACTORS, "O": (RANDOM.random((6, 5)) > 0.3) * 1.0},
        ),
        "part by part: 6 blocks of 3 × 3",
    ),
    "blocks and low rank": (
        ("norm2(U*V'-T)^2 + sum(U)^4", "U[m,k], V[n,k], T[m,n]", "U", FACTORS),
        "rank 1, by the identity of Woodbury, and part by part: 3 × 3",
    ),
    "Kronecker sum and low rank": (
        (
            "tr(X'*S*X) + tr(X*R*X') + norm2(X)^4",
            "X[m,n], S[m,m] spd, R[n,n] spd",
            "X",
            {"X": normal(4, 3), "S": spd(4), "R": spd(3)},
        ),
        "",
    ),
    "nothing but dense": (
        ("sum(log(1+exp(-y.*(X*w)))) + c*norm2(w)^2", "X[m,n], y[m], w[n], c", "w", LABELS),
        "3 × 3",
    ),
    "two terms without structure": (
        ("sum(exp(X))+norm2(B*X)^2", "B[q,m], X[m,n]", "X", {"B": normal(4, 4), "X": normal(4, 3)}),
        "",
    ),
}


@pytest.fixture(params=HESSIANS, ids=list(HESSIANS))
def hessian(request):
    (text, declared, wrt, data), route = HESSIANS[request.param]
    H = tcalc.hessian(tcalc.parse(text, declared), wrt)
    return tcalc.compile(H, form="factored")(**data), tcalc.evaluate(H, **data), route


def test_the_dense_form_is_the_tensor(hessian):
    factored, dense, _ = hessian
    np.testing.assert_allclose(factored.dense(), dense, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.asarray(factored), dense, rtol=1e-12, atol=1e-12)
    assert factored.shape == dense.shape


def test_it_is_applied_to_one_and_to_many(hessian):
    factored, dense, _ = hessian
    x = RANDOM.standard_normal((*factored.columns, 2))
    axes = len(factored.columns)
    np.testing.assert_allclose(factored @ x, np.tensordot(dense, x, axes), rtol=1e-11, atol=1e-11)
    x = x[..., 0]
    np.testing.assert_allclose(factored @ x, np.tensordot(dense, x, axes), rtol=1e-11, atol=1e-11)
    turned = dense.transpose(*range(axes, 2 * axes), *range(axes))
    np.testing.assert_allclose(
        factored.T @ x, np.tensordot(turned, x, axes), rtol=1e-11, atol=1e-11
    )


def test_systems_are_solved_by_the_structure(hessian):
    factored, _, route = hessian
    b = RANDOM.standard_normal((*factored.rows, 2))
    assert route in factored.route
    np.testing.assert_allclose(factored @ factored.solve(b), b, rtol=1e-9, atol=1e-9)
    b = b[..., 0]
    np.testing.assert_allclose(factored @ factored.solve(b), b, rtol=1e-9, atol=1e-9)


def test_no_right_hand_side_has_no_solution(hessian):
    factored, _, _ = hessian
    for method in ("auto", "dense", "iterative"):
        b = np.zeros((*factored.rows, 2, 0))
        assert factored.solve(b, method=method).shape == (*factored.columns, 2, 0)


def test_single_precision_stays(hessian):
    factored, _, _ = hessian
    terms = [replace(t, cores=tuple(c.astype("f4") for c in t.cores)) for t in factored.terms]
    single = FactoredTensor(terms, factored.rows, factored.columns, "f4")
    b = normal(*single.rows, 2).astype("f4")
    x = single.solve(b)
    assert x.dtype == single.eigvalsh().dtype == single.diagonal().dtype == np.float32
    np.testing.assert_allclose(single @ x, b, atol=1e-3)


def test_determinant_eigenvalues_diagonal_and_trace(hessian):
    factored, dense, _ = hessian
    size = int(np.prod(factored.rows))
    matrix = dense.reshape(size, size)
    sign, logarithm = np.linalg.slogdet(matrix)
    assert factored.logdet() == pytest.approx((sign, logarithm), rel=1e-10)
    np.testing.assert_allclose(factored.eigvalsh(), np.linalg.eigvalsh(matrix), atol=1e-9)
    np.testing.assert_allclose(factored.diagonal().reshape(-1), np.diag(matrix), atol=1e-12)
    assert factored.trace() == pytest.approx(np.trace(matrix))


def test_linear_operator(hessian):
    factored, dense, _ = hessian
    size = int(np.prod(factored.rows))
    matrix, operator = dense.reshape(size, size), factored.to_linear_operator()
    x = RANDOM.standard_normal((size, 2))
    np.testing.assert_allclose(operator @ x, matrix @ x, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(operator.T @ x[:, 0], matrix.T @ x[:, 0], rtol=1e-11, atol=1e-11)


def test_conjugate_gradients_take_it():
    data = {"V": normal(5, 3), "U": normal(6, 3), "T": normal(6, 5)}
    f = tcalc.parse("norm2(U*V'-T)^2", "U[m,k], V[n,k], T[m,n]")
    factored = tcalc.compile(tcalc.hessian(f, "U"), form="factored")(**data)
    b = normal(18)
    x, info = cg(factored.to_linear_operator(), b, rtol=1e-12)
    assert info == 0
    np.testing.assert_allclose(x, factored.solve(b.reshape(6, 3)).reshape(-1), rtol=1e-6)


def test_the_first_layer_of_a_net_keeps_its_factors_apart():
    f = tcalc.parse("sum(exp(tanh(X*W1')*W2'))", "X[b,n], W1[n,n], W2[n,n]")
    H = tcalc.hessian(f, "W1")
    data = {"X": normal(7, 4), "W1": normal(4, 4), "W2": normal(4, 4)}
    factored = tcalc.compile(H, form="auto")(**data)
    assert isinstance(factored, FactoredTensor)
    assert max(core.ndim for term in factored.terms for core in term.cores) <= 3
    np.testing.assert_allclose(factored.dense(), tcalc.evaluate(H, **data), rtol=1e-10, atol=1e-12)


def test_auto_chooses_by_structure():
    declared = "X[m,n], y[m], w[n]"
    plain = tcalc.parse("sum(log(1+exp(-y.*(X*w))))", declared)
    data = {"X": LABELS["X"], "y": LABELS["y"], "w": LABELS["w"]}
    result = tcalc.compile([plain, tcalc.hessian(plain, "w")], form="auto")(**data)
    assert isinstance(result[1], np.ndarray)
    diagonal = tcalc.parse("sum(exp(w))", declared)
    value, H = tcalc.compile([diagonal, tcalc.hessian(diagonal, "w")], form="auto")(**data)
    assert value == pytest.approx(np.sum(np.exp(data["w"])))
    assert isinstance(H, FactoredTensor)


def test_a_jacobian_is_a_map_between_different_shapes():
    F = tcalc.parse("X*A", "X[m,n], A[n,k]")
    J = tcalc.jacobian(F, "X")
    data = {"X": normal(4, 3), "A": normal(3, 2)}
    factored = tcalc.compile(J, form="factored")(**data)
    assert factored.rows == (4, 2)
    assert factored.columns == (4, 3)
    D = normal(4, 3)
    np.testing.assert_allclose(factored @ D, D @ data["A"])
    with pytest.raises(tcalc.TcalcError, match="equal shapes"):
        factored.solve(normal(4, 2))


def test_newton_step_of_a_large_factorisation_is_small():
    f = tcalc.parse("norm2(U*V'-T)^2", "U[m,k], V[n,k], T[m,n]")
    step = tcalc.compile([tcalc.gradient(f, "U"), tcalc.hessian(f, "U")], form="factored")
    data = {"U": normal(300, 10), "V": normal(200, 10), "T": normal(300, 200)}
    gradient, H = step(**data)
    assert H.nbytes == 800
    assert H.ndim == len(H.shape) == 4
    U = data["U"] - H.solve(gradient)
    assert np.abs(step(**{**data, "U": U})[0]).max() < 1e-8


def test_refusals_say_why():
    H = tcalc.hessian(tcalc.parse("norm2(U*V'-T)^2", "U[m,k], V[n,k], T[m,n]"), "U")
    factored = tcalc.compile(H, form="factored", memory_limit=1000)(**FACTORS)
    with pytest.raises(tcalc.TcalcError, match="above the limit"):
        factored.dense()
    with pytest.raises(tcalc.TcalcError, match="should begin with"):
        factored @ normal(5, 3)
    singular = {**FACTORS, "V": np.zeros((5, 3))}
    with pytest.raises(tcalc.TcalcError, match="3 × 3 is singular"):
        tcalc.compile(H, form="factored")(**singular).solve(normal(6, 3))
    with pytest.raises(tcalc.TcalcError, match="no form"):
        tcalc.compile(H, form="sparse")
    with pytest.raises(tcalc.TcalcError, match="size m"):
        tcalc.compile(H, form="factored")(V=FACTORS["V"])


def test_printed_form_and_representation():
    H = tcalc.hessian(tcalc.parse("norm2(U*V'-T)^2", "U[m,k], V[n,k], T[m,n]"), "U")
    factored = tcalc.compile(H, form="factored")(**FACTORS)
    assert str(factored).startswith("2 δ[i,k] (V'*V)[j,l]")
    assert "72 bytes" in repr(factored)


def test_binding_keeps_the_form():
    H = tcalc.hessian(tcalc.parse("norm2(U*V'-T)^2", "U[m,k], V[n,k], T[m,n]"), "U")
    bound = tcalc.compile(H, form="factored").bind(V=FACTORS["V"])
    assert bound(U=FACTORS["U"], T=FACTORS["T"]).nbytes == 72


def test_axes_without_any_factor_repeat():
    term = FactoredTerm(2.0, (), (), (0, 1))
    tensor = FactoredTensor([term], (2,), (3,), float)
    np.testing.assert_array_equal(tensor.dense(), np.full((2, 3), 2.0))
    np.testing.assert_array_equal(tensor @ np.ones(3), np.full(2, 6.0))


@pytest.mark.parametrize("sizes", [(0, 3, 2), (3, 2, 0), (0, 0, 0)])
@pytest.mark.parametrize("text", ["norm2(U*V'-T)^2", "sum(exp(U*V'-T)) + sum(U)^4"])
def test_a_map_without_entries_has_the_empty_solution(text, sizes, capfd):
    m, n, k = sizes
    H = tcalc.hessian(tcalc.parse(text, "U[m,k], V[n,k], T[m,n]"), "U")
    data = {"U": normal(m, k), "V": normal(n, k), "T": normal(m, n)}
    tensor = tcalc.compile(H, form="factored")(**data)
    for method in ("auto", "dense", "iterative"):
        assert tensor.solve(np.ones((m, k)), method=method).shape == (m, k)
        assert tensor.solve(np.ones((m, k, 5)), method=method).shape == (m, k, 5)
    assert tensor.logdet() == (1.0, 0.0)
    assert tensor.eigvalsh().shape == (0,)
    assert tensor.explain_solve() == tensor.route == "there are no entries"
    assert (2 * tensor + tensor).dense().shape == tensor.shape
    K = tcalc.hessian(tcalc.parse("norm2(K)^2", "K[n,n] symmetric"), "K")
    within = tcalc.compile(K, form="factored")(K=np.zeros((0, 0)))
    assert within.solve(np.zeros((0, 0))).shape == (0, 0) and within.logdet() == (1.0, 0.0)
    assert not any(capfd.readouterr())


@pytest.mark.parametrize("wrt", ["x", "y"])
def test_a_result_without_cores_has_the_type_of_the_arguments(wrt):
    H = tcalc.hessian(tcalc.parse("a'*x + c*sum(x) + y'*y", "a[n], x[n], y[m], c"), wrt)
    fun = tcalc.compile(H, form="factored")
    data = dict.fromkeys("axy", np.ones(3, np.float32)) | {"c": 2}
    for given, dtype in (
        (data, np.float32),
        ({**data, "c": 2.5}, np.float32),
        ({**data, "a": np.ones(3)}, np.float64),
        ({**data, "a": [1, 2, 3]}, np.float64),
        ({**data, "a": np.ones(3, np.int8)}, np.float64),
    ):
        tensor = fun(**given)
        assert tensor.dtype == (tensor @ data["x"]).dtype == tensor.dense().dtype == dtype
        bound = fun.bind(**{name: given[name] for name in "ac"})
        assert bound(x=given["x"], y=given["y"]).dtype == dtype


def test_the_module_says_how_to_put_its_arrays_together():
    f = tcalc.parse("norm2(U*V'-T)^2", "U[m,k], V[n,k], T[m,n]")
    function = tcalc.compile([tcalc.gradient(f, "U"), tcalc.hessian(f, "U")], form="factored")
    assert "    result 1: c1\n    result 2: 2 δ[i,k] c2[j,l]\n" in function.source
    assert "tcalc" not in function.source.split('"""', 2)[2]


def test_the_printed_form_shows_the_structure():
    f = tcalc.parse("norm2(U*V'-T)^2", "U[m,k], V[n,k], T[m,n]")
    H = tcalc.compile(tcalc.hessian(f, "U"), form="factored")(**FACTORS)
    assert str(H) == "2 δ[i,k] (V'*V)[j,l]\noperator: 2 (V'*V ⊗ I)"


@pytest.mark.parametrize("text", ["A*X", "A*X*B", "A*X'*B", "A*X + X*B", "A*X + X*B + D.*X"])
def test_eigenvalues_are_those_of_the_symmetric_part(text: str) -> None:
    generator = np.random.default_rng(5)
    F = tcalc.parse(text, "X[n,n], A[n,n], B[n,n], D[n,n]")
    data = {name: generator.standard_normal((3, 3)) for name in F.variables}
    J = tcalc.compile(tcalc.jacobian(F, "X"), form="factored")(**data)
    M = J.dense().reshape(9, 9)
    np.testing.assert_allclose(J.eigvalsh(), np.linalg.eigvalsh((M + M.T) / 2), rtol=1e-10)


# What a user without tcalc does with the module: NumPy alone, and the tables of the module.
ALONE = """
import sys
import numpy as np

sys.modules["tcalc"] = None
sys.path.insert(0, sys.argv[1])
import module

data = dict(np.load(sys.argv[1] + "/data.npz"))
returned = module.evaluate(**data)
sizes = {"m": data["T"].shape[0], "n": data["T"].shape[1], "k": data["U"].shape[1]}
for place, (terms, axes) in enumerate(zip(module.TERMS, module.AXES)):
    total = np.zeros([sizes[name] for name in axes])
    for coefficient, cores, rows, output in terms:
        operands = [x for core, row in zip(cores, rows) for x in (returned[core], row)]
        free = []
        for k, label in enumerate(output):
            free.append(label if label not in free else 20 + k)
            operands += [np.eye(total.shape[k]), (label, free[k])] if free[k] != label else []
            alone = not any(label in row for row in operands[1::2])
            operands += [np.ones(total.shape[k]), (label,)] if alone else []
        total += coefficient * np.einsum(*operands, free)
    np.save(f"{sys.argv[1]}/result{place}.npy", total)
"""


@pytest.mark.parametrize(
    "text",
    [
        "norm2(U*V' - T)^2",
        "sum(exp(T).*(U*V' - T).^2) + 3*norm2(U)^2",
        "sum(exp(U)) + sum(U)^2*norm2(V)^2*sum(T)",
    ],
)
def test_the_module_says_as_data_what_its_cores_make_up(text: str, tmp_path: Path) -> None:
    f = tcalc.parse(text, "U[m,k], V[n,k], T[m,n]")
    function = tcalc.compile([f, tcalc.gradient(f, "U"), tcalc.hessian(f, "U")], form="factored")
    expected = function(**FACTORS)
    (tmp_path / "module.py").write_text(function.source)
    np.savez(tmp_path / "data.npz", **FACTORS)
    subprocess.run([sys.executable, "-I", "-c", ALONE, str(tmp_path)], check=True)
    for place, value in enumerate(expected):
        found = np.load(tmp_path / f"result{place}.npy")
        np.testing.assert_allclose(found, np.asarray(value), rtol=1e-10, atol=1e-10)


def test_terms_are_put_together_when_they_are_asked_for() -> None:
    asked = []

    def terms():
        asked.append(1)
        return [FactoredTerm(2.0, (np.eye(2),), ((1, 2),), (0, 1, 0, 2))]

    H = FactoredTensor(terms, (3, 2), (3, 2), np.float32)
    assert H.shape == (3, 2, 3, 2) and H.dtype == np.float32 and not asked
    assert H.terms is H.terms and asked == [1]
    assert H.trace() == 12.0
