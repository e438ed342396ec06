"""Differentiation: local Jacobians, elimination orders, derivatives and products with them.

`derivative(F, [X, Y])` has the axes of ``F``, then those of ``X``, then those of ``Y``.
"""

from tcalc.calculus.derivative import (
    MODES,
    PLAIN,
    Mode,
    check_mode,
    derivative,
    derivatives,
    project,
    unit,
)
from tcalc.calculus.factored import compression, factored_terms
from tcalc.calculus.prepare import linearisable, prepare
from tcalc.calculus.products import hvp, hvps, jvp, vjp, vjps
from tcalc.calculus.simplified import simplified
from tcalc.calculus.solves import half_of
from tcalc.calculus.terms import nominal_sizes

__all__ = [
    "MODES",
    "PLAIN",
    "Mode",
    "check_mode",
    "compression",
    "derivative",
    "derivatives",
    "factored_terms",
    "half_of",
    "hvp",
    "hvps",
    "jvp",
    "linearisable",
    "nominal_sizes",
    "prepare",
    "project",
    "simplified",
    "unit",
    "vjp",
    "vjps",
]
