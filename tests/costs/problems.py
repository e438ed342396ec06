"""The problems whose costs are known: programs, and data of given sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import tcalc


def net(activation: str, layers: int = 10) -> str:
    """Layers with an activation, and the sum of the exponentials of what comes out."""
    weights = ", ".join(f"W{k}[n,n]" for k in range(1, layers + 1))
    lines = [f"tensor X[b,n], {weights}", "H0 = X"]
    for k in range(1, layers + 1):
        outer = activation if k < layers else "exp"
        lines.append(f"H{k} = {outer}(H{k - 1}*W{k}')")
    return "\n".join([*lines, f"sum(H{layers})"])


def recurrence(steps: int) -> str:
    """A recurrent net: one matrix in all steps."""
    drives = ", ".join(f"x{k}[n]" for k in range(1, steps + 1))
    lines = [f"tensor W[n,n], h0[n], {drives}"]
    lines += [f"h{k} = tanh(W*h{k - 1} + x{k})" for k in range(1, steps + 1)]
    return "\n".join([*lines, f"h{steps}'*h{steps}"])


@dataclass(frozen=True)
class Problem:
    """A program, the variable to differentiate by, and two choices of sizes."""

    text: str
    wrt: str
    small: Mapping[str, int]
    large: Mapping[str, int]
    top: float = 0.5

    @property
    def function(self) -> tcalc.Expression:
        return tcalc.parse(self.text)

    def data(self, sizes: Mapping[str, int]) -> dict[str, Any]:
        generator = np.random.default_rng(0)
        return {
            name: generator.uniform(
                self.top / 5, self.top, [dim.evaluate(sizes) for dim in variable.dims]
            )
            for name, variable in self.function.variables.items()
        }


PROBLEMS = {
    "logistic regression": Problem(
        "tensor X[m,n], y[m], w[n]; sum(log(1 + exp(-y .* (X*w))))",
        "w",
        {"m": 40, "n": 20},
        {"m": 128, "n": 64},
    ),
    "ridge regression": Problem(
        "tensor X[m,n], y[m], w[n], c[]; norm2(X*w - y)^2 + c*norm2(w)^2",
        "w",
        {"m": 40, "n": 20},
        {"m": 100, "n": 50},
    ),
    "matrix factorisation": Problem(
        "tensor U[m,k], V[n,k], T[m,n]; norm2(U*V' - T)^2",
        "U",
        {"m": 20, "n": 30, "k": 5},
        {"m": 40, "n": 50, "k": 10},
    ),
    "masked factorisation": Problem(
        "tensor U[m,k], V[n,k], T[m,n], O[m,n]; sum(O .* (U*V' - T).^2)",
        "U",
        {"m": 20, "n": 30, "k": 5},
        {"m": 40, "n": 50, "k": 10},
    ),
    "net of ten layers, relu": Problem(
        net("relu"), "W1", {"n": 10, "b": 4}, {"n": 20, "b": 8}, top=0.1
    ),
    "net of ten layers, tanh": Problem(
        net("tanh"), "W1", {"n": 10, "b": 4}, {"n": 20, "b": 8}, top=0.1
    ),
    "recurrent net": Problem(recurrence(5), "W", {"n": 6}, {"n": 12}, top=0.1),
    "Gaussian process": Problem(
        """tensor X[n,d], y[n], ell[], v[], noise[]
        K[i,j] = v*exp(-(X[i,k]-X[j,k])^2/(2*ell^2)) + noise*delta[i,j]
        L = chol(K)
        a = trisolve(L, y)
        a'*a/2 + sum(log(diag(L))) + n*log(2*pi)/2
        """,
        "X",
        {"n": 16, "d": 3},
        {"n": 24, "d": 2},
    ),
    "pairwise distances": Problem(
        "tensor X[n,d]; D[i,j] = sqrt((X[i,k]-X[j,k])^2 + 1e-6); sum(D)",
        "X",
        {"n": 16, "d": 3},
        {"n": 30, "d": 5},
    ),
    "two-sided product": Problem(
        "tensor B[p,m], X[m,n], A[q,n]; norm2(B*X*A')^2 / 2",
        "X",
        {"p": 6, "q": 7, "m": 8, "n": 9},
        {"p": 12, "q": 13, "m": 14, "n": 15},
    ),
}
