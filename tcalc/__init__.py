"""tcalc: a symbolic tensor-calculus compiler in Einstein notation.

    >>> import tcalc
    >>> f = tcalc.parse("sum(log(1 + exp(-y .* (X*w))))", "X[m,n], y[m], w[n]")
    >>> g = tcalc.gradient(f, "w")
    >>> g.shape
    ('n',)

The rooms, each of which imports only those before it (`architecture` in CONTRIBUTING.md):

- `tcalc.errors`: what can go wrong, with a place in the user's text;
- `tcalc.expr`: the expression DAG, six interned node kinds;
- `tcalc.primitives`: element-wise functions, reductions, linear algebra; one file a family;
- `tcalc.planning`: orders of contraction and their cost;
- `tcalc.simplify`: rewrites, as named rules;
- `tcalc.calculus`: differentiation;
- `tcalc.language`, `tcalc.printing`, `tcalc.interpret`: text in, text out, reference values;
- `tcalc.codegen`, `tcalc.runtime`: NumPy modules, and the functions that run them;
- `tcalc.checking`: numerical verification;
- `tcalc.backslash`, `tcalc.linearization`: the linearised graph as a block-triangular system;
- `tcalc.pictures`, `tcalc.drawing`: expression graphs as SVG;
- `tcalc.custom`: functions of the user's; `tcalc.reference`: what there is to know of the others;
- `tcalc.costing`: what derivatives cost, mode by mode;
- `tcalc.products`: products with derivatives, as formulas;
- `tcalc.optimisation`, `tcalc.estimation`: problems and Hessians for SciPy's solvers;
- `tcalc.conversion`: from and to SymPy; `tcalc.examples`: problems solved, start to end;
- `tcalc.compilation`: from expressions to functions of arrays;
- `tcalc.gallery`: model programs with data, for tests, benchmarks and `tcalc examples`;
- `tcalc.requirements`: what public functions take, and how they refuse all else;
- `tcalc.api`, `tcalc.problems`: the other functions below; `tcalc.typing`: types of their
  arguments and results; `tcalc.cli`: the command line.
"""

from typing import TYPE_CHECKING

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
    "symbols",
    "to_sympy",
    "vjp",
]

__version__: str

if not TYPE_CHECKING:  # for a checker every name would be there

    def __getattr__(name: str) -> str:
        if name == "__version__":
            # Asked for now: to look it up takes longer than to print a short derivative.
            from importlib.metadata import version

            return version("tcalc")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
