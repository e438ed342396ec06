"""Functions in the form that SciPy's optimisers expect, and runs that callbacks can watch."""

from tcalc.optimisation.constraints import Constraint, Given, constraint
from tcalc.optimisation.problem import Problem
from tcalc.optimisation.runs import Progress, says_stop

__all__ = ["Constraint", "Given", "Problem", "Progress", "constraint", "says_stop"]
