"""The public names of `tcalc`, each imported from the module that defines it.

This is the only list of them.  ``import tcalc`` reads it when one of the names is first used, so
that programs that need none of them, such as the command line before it knows its command, do not
wait for all to be imported.
"""

from tcalc.api import (
    check,
    derivative,
    evaluate,
    explain,
    gradient,
    hessian,
    inputs,
    jacobian,
    parse,
    recurrence,
    symbols,
)
from tcalc.compilation import compile
from tcalc.conversion import from_sympy, to_sympy
from tcalc.costing import cost
from tcalc.custom import elementwise, function
from tcalc.drawing import draw
from tcalc.errors import TcalcError
from tcalc.expression import Expression, combine
from tcalc.linearization import linearize
from tcalc.problems import hessian_operator, laplace, problem
from tcalc.products import hvp, jvp, vjp
from tcalc.reference import functions, properties

__all__ = [
    "Expression",
    "TcalcError",
    "check",
    "combine",
    "compile",
    "cost",
    "derivative",
    "draw",
    "elementwise",
    "evaluate",
    "explain",
    "from_sympy",
    "function",
    "functions",
    "gradient",
    "hessian",
    "hessian_operator",
    "hvp",
    "inputs",
    "jacobian",
    "jvp",
    "laplace",
    "linearize",
    "parse",
    "problem",
    "properties",
    "recurrence",
    "symbols",
    "to_sympy",
    "vjp",
]
