"""Small diagonal matrices that several sums share are written out once."""

import numpy as np

import tcalc

MODEL = "tensor A[n,n], B[n,n], r[n]\nlogdet(A*A' + diag(r)) + logdet(B*B' - 2*diag(r))"


def data(n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((2, n, n))
    return {"A": A, "B": B, "r": np.full(n, 1e-3)}


def expected(A, B, r):
    return (
        np.linalg.slogdet(A @ A.T + np.diag(r))[1] + np.linalg.slogdet(B @ B.T - 2 * np.diag(r))[1]
    )


def test_a_shared_diagonal_is_one_matrix() -> None:
    function = tcalc.compile(tcalc.parse(MODEL))
    for n, times in ((6, 1), (20, 2)):
        np.testing.assert_allclose(function(**data(n)), expected(**data(n)))
        assert function.source.partition("def compute")[2].count("diagonal_of(t") == times


def test_a_diagonal_that_is_added_once_stays_one() -> None:
    function = tcalc.compile(tcalc.parse("A*A' + diag(r)", "A[n,n], r[n]"))
    A, _, r = data(6).values()
    np.testing.assert_allclose(function(A=A, r=r), A @ A.T + np.diag(r))
    assert "diagonal_of(t1)[...] += r" in function.source


def test_bound_arguments_and_derivatives() -> None:
    f = tcalc.parse(MODEL)
    assert tcalc.check(f, "r", data=data(5)).passed
    bound = tcalc.compile(tcalc.gradient(f, "r")).bind(A=data(5)["A"], B=data(5)["B"])
    plain = tcalc.compile(tcalc.gradient(f, "r"))(**data(5))
    np.testing.assert_allclose(bound(r=data(5)["r"]), plain)


def test_diagonals_over_other_axes_are_not_taken_for_each_other() -> None:
    # Each side of the product solves for p right-hand sides of its own, which are many here.
    f = tcalc.parse(
        """
        tensor T[p,n,n,n], K[n,n] spd
        H = inv(K)
        R[p,q,x,y] = T[p,a,a,b]*H[b,x]*T[q,c,d,c]*H[d,y]
        R
        """
    )
    function = tcalc.compile(f)
    rng = np.random.default_rng(0)
    T, K = rng.standard_normal((4, 10, 10, 10)), np.diag(np.arange(1.0, 11))
    first, second = (np.einsum(rule, T, np.linalg.inv(K)) for rule in ("paab,bx", "qcdc,dy"))
    np.testing.assert_allclose(function(T=T, K=K), np.einsum("px,qy->pqxy", first, second))
    assert "solve_factored" not in function.source_for(n=10, p=6)
    assert "solve_factored" in function.source_for(n=20, p=6)
