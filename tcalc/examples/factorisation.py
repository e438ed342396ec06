"""A matrix factorised by alternating steps of Newton's method."""

from __future__ import annotations

import numpy as np

import tcalc
from tcalc.examples import Finding, Outcome
from tcalc.examples.registry import example

FACTORISATION = """
tensor U[m,k], V[n,k], T[m,n]

norm2(U*V' - T)^2
"""


@example(
    FACTORISATION,
    "Eckart, Young, The approximation of one matrix by another of lower rank, 1936: the squares of "
    "the singular values that are left out",
)
def factorisation() -> Outcome:
    """Matrix factorisation by alternating Newton steps, each a solve with a k × k matrix.

    In U alone the function is quadratic, and its Hessian of m·k by m·k is one k × k matrix and a
    unit tensor, as which it is kept and solved with.
    """
    rng = np.random.default_rng(1)
    m, n, k = 300, 200, 4
    left, right = (np.linalg.qr(rng.standard_normal((size, n)))[0] for size in (m, n))
    spectrum = np.concatenate([[20.0, 16.0, 13.0, 11.0], np.linspace(4, 1, n - 4)])
    T = (left * spectrum) @ right.T
    f = tcalc.parse(FACTORISATION)
    by = {}
    for name in "UV":
        derivatives = [tcalc.gradient(f, name), tcalc.hessian(f, name)]
        by[name] = tcalc.compile(derivatives, form="factored")
    data = {"T": T, "U": rng.standard_normal((m, k)), "V": rng.standard_normal((n, k))}
    steps = [f"Hessian by {name}: {tcalc.hessian(f, name).operator()}" for name in "UV"]
    value = tcalc.compile(f)
    last = np.inf
    for sweep in range(200):  # noqa: B007 -- the sweeps that it took are told below
        for name in "UV":
            gradient, hessian = by[name](**data)
            data[name] = data[name] - hessian.solve(gradient)
        now = float(value(**data))
        if last - now <= 1e-14 * now:
            break
        last = now
    steps.append(f"{sweep + 1} sweeps; each solve: {hessian.route}")
    known = float(np.sum(spectrum[k:] ** 2))
    return Outcome(steps, [Finding("sum of squares", now, known, 1e-10)])
