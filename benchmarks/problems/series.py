"""D. The Kalman filter's likelihood: many small matrices, where the overhead of calls is all."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy.linalg import lapack

from benchmarks.task import Problem

PROGRAM = """
tensor Y[{T},p], A[n,n], C[p,n], q[n], r[p]
m{{0}} = zeros(n)
P{{0}} = eye(n)
f{{0}} = 0
for t = 1:{T}
    h{{t}} = A*m{{t-1}}
    U{{t}} = A*P{{t-1}}*A' + diag(exp(q))
    L{{t}} = chol(C*U{{t}}*C' + diag(exp(r)))
    G{{t}} = trisolve(L{{t}}, C*U{{t}})
    e{{t}}[i] = Y[t,i] - C[i,j]*h{{t}}[j]
    z{{t}} = trisolve(L{{t}}, e{{t}})
    m{{t}} = h{{t}} + G{{t}}'*z{{t}}
    P{{t}} = U{{t}} - G{{t}}'*G{{t}}
    f{{t}} = f{{t-1}} + norm2(z{{t}})^2/2 + sum(log(diag(L{{t}}))) + p*log(2*pi)/2
end
f{{{T}}}
"""
SIZES = tuple({"T": T, "n": 6, "p": 3} for T in (50, 200))


def data(rng: np.random.Generator, T: int, n: int, p: int) -> dict[str, Any]:
    A, C = 0.8 * np.linalg.qr(rng.standard_normal((n, n)))[0], rng.standard_normal((p, n))
    states, x = [], rng.standard_normal(n)
    for _ in range(T):
        x = A @ x + 0.6 * rng.standard_normal(n)
        states.append(x)
    Y = np.array(states) @ C.T + 0.8 * rng.standard_normal((T, p))
    return {"Y": Y, "A": A, "C": C, "q": np.full(n, -1.0), "r": np.full(p, -0.45)}


def objective(ops: Any, Y: Any, A: Any, C: Any, q: Any, r: Any) -> Any:
    T, n, p = ops.length(Y), ops.length(A), ops.length(C)
    Q, R = ops.diag(ops.exp(q)), ops.diag(ops.exp(r))
    P, f = ops.eye(n), T * p * np.log(2 * np.pi) / 2
    m = None
    for t in range(T):
        h = 0 * q if m is None else A @ m
        U = A @ P @ A.T + Q
        L = ops.cholesky(C @ U @ C.T + R)
        G = ops.solve_lower(L, C @ U)
        z = ops.solve_lower(L, ops.row(Y, t) - C @ h)
        m = h + G.T @ z
        P = U - G.T @ G
        f = f + ops.sum(z * z) / 2 + ops.sum(ops.log(ops.diagonal(L)))
    return f


def scanned(ops: Any, Y: Any, A: Any, C: Any, q: Any, r: Any) -> Any:
    """JAX's idiom: the loop is traced and compiled once."""
    from jax import lax

    n, p = A.shape[0], C.shape[0]
    Q, R = ops.diag(ops.exp(q)), ops.diag(ops.exp(r))

    def step(state: Any, y: Any) -> Any:
        m, P, f = state
        return stepped(ops, y, m, P, f, A, C, Q, R), None

    (_, _, f), _ = lax.scan(step, (ops.zeros(n), ops.eye(n), 0.0), Y)
    return f + len(Y) * p * np.log(2 * np.pi) / 2


def scanned_by_pytensor(ops: Any, Y: Any, A: Any, C: Any, q: Any, r: Any) -> Any:
    """PyTensor's loop, compiled once."""
    import pytensor

    T, n, p = ops.length(Y), ops.length(A), ops.length(C)
    _, _, f = pytensor.scan(
        partial(stepped, ops),
        sequences=[Y],
        outputs_info=[ops.zeros(n), ops.eye(n), ops.zeros(())],
        non_sequences=[A, C, ops.diag(ops.exp(q)), ops.diag(ops.exp(r))],
        return_updates=False,
    )
    return f[-1] + T * p * np.log(2 * np.pi) / 2


def stepped(
    ops: Any, y: Any, m: Any, P: Any, f: Any, A: Any, C: Any, Q: Any, R: Any
) -> tuple[Any, Any, Any]:
    """One step of the filter: mean, covariance and minus the logarithm of the likelihood."""
    h = A @ m
    U = A @ P @ A.T + Q
    L = ops.cholesky(C @ U @ C.T + R)
    G = ops.solve_lower(L, C @ U)
    z = ops.solve_lower(L, y - C @ h)
    f = f + ops.sum(z * z) / 2 + ops.sum(ops.log(ops.diagonal(L)))
    return h + G.T @ z, U - G.T @ G, f


def value(Y: Any, A: Any, C: Any, q: Any, r: Any) -> Any:
    return filtered(Y, A, C, q, r)[0]


def filtered(Y: Any, A: Any, C: Any, q: Any, r: Any) -> tuple[Any, list[Any]]:
    T, p = Y.shape
    n = len(A)
    potrf, trtrs = lapack.dpotrf, lapack.dtrtrs
    Q, R = np.diag(np.exp(q)), np.diag(np.exp(r))
    m, P, f = np.zeros(n), np.eye(n), T * p * np.log(2 * np.pi) / 2
    steps = []
    for y in Y:
        before = m, P
        h = A @ m
        U = A @ P @ A.T + Q
        CU = C @ U
        L, _ = potrf(CU @ C.T + R, lower=1)
        G, _ = trtrs(L, CU, lower=1)
        z, _ = trtrs(L, y - C @ h, lower=1)
        m = h + G.T @ z
        P = U - G.T @ G
        f += z @ z / 2 + np.log(L.diagonal()).sum()
        steps.append((*before, L, G, z))
    return f, steps


def gradient(Y: Any, A: Any, C: Any, q: Any, r: Any) -> Any:
    """The adjoint recursion, with S = L L' and its inverse applied by triangular solves.

    With innovation e = y - C h, gain K' = inv(S) C U, and adjoints M of m and N of P (symmetric):
    the step is m = h + K e, P = U - K C U, f += e' inv(S) e / 2 + log det(S) / 2.
    """
    f, steps = filtered(Y, A, C, q, r)
    trtrs = lapack.dtrtrs
    n = len(A)
    by_A, M, N = np.zeros((n, n)), np.zeros(n), np.zeros((n, n))
    for m, P, L, G, z in reversed(steps):
        K, _ = trtrs(L, G, lower=1, trans=1)  # p × n, inv(S) C U
        w, _ = trtrs(L, z, lower=1, trans=1)  # inv(S) e
        F = C.T @ K  # n × n, (K C)'
        CW, _ = trtrs(L, C, lower=1)
        information = CW.T @ CW  # C' inv(S) C
        v = C.T @ w
        # m = h + U v with v = C' inv(S) (y - C h), inv(S) depending on U.
        to_h = M - v - F @ M
        mv = M - F @ M
        outer = mv[:, None] * v
        J = (outer + outer.T) / 2 + (information - v[:, None] * v) / 2
        E = np.eye(n) - F
        to_U = J + E @ N @ E.T
        by_A += to_h[:, None] * m + 2 * to_U @ (A @ P)
        M = A.T @ to_h
        N = A.T @ to_U @ A
    return f, by_A


PROBLEMS = [
    Problem(
        row="D",
        name="kalman",
        title="Kalman filter",
        program=lambda T, n, p: PROGRAM.format(T=T),
        kept=lambda T, n, p: PROGRAM.format(T="T"),
        wrt="A",
        data=data,
        objective=objective,
        special={"jax": scanned, "pytensor": scanned_by_pytensor},
        sizes={"value": SIZES, "gradient": SIZES},
        experts={"value": value, "gradient": gradient},
        widest=lambda T, n, p: T * n * n,
    )
]
