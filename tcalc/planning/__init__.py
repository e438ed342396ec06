"""Contraction orders and their cost: index tuples and sizes in, a path out.

Pure functions, without arrays and without NumPy, so that `calculus` can ask what a product costs.
A flop is one multiplication or one addition.
"""

from tcalc.planning.flops import (
    MOVED,
    Indicator,
    Inversion,
    Network,
    Pair,
    Special,
    Triangle,
    factor_flops,
    pair_flops,
)
from tcalc.planning.paths import cost, plan
from tcalc.planning.planner import Plan

__all__ = [
    "MOVED",
    "Indicator",
    "Inversion",
    "Network",
    "Pair",
    "Plan",
    "Special",
    "Triangle",
    "cost",
    "factor_flops",
    "pair_flops",
    "plan",
]
