"""Regressions: logistic, softmax, and non-linear least squares."""

from __future__ import annotations

import numpy as np

import tcalc
from tcalc.examples import Finding, Outcome
from tcalc.examples.registry import example

VASO = """
3.70 .825 1  3.50 1.09 1  1.25 2.50 1  .75 1.50 1   .80 3.20 1   .70 3.50 1  .60 .75 0   1.10 1.70 0
.90 .75 0    .90 .45 0    .80 .57 0    .55 2.75 0   .60 3.00 0   1.40 2.33 1 .75 3.75 1  2.30 1.64 1
3.20 1.60 1  .85 1.415 1  1.70 1.06 0  1.80 1.80 1  .40 2.00 0   .95 1.36 0  1.35 1.35 0 1.50 1.36 0
1.60 1.78 1  .60 1.50 0   1.80 1.50 1  .95 1.90 0   1.90 .95 1   1.60 .40 0  2.70 .75 1  2.35 .03 0
1.10 1.83 0  1.10 2.20 1  1.20 2.00 1  .80 3.33 1   .95 1.90 0   .75 1.90 0  1.30 1.625 1
"""
"""Volume and rate of air breathed in, and whether the vessels of the skin contracted."""

LOGISTIC = """
tensor X[m,n], y[m], w[n]

sum(log(1 + exp(-y .* (X*w))))
"""


@example(
    LOGISTIC,
    "Pregibon, Logistic Regression Diagnostics, Annals of Statistics 9, 1981, on data of Finney "
    "(1947): coefficients -2.875, 5.179, 4.562, deviance 29.23",
)
def logistic() -> Outcome:
    """Logistic regression by Newton-CG and by a trust region with Lanczos.

    Whether a breath of air makes the vessels of the skin contract, by its volume and its rate.
    Both methods use products with the Hessian only.
    """
    table = np.array(VASO.split(), dtype=float).reshape(-1, 3)
    X = np.column_stack([np.ones(len(table)), np.log(table[:, :2])])
    f = tcalc.parse(LOGISTIC)
    p = tcalc.problem(f, "w", {"X": X, "y": 2 * table[:, 2] - 1})
    steps = [f"product with the Hessian: {tcalc.hvp(f, 'w')}"]
    found = {}
    for method in ("Newton-CG", "trust-krylov"):
        found[method] = p.minimize(method, tol=1e-10)
        steps.append(f"{method}: {found[method].nit} steps")
    w = found["Newton-CG"].variables["w"]
    return Outcome(
        steps,
        [
            Finding("coefficients", w, [-2.875, 5.179, 4.562], 2e-4),
            Finding("deviance", 2 * found["Newton-CG"].fun, 29.23, 2e-4),
            Finding("the same by trust-krylov", found["trust-krylov"].x, w, 1e-6),
        ],
    )


ALLIGATORS = """
1.24 I 1.30 I 1.30 I 1.32 F 1.32 F 1.40 F 1.42 I 1.42 F 1.45 I 1.45 O 1.47 I 1.47 F 1.50 I 1.52 I
1.55 I 1.60 I 1.63 I 1.65 O 1.65 I 1.65 F 1.65 F 1.68 F 1.70 I 1.73 O 1.78 I 1.78 I 1.78 O 1.80 I
1.80 F 1.85 F 1.88 I 1.93 I 1.98 I 2.03 F 2.03 F 2.16 F 2.26 F 2.31 F 2.31 F 2.36 F 2.36 F 2.39 F
2.41 F 2.44 F 2.46 F 2.56 O 2.67 F 2.72 I 2.79 F 2.84 F 3.25 O 3.28 O 3.33 F 3.56 F 3.58 F 3.66 F
3.68 O 3.71 F 3.89 F
"""
"""Lengths of alligators in metres, and what they mostly eat: fish, invertebrates, or other."""

SOFTMAX = """
tensor X[m,p], Y[m,c], W[p,c]

Z = X*W
s[i] = exp(Z[i,j])                 # the last class has the score 0
sum(log(1 + s)) - sum(Y .* Z)
"""


@example(
    SOFTMAX,
    "Agresti, An Introduction to Categorical Data Analysis, 2007, section 6.1: fish 1.618 - 0.110 "
    "x, invertebrates 5.697 - 2.465 x, deviance 98.34",
)
def softmax() -> Outcome:
    """Softmax regression by Newton-CG and by a trust region with Lanczos.

    What alligators eat, by their length: fish, invertebrates, or other food.
    """
    words = ALLIGATORS.split()
    X = np.column_stack([np.ones(len(words) // 2), np.array(words[::2], dtype=float)])
    Y = np.array([[food == "F", food == "I"] for food in words[1::2]], dtype=float)
    f = tcalc.parse(SOFTMAX)
    p = tcalc.problem(f, "W", {"X": X, "Y": Y})
    found = {}
    steps = []
    for method in ("trust-krylov", "Newton-CG"):
        found[method] = p.minimize(method, tol=1e-10)
        steps.append(f"{method}: {found[method].nit} steps")
    W = found["trust-krylov"].variables["W"]
    return Outcome(
        steps,
        [
            Finding("intercepts and slopes", W, [[1.618, 5.697], [-0.110, -2.465]], 2e-4),
            Finding("deviance", 2 * found["trust-krylov"].fun, 98.3412, 1e-5),
            Finding("the same by Newton-CG", found["Newton-CG"].x, W.reshape(-1), 1e-6),
        ],
    )


MISRA_X = "77.6 114.9 141.1 190.8 239.9 289.0 332.8 378.4 434.8 477.3 536.8 593.1 689.1 760.0"
MISRA_Y = "10.07 14.73 17.94 23.93 29.61 35.18 40.02 44.82 50.76 55.05 61.01 66.40 75.47 81.78"

MISRA = """
tensor x[m], y[m], a, b

a*(1 - exp(-b*x)) - y
"""


@example(
    MISRA,
    "NIST Statistical Reference Datasets, Misra1a, with certified values",
)
def misra1a() -> Outcome:
    """Non-linear least squares by Levenberg and Marquardt.

    The volume of gas that a solid adsorbs, by its pressure: a problem of the NIST with certified
    values, from the harder of its two starts.
    """
    data = {"x": np.array(MISRA_X.split(), float), "y": np.array(MISRA_Y.split(), float)}
    F = tcalc.parse(MISRA)
    p = tcalc.problem(F, ["a", "b"], {**data, "a": 500.0, "b": 0.0001})
    found = p.least_squares(method="lm", x_scale="jac", xtol=1e-15, ftol=1e-15, gtol=1e-15)
    return Outcome(
        [f"dF/db = {tcalc.jacobian(F, 'b')}", f"lm: {found.nfev} evaluations"],
        [
            Finding("a", found.variables["a"], 2.3894212918e2, 1e-9),
            Finding("b", found.variables["b"], 5.5015643181e-4, 1e-9),
            Finding("sum of squares", 2 * found.cost, 1.2455138894e-1, 1e-9),
        ],
    )
