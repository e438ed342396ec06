"""Constraints as expressions: ``g(x) <= 0`` and ``h(x) == 0``, with all their derivatives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from tcalc.codegen.options import DEFAULTS, Options
from tcalc.errors import ArgumentError
from tcalc.expr.nodes import Node, Var
from tcalc.expression import Expression, Operand, combine
from tcalc.optimisation.derivatives import Derivatives
from tcalc.optimisation.packing import Packing
from tcalc.primitives.arrays import NumPyArray as Array

if TYPE_CHECKING:
    from scipy.optimize import NonlinearConstraint

Relation: TypeAlias = Literal["<=", ">=", "=="]
RELATIONS: tuple[Relation, ...] = ("<=", ">=", "==")
Given: TypeAlias = "str | tuple[Operand, Relation, Operand]"


@dataclass(frozen=True, slots=True)
class Constraint:
    """A tensor that is to be at most zero, or zero where `equal`, in each entry."""

    node: Node
    equal: bool
    text: str

    def __str__(self) -> str:
        return self.text


class ConstraintFunction:
    """A constraint as a function of the vector of a problem, with its derivatives."""

    def __init__(
        self,
        constraint: Constraint,
        wrt: Sequence[Var],
        inputs: Sequence[Var],
        data: Mapping[str, Any],
        packing: Packing,
        options: Options = DEFAULTS,
    ) -> None:
        self.node, self._equal, self._text = constraint.node, constraint.equal, constraint.text
        self._derivatives = Derivatives(constraint.node, wrt, inputs, data, options)
        self._packing = packing

    def fun(self, x: Any) -> Array:
        """The entries that are to be zero, or at most zero."""
        return np.reshape(self._derivatives.value(**self._packing.unpack(x)), -1)

    def jac(self, x: Any) -> Array:
        """Their Jacobian, a row for each."""
        value, *blocks = self._derivatives.both(**self._packing.unpack(x))
        return self._packing.jacobian(blocks, np.size(value))

    def hess(self, x: Any, v: Any) -> Array:
        """The Hessian of ``<v, fun>``, for multipliers v: their part of the Lagrangian's."""
        values = self._packing.unpack(x)
        if not self.node.order:
            blocks = self._derivatives.curvature(**values)
            return float(np.reshape(v, ())) * self._packing.hessian(blocks)
        shape = np.shape(self._derivatives.value(**values))
        weight = {self._derivatives.weight.name: np.reshape(v, shape)}
        return self._packing.hessian(self._derivatives.curvature(**values, **weight))

    def for_scipy(self) -> NonlinearConstraint:
        """The constraint as SciPy's methods take it."""
        from scipy.optimize import NonlinearConstraint

        low = 0.0 if self._equal else -np.inf
        # SciPy calls it with the multipliers too, whatever its annotations say.
        hess: Any = self.hess
        return NonlinearConstraint(self.fun, low, 0.0, jac=self.jac, hess=hess)

    def as_dictionary(self) -> dict[str, Any]:
        """The constraint in the older form, which takes no Hessian: SLSQP and COBYLA use it."""
        if self._equal:
            return {"type": "eq", "fun": self.fun, "jac": self.jac}
        return {"type": "ineq", "fun": lambda x: -self.fun(x), "jac": lambda x: -self.jac(x)}

    def violation(self, x: Any) -> float:
        """How far the worst entry is off at a point; 0 where all hold."""
        value = self.fun(x)
        beyond = np.abs(value) if self._equal else np.maximum(value, 0)
        return float(np.max(beyond, initial=0.0))

    def __str__(self) -> str:
        return self._text


class Violations(Mapping[str, float]):
    """By how much constraints and bounds are violated, by their texts; empty where all hold.

    >>> print(Violations({}), Violations({"sum(x) == 1": 0.25}))
    none sum(x) == 1: by 0.25
    """

    # No `dict`: SciPy's results cannot be printed with an empty one in them.

    def __init__(self, amounts: Mapping[str, float]) -> None:
        self._amounts = dict(amounts)

    def __getitem__(self, name: str) -> float:
        return self._amounts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._amounts)

    def __len__(self) -> int:
        return len(self._amounts)

    def __str__(self) -> str:
        return ", ".join(f"{name}: by {x:.2g}" for name, x in self.items()) or "none"

    __repr__ = __str__


def constraint(given: Given, function: Expression) -> Constraint:
    """A constraint from its text, or from two sides and the relation between them.

    A text may name all that the function of its problem does: ``"sum(w) == 1"``.
    """
    if isinstance(given, str):
        left, relation, right = _split(given)
        operands: dict[str, Operand] = {
            name: function.with_node(node) for name, node in function.variables.items()
        }
        formula = f"({left}) - ({right})" if right.strip() not in ("0", "0.0") else left
        difference = combine(formula, **operands)
        text = given.strip()
    elif isinstance(given, tuple) and len(given) == 3 and given[1] in RELATIONS:
        one, relation, other = given
        difference = combine("one - other", one=one, other=other)
        text = f"{difference.text(cse=False)} {relation} 0"
    else:
        raise ArgumentError(
            f"{given!r} is not a constraint",
            hint='a constraint is as "sum(w) == 1", or (expression, "<=", 0)',
        )
    node = combine("-x", x=difference).node if relation == ">=" else difference.node
    return Constraint(node, relation == "==", text)


def _split(text: str) -> tuple[str, Relation, str]:
    """A text at its only comparison."""
    found: list[tuple[str, Relation, str]] = []
    for relation in RELATIONS:
        if text.count(relation) == 1:
            left, _, right = text.partition(relation)
            found.append((left, relation, right))
    if len(found) != 1 or not found[0][0].strip() or not found[0][2].strip():
        raise ArgumentError(f"{text!r} is not a constraint", hint=_hint(text))
    return found[0]


def _hint(text: str) -> str:
    """What to write for a text that is no constraint."""
    if len(re.findall("[<>]=?", text)) > 1:
        return "one comparison a constraint: write two, or give bounds={'w': (0, 1)}"
    for sign, relation in (("<", "<="), (">", ">="), ("=", "==")):
        if re.search(rf"(?<![<>=]){sign}(?![<>=])", text):
            return f"write `{relation}`: it has one of <=, >= and ==, and two sides"
    return "it has one of <=, >= and ==, and two sides"
