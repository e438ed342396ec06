"""D. Gaussian processes, Bayesian regression, determinants and inverses."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import lapack, solve_triangular

from benchmarks.task import Problem

GAUSSIAN_PROCESS = """
tensor X[n,d], y[n], theta[3] positive
K[i,j] = theta[2]*exp(-(X[i,k] - X[j,k])^2 / (2*theta[1]^2)) + theta[3]*delta[i,j]
L = chol(K)
norm2(trisolve(L, y))^2 / 2 + sum(log(diag(L))) + n*log(2*pi) / 2
"""
BAYES = """
tensor X[n,d], y[n], theta[2] positive
alpha = theta[1]
beta = theta[2]
L, Q = lq(concat[2](sqrt(beta)*X', sqrt(alpha)*eye(d)))
z = concat(sqrt(beta)*y, zeros(d))
logdets = 2*sum(log(diag(L))) - d*log(alpha) - n*log(beta)
(norm2(z - Q'*(Q*z))^2 + logdets + n*log(2*pi)) / 2
"""


def process_data(rng: np.random.Generator, n: int, d: int) -> dict[str, Any]:
    X = rng.standard_normal((n, d))
    return {"X": X, "y": np.sin(X.sum(1)), "theta": np.array([1.2, 1.1, 0.4])}


def process(ops: Any, X: Any, y: Any, theta: Any) -> Any:
    n = X.shape[0]
    K = theta[1] * ops.exp(-ops.squared_distances(X) / (2 * theta[0] ** 2)) + theta[2] * ops.eye(n)
    L = ops.cholesky(K)
    z = ops.solve_lower(L, y)
    return ops.sum(z * z) / 2 + ops.sum(ops.log(ops.diagonal(L))) + n * np.log(2 * np.pi) / 2


def process_by_solving(ops: Any, X: Any, y: Any, theta: Any) -> Any:
    """Without a Cholesky factor, which CasADi's matrix graphs lack."""
    n = X.shape[0]
    K = theta[1] * ops.exp(-ops.squared_distances(X) / (2 * theta[0] ** 2)) + theta[2] * ops.eye(n)
    # of K by its noise, as the determinant itself has no double
    logdet = ops.logdet(K / theta[2]) + n * ops.log(theta[2])
    return (ops.sum(y * ops.solve(K, y)) + logdet + n * np.log(2 * np.pi)) / 2


def kernel(X: Any, theta: Any) -> tuple[Any, Any, Any]:
    squares = np.einsum("ik,ik->i", X, X)
    D = squares[:, None] + squares - 2 * (X @ X.T)
    E = np.exp(D * (-0.5 / theta[0] ** 2))
    K = theta[1] * E
    K.flat[:: len(X) + 1] += theta[2]
    return D, E, K


def process_gradient(X: Any, y: Any, theta: Any) -> Any:
    """Rasmussen and Williams, equation 5.9, and algorithm 2.1."""
    ell, v, _ = theta
    D, E, K = kernel(X, theta)
    n = len(X)
    L, _ = lapack.dpotrf(K.T, lower=1, overwrite_a=1)
    a, _ = lapack.dpotrs(L, y, lower=1)
    f = y @ a / 2 + np.log(L.diagonal()).sum() + n * np.log(2 * np.pi) / 2
    # potri fills the lower triangle: the strict part counts twice against a symmetric matrix.
    inverse, _ = lapack.dpotri(L, lower=1)
    inverse = np.tril(inverse, -1) * 2 + np.diag(inverse.diagonal())
    M = inverse.T - a[:, None] * a
    EM = E * M
    return f, np.array([v * np.vdot(D, EM) / ell**3, EM.sum(), np.trace(M)]) / 2


def process_hessian(X: Any, y: Any, theta: Any) -> Any:
    ell, v, _ = theta
    D, E, K = kernel(X, theta)
    inverse = np.linalg.inv(K)
    a = inverse @ y
    M = inverse - a[:, None] * a
    first = [v / ell**3 * (D * E), E]
    second = v * E * D * (D / ell**2 - 3) / ell**4
    P = [inverse @ F for F in first] + [inverse]
    b = [F @ a for F in first] + [a]
    H = np.empty((3, 3))
    for i in range(3):
        for j in range(i, 3):
            H[i, j] = H[j, i] = b[i] @ inverse @ b[j] - np.vdot(P[i], P[j].T) / 2
    H[0, 0] += np.vdot(M, second) / 2
    H[0, 1] += np.vdot(M, first[0]) / (2 * v)
    H[1, 0] = H[0, 1]
    return H


def bayes_data(rng: np.random.Generator, n: int, d: int) -> dict[str, Any]:
    X = rng.standard_normal((n, d))
    y = X @ rng.standard_normal(d) + 0.5 * rng.standard_normal(n)
    return {"X": X, "y": y, "theta": np.array([0.7, 1.5])}


def bayes(ops: Any, X: Any, y: Any, theta: Any) -> Any:
    n, d = X.shape
    alpha, beta = theta[0], theta[1]
    Q, R = ops.qr(ops.concatenate([ops.sqrt(beta) * X, ops.sqrt(alpha) * ops.eye(d)]))
    z = ops.concatenate([ops.sqrt(beta) * y, ops.zeros(d)])
    r = z - Q @ (Q.T @ z)
    logdets = ops.sum(ops.log(ops.diagonal(R) ** 2)) - d * ops.log(alpha) - n * ops.log(beta)
    return (ops.sum(r * r) + logdets + n * np.log(2 * np.pi)) / 2


def bayes_gradient(X: Any, y: Any, theta: Any) -> Any:
    """Bishop, Pattern Recognition and Machine Learning, section 3.5, from one QR factorisation."""
    n, d = X.shape
    alpha, beta = theta
    A = np.zeros((n + d, d + 1))
    A[:n, :d] = np.sqrt(beta) * X
    A[:n, d] = np.sqrt(beta) * y
    A[n:, :d].flat[:: d + 1] = np.sqrt(alpha)
    R: Any = np.linalg.qr(A, mode="r")
    weights = solve_triangular(R[:d, :d], R[:d, d])
    trace = np.square(lapack.dtrtri(R[:d, :d])[0]).sum()
    quadratic = R[d, d] ** 2
    half = weights @ weights / 2
    f = (quadratic + n * np.log(2 * np.pi) - d * np.log(alpha) - n * np.log(beta)) / 2
    f += np.log(np.abs(R.diagonal()[:d])).sum()
    by_alpha = half + (trace - d / alpha) / 2
    by_beta = (quadratic / 2 - alpha * half) / beta + ((d - alpha * trace) - n) / (2 * beta)
    return f, np.array([by_alpha, by_beta])


def square_data(rng: np.random.Generator, n: int) -> dict[str, Any]:
    return {"X": np.eye(n) + rng.standard_normal((n, n)) / (3 * np.sqrt(n))}


def logdet_gradient(X: Any) -> Any:
    lu, pivots, _ = lapack.dgetrf(X)
    f = np.log(np.abs(lu.diagonal())).sum()
    inverse, _ = lapack.dgetri(lu, pivots, lwork=64 * len(X), overwrite_lu=1)
    return f, inverse.T


def trace_data(rng: np.random.Generator, n: int) -> dict[str, Any]:
    return {**square_data(rng, n), "A": rng.standard_normal((n, n))}


def trace_gradient(X: Any, A: Any) -> Any:
    lu, pivots, _ = lapack.dgetrf(X)
    Y, _ = lapack.dgetrs(lu, pivots, A)
    G, _ = lapack.dgetrs(lu, pivots, -Y.T, trans=1)
    return np.trace(Y), G


def entry_data(rng: np.random.Generator, n: int) -> dict[str, Any]:
    B, C = rng.standard_normal((2, n, n))
    return {"A": square_data(rng, n)["X"], "B": B / np.sqrt(n), "C": C, "x": 0.2}


def entry_derivative(A: Any, B: Any, C: Any, x: Any) -> Any:
    lu, pivots, _ = lapack.dgetrf(A + x * B)
    last = np.zeros(len(A))
    last[-1] = 1.0
    u, _ = lapack.dgetrs(lu, pivots, last)
    v, _ = lapack.dgetrs(lu, pivots, C[-1], trans=1)
    return C[-1] @ u, -(v @ (B @ u))


def inverse_jacobian(X: Any) -> Any:
    Y = np.linalg.inv(X)
    return -Y[:, None, :, None] * Y.T[:, None, :]


def on_torch(formula: Any) -> Any:
    """The expert's formula on PyTorch's BLAS: what of a peer's lead is its library's alone."""

    def call(**data: Any) -> Any:
        import torch

        return formula(torch, **{name: torch.as_tensor(x) for name, x in data.items()})

    return call


def torch_logdet(torch: Any, X: Any) -> Any:
    lu, pivots = torch.linalg.lu_factor(X)
    eye = torch.eye(len(X), dtype=X.dtype)
    inverse = torch.linalg.lu_solve(lu, pivots, eye)
    return lu.diagonal().abs().log().sum(), inverse.T


def torch_trace(torch: Any, X: Any, A: Any) -> Any:
    lu, pivots = torch.linalg.lu_factor(X)
    Y = torch.linalg.lu_solve(lu, pivots, A)
    return torch.trace(Y), torch.linalg.lu_solve(lu, pivots, -Y.T, adjoint=True)


def torch_process(torch: Any, X: Any, y: Any, theta: Any) -> Any:
    ell, v, noise = theta
    squares = (X * X).sum(1)
    D = squares[:, None] + squares - 2 * (X @ X.T)
    E = torch.exp(D * (-0.5 / ell**2))
    L = torch.linalg.cholesky(v * E + noise * torch.eye(len(X), dtype=X.dtype))
    a = torch.cholesky_solve(y[:, None], L)[:, 0]
    f = y @ a / 2 + L.diagonal().log().sum() + len(X) * np.log(2 * np.pi) / 2
    M = torch.cholesky_inverse(L) - a[:, None] * a
    EM = E * M
    parts = [v * (D * EM).sum() / ell**3, EM.sum(), torch.trace(M)]
    return f, torch.stack(parts) / 2


LARGE = tuple({"n": n} for n in (40, 200, 1000))

PROBLEMS = [
    Problem(
        row="D",
        name="gp",
        title="Gaussian-process regression",
        program=lambda n, d: GAUSSIAN_PROCESS,
        wrt="theta",
        data=process_data,
        objective=process,
        special={"casadi": process_by_solving},
        sizes={
            "gradient": tuple({"n": n, "d": 3} for n in (100, 500, 1000)),
            "hessian": tuple({"n": n, "d": 3} for n in (100, 500)),
        },
        experts={"gradient": process_gradient, "hessian": process_hessian},
        beside={"gradient": {"expert on torch": on_torch(torch_process)}},
        widest=lambda n, d: n * n,
    ),
    Problem(
        row="D",
        name="bayes",
        title="Bayesian regression by LQ",
        program=lambda n, d: BAYES,
        wrt="theta",
        data=bayes_data,
        objective=bayes,
        sizes={"gradient": ({"n": 200, "d": 10}, {"n": 1000, "d": 50}, {"n": 2000, "d": 200})},
        experts={"gradient": bayes_gradient},
        widest=lambda n, d: n * d,
    ),
    Problem(
        row="D",
        name="logdet",
        title="Log-determinant",
        program=lambda n: "tensor X[n,n]\nlogdet(X)",
        wrt="X",
        data=square_data,
        objective=lambda ops, X: ops.logdet(X),
        sizes={"gradient": LARGE},
        experts={"gradient": logdet_gradient},
        beside={"gradient": {"expert on torch": on_torch(torch_logdet)}},
        widest=lambda n: n * n,
    ),
    Problem(
        row="D",
        name="trace",
        title="Trace with an inverse",
        program=lambda n: "tensor X[n,n], A[n,n]\ntr(inv(X)*A)",
        wrt="X",
        data=trace_data,
        objective=lambda ops, X, A: ops.trace(ops.solve(X, A)),
        sizes={"gradient": LARGE},
        experts={"gradient": trace_gradient},
        beside={"gradient": {"expert on torch": on_torch(torch_trace)}},
        widest=lambda n: n * n,
    ),
    Problem(
        row="D",
        name="entry",
        title="An entry of an inverse",
        program=lambda n: "tensor A[n,n], B[n,n], C[n,n], x\n(C*inv(A + x*B))[end,end]",
        wrt="x",
        data=entry_data,
        objective=lambda ops, A, B, C, x: (C[-1:, :] @ ops.inv(A + x * B)[:, -1:])[0, 0],
        sizes={"gradient": LARGE},
        experts={"gradient": entry_derivative},
        widest=lambda n: n * n,
    ),
    Problem(
        row="D",
        name="inverse",
        title="Jacobian of the inverse",
        program=lambda n: "tensor X[n,n]\ninv(X)",
        wrt="X",
        data=square_data,
        objective=lambda ops, X: ops.inv(X),
        sizes={"jacobian": ({"n": 40},)},
        experts={"jacobian": inverse_jacobian},
        widest=lambda n: n * n,
    ),
]
