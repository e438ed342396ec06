"""The types that public functions take and return, to write in annotations.

>>> import tcalc
>>> from tcalc.typing import CostTable, Mode
>>> def costs(f: tcalc.Expression, modes: list[Mode]) -> CostTable:
...     return tcalc.cost(f, "x", order=1, modes=modes)
>>> costs(tcalc.parse("x'*A*x"), ["reverse"]).wrt
('x',)

Nobody makes objects of these classes by hand.  Each is imported when it is asked for, and NumPy and
SciPy with those that need them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tcalc.backslash.numbers import Point as Point
    from tcalc.calculus import Mode as Mode
    from tcalc.checking import CheckReport as CheckReport
    from tcalc.codegen.options import Backend as Backend
    from tcalc.codegen.options import HostBackend as HostBackend
    from tcalc.costing import Cost as Cost
    from tcalc.costing import CostTable as CostTable
    from tcalc.custom import UserFunction as UserFunction
    from tcalc.derivation import Derivation as Derivation
    from tcalc.derivation import Line as Line
    from tcalc.estimation import Estimate as Estimate
    from tcalc.estimation import HessianOperator as HessianOperator
    from tcalc.estimation import LaplaceApproximation as LaplaceApproximation
    from tcalc.language import Inputs as Inputs
    from tcalc.linearization import Linearization as Linearization
    from tcalc.optimisation import Problem as Problem
    from tcalc.printing import Notation as Notation
    from tcalc.recurrences import Recurrence as Recurrence
    from tcalc.recurrences import RecurrenceGradient as RecurrenceGradient
    from tcalc.recurrences import RecurrenceProduct as RecurrenceProduct
    from tcalc.reference import FunctionEntry as FunctionEntry
    from tcalc.reference import Functions as Functions
    from tcalc.runtime import CompiledFunction as CompiledFunction
    from tcalc.runtime import FactoredFunction as FactoredFunction
    from tcalc.runtime import FactoredTensor as FactoredTensor

_HOMES = {
    "Backend": "tcalc.codegen.options",
    "CheckReport": "tcalc.checking",
    "CompiledFunction": "tcalc.runtime",
    "Cost": "tcalc.costing",
    "CostTable": "tcalc.costing",
    "Derivation": "tcalc.derivation",
    "Estimate": "tcalc.estimation",
    "FactoredFunction": "tcalc.runtime",
    "FactoredTensor": "tcalc.runtime",
    "FunctionEntry": "tcalc.reference",
    "Functions": "tcalc.reference",
    "HessianOperator": "tcalc.estimation",
    "HostBackend": "tcalc.codegen.options",
    "Inputs": "tcalc.language",
    "LaplaceApproximation": "tcalc.estimation",
    "Line": "tcalc.derivation",
    "Linearization": "tcalc.linearization",
    "Mode": "tcalc.calculus",
    "Notation": "tcalc.printing",
    "Point": "tcalc.backslash.numbers",
    "Problem": "tcalc.optimisation",
    "Recurrence": "tcalc.recurrences",
    "RecurrenceGradient": "tcalc.recurrences",
    "RecurrenceProduct": "tcalc.recurrences",
    "UserFunction": "tcalc.custom",
}

__all__ = [*_HOMES]

if not TYPE_CHECKING:  # for a checker every name would be there

    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            return getattr(import_module(_HOMES[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
