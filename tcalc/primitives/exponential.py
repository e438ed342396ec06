"""Exponentials and logarithms, in forms that neither overflow nor cancel.

`sigmoid`, `softplus` and `log1mexp` follow Mächler, "Accurately computing log(1 - exp(-|a|))"
(2012): everything is written with exp(-|x|), which lies between 0 and 1.
"""

from __future__ import annotations

from tcalc.expr import build
from tcalc.expr.nodes import Node
from tcalc.primitives.arrays import Array, np, special
from tcalc.primitives.elementwise import About, Elementwise, Traits, Written, plus, same
from tcalc.primitives.power import power, reciprocal, reciprocal0
from tcalc.primitives.routines import Embedded, Template, per_element


def sigmoid_stable(x: Array) -> Array:
    """1/(1 + exp(-x)) from exp(-|x|), which cannot overflow."""
    size = np.where(x.real < 0, -x, x) if np.iscomplexobj(x) else np.abs(x)
    e = np.exp(-size)
    return np.where(x.real < 0, e, 1) / (1 + e)


def product_with_complement(y: Array, x: Array) -> Array:
    """y (1 - y) for y = sigmoid(x); near 1, where digits cancel, as e/(1 + e)², e = exp(-x)."""
    e = np.exp(-np.maximum(x, 0))
    return np.where(y.real > 0.99, e / ((1 + e) * (1 + e)), y * (1 - y))


def softplus_stable(x: Array) -> Array:
    """log(1 + exp(x)) as max(x, 0) + log(1 + exp(-|x|))."""
    size = np.where(x.real < 0, -x, x) if np.iscomplexobj(x) else np.abs(x)
    return np.maximum(x, 0) + np.log1p(np.exp(-size))


def logarithm_of_complement_of_exp(x: Array) -> Array:
    """log(1 - exp(x)) for x < 0: near 0 from expm1, elsewhere from log1p, each where it is safe."""
    near = np.log(-np.expm1(np.maximum(x, -0.6931471805599453)))
    far = np.log1p(-np.exp(np.minimum(x, -0.6931471805599453)))
    return np.where(x.real < -0.6931471805599453, far, near)


def logaddexp_unwarned(x: Array | float, y: Array) -> Array:
    """NumPy's function, which would warn of NaN."""
    with np.errstate(invalid="ignore"):
        return np.logaddexp(x, y)


def logaddexp_stable(x: Array, y: Array) -> Array:
    """log(exp(x) + exp(y)) as max(x, y) + log(1 + exp(-|x - y|)), infinite arguments included."""
    top = np.maximum(x, y)
    gap = np.minimum(x, y) - np.where(np.isinf(top), 0, top)
    return top + np.log1p(np.exp(np.where(np.isposinf(gap.real), 0, gap)))


def logarithm_or_zero(x: Array) -> Array:
    """log(x), and 0 where x = 0."""
    return np.where(x == 0, 0, np.log(np.where(x == 0, 1, x)))


def multiple_of_power(a: Array, x: Array, y: Array) -> Array:
    """a x^y, and 0 where a = 0."""
    return np.where(a == 0, 0, a * np.power(x, np.where(a == 0, 1, y)))


def _log_of(base: int, x: Node) -> Node:
    # log_b(x) = log(x)/log(b)
    return build.hadamard(reciprocal(x), reciprocal(log(build.const(base))))


