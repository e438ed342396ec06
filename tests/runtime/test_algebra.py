"""Sums and multiples of factored tensors are those of the dense ones, and keep the structure."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import tcalc
from tcalc.errors import ArgumentError
from tcalc.runtime import FactoredTensor

RANDOM = np.random.default_rng(11)
DATA = {name: RANDOM.standard_normal((4, 3)) for name in "ABX"} | {
    name: (lambda a: a @ a.T + np.eye(len(a)))(RANDOM.standard_normal((n, n)))
    for name, n in {"S": 4, "R": 3, "P": 4, "Q": 3}.items()
}
DECLARED = "X[m,n], A[m,n], B[m,n], S[m,m] spd, R[n,n] spd, P[m,m] spd, Q[n,n] spd"


@cache
def compiled(text: str, wrt: str, declared: str) -> Any:
    return tcalc.compile(tcalc.hessian(tcalc.parse(text, declared), wrt), form="factored")


def hessian(
    text: str, wrt: str = "X", declared: str = DECLARED, data: dict[str, Any] = DATA
) -> FactoredTensor:
    tensor = compiled(text, wrt, declared)(**data)
    assert isinstance(tensor, FactoredTensor)
    return tensor


TEXTS = (
    "tr(X'*S*X) + tr(X*R*X')",
    "tr(X'*P*X) + tr(X*Q*X')",
    "norm2(X)^4",
    "sum(exp(A.*X))",
    "tr(X'*S*X*R)",
    "norm2(X)^2",
)


@pytest.mark.parametrize("text", TEXTS)
def test_multiples_are_those_of_the_array(text: str) -> None:
    H = hessian(text)
    whole = H.dense()
    for made, factor in (
        (2 * H, 2),
        (H * 0.5, 0.5),
        (np.float64(3) * H, 3),
        (np.array(3.0) * H, 3),
        (H / 4, 0.25),
        (-H, -1),
        (+H, 1),
    ):
        assert isinstance(made, FactoredTensor)
        np.testing.assert_allclose(made.dense(), factor * whole, rtol=1e-13)
        assert made.route == H.route
    b = RANDOM.standard_normal(H.rows)
    np.testing.assert_allclose((2 * H).solve(b), H.solve(b) / 2, rtol=1e-9)
    sign, logarithm = (-H).logdet()
    assert (sign * (-1) ** b.size, logarithm) == pytest.approx(H.logdet())


@pytest.mark.parametrize("one", TEXTS)
@pytest.mark.parametrize("other", TEXTS)
def test_sums_and_differences_are_those_of_the_arrays(one: str, other: str) -> None:
    H, G = hessian(one), hessian(other)
    np.testing.assert_allclose((H + G).dense(), H.dense() + G.dense(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose((H - G).dense(), H.dense() - G.dense(), rtol=1e-12, atol=1e-12)
    total = H + 2 * G
    b = RANDOM.standard_normal((*H.rows, 2))
    np.testing.assert_allclose(total @ total.solve(b), b, rtol=1e-8, atol=1e-8)


def test_terms_that_are_alike_become_one() -> None:
    H = hessian(TEXTS[0])
    assert len((H + H).terms) == len(H.terms)
    assert (H + H).route == H.route
    assert (H + hessian(TEXTS[1])).route == H.route
    assert "Kronecker sum" in H.route
    assert np.all((H - H).dense() == 0)
    assert len(sum([H, H, H]).terms) == len(H.terms)
    damped = hessian("tr(X'*S*X*R)") + 1e-3 * hessian("norm2(X)^2")
    b = RANDOM.standard_normal(damped.rows)
    np.testing.assert_allclose(damped @ damped.solve(b), b, rtol=1e-9)


def test_it_is_applied_from_the_left() -> None:
    F = tcalc.parse("X*A", "X[m,n], A[n,k]")
    data = {"X": RANDOM.standard_normal((4, 3)), "A": RANDOM.standard_normal((3, 2))}
    J = tcalc.compile(tcalc.jacobian(F, "X"), form="factored")(**data)
    one, several = RANDOM.standard_normal((4, 2)), RANDOM.standard_normal((5, 6, 4, 2))
    np.testing.assert_allclose(one @ J, one @ data["A"].T, rtol=1e-12)
    np.testing.assert_allclose(several @ J, several @ data["A"].T, rtol=1e-12)
    np.testing.assert_allclose(one.tolist() @ J, J.T @ one, rtol=1e-12)
    with pytest.raises(ArgumentError, match=r"should end with \(4, 2\)"):
        data["X"] @ J


@pytest.mark.parametrize("kind", ["symmetric", "spd", "diagonal", "lower"])
def test_structure_is_that_of_both(kind: str) -> None:
    K = np.diag(np.diag(DATA["S"])) if kind == "diagonal" else DATA["S"]
    K = np.tril(K) if kind == "lower" else K
    declared = f"K[n,n] {kind}, A[n,n]"
    texts = "logabsdet(K)", "norm2(K)^2/2", "norm2(A*K)^2"
    data = {"K": K, "A": RANDOM.standard_normal((4, 4))}
    first, unit, third = (hessian(x, "K", declared, data) for x in texts)
    for total in (unit - first, 2 * unit + third, -first + unit + third, unit + unit, -3 * third):
        due = hessian("norm2(K)^2", "K", declared, data)
        assert total.ends is not None
        x = DATA["P"]
        x = np.diag(np.diag(x)) if kind == "diagonal" else np.tril(x) if kind == "lower" else x
        np.testing.assert_allclose(total.solve(total @ x), x, rtol=1e-8, atol=1e-9)
        size = 16
        whole = total.dense().reshape(size, size)
        values = np.linalg.eigvalsh(whole)
        kept = np.sort(values[np.argsort(abs(values))][size - len(due.eigvalsh()) :])
        np.testing.assert_allclose(total.eigvalsh(), kept, rtol=1e-9, atol=1e-9)
        sign, logarithm = total.logdet()
        assert sign * np.exp(logarithm) == pytest.approx(np.prod(kept))
    free = hessian("norm2(K)^2/2", "K", "K[n,n], A[n,n]", data)
    mixed = unit + free
    assert mixed.ends is None
    b = RANDOM.standard_normal((4, 4))
    np.testing.assert_allclose(mixed @ mixed.solve(b), b, rtol=1e-10)


JACOBIANS = (
    ("X*A", "X[m,n], A[n,k]", "X"),
    ("B*X*A", "X[m,n], A[n,k], B[p,m]", "X"),
    ("tanh(X*A)", "X[m,n], A[n,k]", "X"),
    ("r[i] = C[i,j]*x[j]^2", "x[n], C[m,n]", "x"),
    ("ones(4)*(c'*x)", "x[n], c[n]", "x"),
    ("X + sum(X)*ones(m,n)", "X[m,n]", "X"),
    ("r[i,j] = u[i]*x[j]", "u[m], x[n]", "x"),
    ("X'", "X[m,n]", "X"),
    ("X + X.*Z", "X[m,n], Z[m,n]", "X"),
)


@pytest.mark.parametrize(("text", "declared", "wrt"), JACOBIANS)
def test_products_are_those_of_the_arrays(text: str, declared: str, wrt: str) -> None:
    F = tcalc.parse(text, declared)
    sizes = {"m": 4, "n": 3, "k": 2, "p": 5}
    data = {
        name: RANDOM.standard_normal([sizes[str(dim)] for dim in x.dims])
        for name, x in F.variables.items()
    }
    J = tcalc.compile(tcalc.jacobian(F, wrt), form="factored")(**data)
    rows, columns = int(np.prod(J.rows)), int(np.prod(J.columns))
    matrix = J.dense().reshape(rows, columns)
    normal, gram = J.T @ J, J @ J.T
    assert isinstance(normal, FactoredTensor) and isinstance(gram, FactoredTensor)
    assert normal.shape == J.columns + J.columns and gram.shape == J.rows + J.rows
    np.testing.assert_allclose(normal.dense().reshape(columns, -1), matrix.T @ matrix, atol=1e-12)
    np.testing.assert_allclose(gram.dense().reshape(rows, -1), matrix @ matrix.T, atol=1e-12)
    x = RANDOM.standard_normal((*J.columns, 2))
    np.testing.assert_allclose(normal @ x, J.T @ (J @ x), atol=1e-11)
    regular = normal + normal @ normal / 100
    due = matrix.T @ matrix + np.linalg.matrix_power(matrix.T @ matrix, 2) / 100
    np.testing.assert_allclose(regular.dense().reshape(columns, -1), due, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(np.trace(due), regular.trace())
    if rows != columns:
        with pytest.raises(ArgumentError, match="does not apply"):
            J @ J


def test_products_keep_the_structure() -> None:
    F = tcalc.parse("B*X*A", "X[m,n], A[n,k], B[p,m]")
    data = {
        "X": RANDOM.standard_normal((4, 3)),
        "A": RANDOM.standard_normal((3, 6)),
        "B": RANDOM.standard_normal((5, 4)),
    }
    J = tcalc.compile(tcalc.jacobian(F, "X"), form="factored")(**data)
    normal = J.T @ J
    assert "part by part" in normal.route and "dense" not in normal.route
    x = RANDOM.standard_normal((4, 3))
    np.testing.assert_allclose(normal.solve(normal @ x), x, rtol=1e-8)
    K = hessian("logdet(S)", "S")
    square = K @ K
    assert square.ends is not None
    b = DATA["P"]
    np.testing.assert_allclose(square.solve(square @ b), b, rtol=1e-7)


def test_types_are_kept() -> None:
    single = {name: x.astype(np.float32) for name, x in DATA.items()}
    H, G = hessian(TEXTS[0], data=single), hessian(TEXTS[0])
    for made in (2 * H, np.float64(2) * H, H / 3, H + H, H - hessian(TEXTS[1], data=single)):
        assert made.dtype == made.dense().dtype == np.float32
        assert (made @ single["X"]).dtype == np.float32
    assert (H + G).dtype == (H + G).dense().dtype == np.float64


def test_what_has_no_meaning_is_refused() -> None:
    H = hessian(TEXTS[0])
    for wrong in (
        lambda: H + 1,
        lambda: H + DATA["X"],
        lambda: DATA["X"] - H,
        lambda: H * DATA["X"],
        lambda: DATA["X"] * H,
        lambda: "2" * H,
        lambda: 2j * H,
        lambda: H / H,
        lambda: H / 0,
        lambda: H + hessian("norm2(S)^2", "S"),
        lambda: np.ones(3) @ H,
    ):
        with pytest.raises(ArgumentError):
            wrong()
