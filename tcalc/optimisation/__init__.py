"""Functions as SciPy's optimisers want them, and runs of these that are watched."""

from tcalc.optimisation.constraints import Constraint, Given, constraint
from tcalc.optimisation.problem import Problem
from tcalc.optimisation.runs import Progress, says_stop

__all__ = ["Constraint", "Given", "Problem", "Progress", "constraint", "says_stop"]