exp = Elementwise(
    "exp",
    "np.exp",
    lambda x, y: y,
    about=About("exponential", derivative="exp(x)"),
    written=Written(latex=r"\exp", letter="e"),
    traits=Traits(regular_point=0, positive=True),
)
log = Elementwise(
    "log",
    "np.log",
    lambda x, y: reciprocal(x),
    about=About("natural logarithm", derivative="1/x", domain="x > 0"),
    written=Written(latex=r"\log", letter="l"),
)
log1p = Elementwise(
    "log1p",
    "np.log1p",
    lambda x, y: reciprocal(plus(1, x)),
    about=About("log(1 + x), accurate for small x", derivative="1/(1 + x)", domain="x > -1"),
    traits=Traits(regular_point=0, zero_at_zero=True),
)
expm1 = Elementwise(
    "expm1",
    "np.expm1",
    lambda x, y: exp(x),
    about=About("exp(x) - 1, accurate for small x", derivative="exp(x)"),
    traits=Traits(regular_point=0, zero_at_zero=True),
)
log2 = Elementwise(
    "log2",
    "np.log2",
    lambda x, y: _log_of(2, x),
    about=About("logarithm to base 2", derivative="1/(x log(2))", domain="x > 0"),
    written=Written(latex=r"\log_2"),
)
log10 = Elementwise(
    "log10",
    "np.log10",
    lambda x, y: _log_of(10, x),
    about=About("logarithm to base 10", derivative="1/(x log(10))", domain="x > 0"),
    written=Written(latex=r"\log_{10}"),
)
# These two are functions of y alone: x is told for the sake of digits.
sigmoid_slope: Elementwise = Elementwise(
    "sigmoid_slope",
    Embedded(product_with_complement, fresh=True, work=per_element(2)),
    lambda y, x, z: sigmoid_spread(y, x),
    lambda y, x, z: build.zeros(x.dims),
    about=About("y (1 - y) for y = sigmoid(x), with no digits lost"),
    written=Written(formula=lambda y, x: build.hadamard(y, plus(1, build.scale(-1, y)))),
    traits=Traits(regular_point=0, total=True, positive=True, bounded=True),
)
sigmoid_spread: Elementwise = Elementwise(
    "sigmoid_spread",
    Template("np.tanh(-0.5 * {1})", work=per_element(2)),
    lambda y, x, z: same(-2, y),
    lambda y, x, z: build.zeros(x.dims),
    value=lambda y, x: np.tanh(-x / 2),
    about=About("1 - 2 y for y = sigmoid(x), with no digits lost"),
    written=Written(formula=lambda y, x: plus(1, build.scale(-2, y))),
    traits=Traits(regular_point=0, total=True, bounded=True),
)
sigmoid: Elementwise = Elementwise(
    "sigmoid",
    Embedded(sigmoid_stable, fresh=True, work=per_element(7)),
    # σ' = σ (1 - σ)
    lambda x, y: sigmoid_slope(y, x),
    value=lambda x: sigmoid_stable(x) if np.iscomplexobj(x) else special.expit(x),
    about=About(
        "logistic function 1/(1 + exp(-x)), without overflow",
        derivative="sigmoid(x) (1 - sigmoid(x))",
    ),
    written=Written(latex=r"\sigma", letter="p"),
    traits=Traits(regular_point=0, total=True, positive=True, bounded=True),
)
softplus = Elementwise(
    "softplus",
    Embedded(softplus_stable, fresh=True, work=per_element(6)),
    lambda x, y: sigmoid(x),
    value=lambda x: softplus_stable(x) if np.iscomplexobj(x) else logaddexp_unwarned(0, x),
    about=About("log(1 + exp(x)), without overflow", derivative="sigmoid(x)"),
    written=Written(letter="s"),
    traits=Traits(regular_point=0, total=True, positive=True),
)
log1mexp = Elementwise(
    "log1mexp",
    Embedded(logarithm_of_complement_of_exp, work=per_element(8)),
    lambda x, y: log1mexp_slope(x),
    about=About(
        "log(1 - exp(x)), accurate for small and for large -x",
        derivative="exp(x)/expm1(x)",
        domain="x < 0",
    ),
    traits=Traits(regular_point=-1),
)
log1mexp_slope: Elementwise = Elementwise(
    "log1mexp_slope",
    Template("np.exp({0}) / np.expm1({0})", work=per_element(3)),
    # d e^x/(e^x - 1) = -e^x/(e^x - 1)^2 dx, where nothing cancels
    lambda x, y: build.scale(-1, build.hadamard(y, reciprocal(expm1(x)))),
    value=lambda x: np.exp(x) / np.expm1(x),
    about=About("exp(x)/(exp(x) - 1), the derivative of log1mexp", domain="x < 0"),
    written=Written(formula=lambda x: build.hadamard(exp(x), reciprocal(expm1(x)))),
    traits=Traits(regular_point=-1),
)
logaddexp = Elementwise(
    "logaddexp",
    Embedded(logaddexp_stable, fresh=True, work=per_element(6)),
    # d log(e^x + e^y) = σ(x - y) dx + σ(y - x) dy
    lambda x, y, z: sigmoid(build.subtract(x, y)),
    lambda x, y, z: sigmoid(build.subtract(y, x)),
    value=lambda x, y: (
        logaddexp_stable(x, y) if np.iscomplexobj(x + y) else logaddexp_unwarned(x, y)
    ),
    about=About(
        "log(exp(x) + exp(y)), without overflow", derivative="sigmoid(x - y) and sigmoid(y - x)"
    ),
    traits=Traits(total=True),
)
log0 = Elementwise(
    "log0",
    Embedded(logarithm_or_zero, work=per_element(1)),
    # d log(x) = dx/x, and 0 at 0 like the function itself
    lambda x, y: reciprocal0(x),
    about=About(
        "log(x), and 0 at x = 0: what makes the derivatives of 0^y by y vanish",
        derivative="reciprocal0(x)",
        domain="x ≥ 0",
        kink="0 at x = 0, at every order",
    ),
    traits=Traits(zero_at_zero=True),
)
pow_: Elementwise = Elementwise(
    "pow",
    "np.power",
    # d x^y = y x^(y-1) dx + x^y log(x) dy
    lambda x, y, z: scaled_power(y, x, plus(-1, y)),
    lambda x, y, z: build.hadamard(z, log0(x)),
    about=About(
        "x to the power y",
        derivative="y x^(y-1) and x^y log(x)",
        domain="x > 0",
        kink="at x = 0 the derivatives by y are 0: right for y > 0",
    ),
)
scaled_power: Elementwise = Elementwise(
    "scaled_power",
    Embedded(multiple_of_power, work=per_element(2)),
    lambda a, x, y, z: pow_(x, y),
    lambda a, x, y, z: scaled_power(build.hadamard(a, y), x, plus(-1, y)),
    lambda a, x, y, z: build.hadamard(z, log0(x)),
    about=About(
        "a x^y, and 0 where a = 0: so derivatives of whole powers have no 0 times infinity"
    ),
    written=Written(formula=lambda a, x, y: build.hadamard(a, pow_(x, y))),
)

FUNCTIONS = tuple(
    f.function
    for f in (
        *(exp, log, log0, log1p, log1mexp, expm1, log2, log10),
        *(sigmoid, softplus, logaddexp, pow_),
    )
)

__all__ = [
    "FUNCTIONS",
    "exp",
    "expm1",
    "log",
    "log0",
    "log1mexp",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "pow_",
    "power",
    "sigmoid",
    "softplus",
]
