"""Expressions as users hold them: a node together with what is needed to show it well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeAlias

from tcalc import printing
from tcalc.errors import ArgumentError
from tcalc.expr.nodes import Node, Var
from tcalc.expr.traverse import variables as inputs_of

Operand: TypeAlias = "Expression | int | float | Fraction"


@dataclass(frozen=True, slots=True)
class Context:
    """What a program says beyond its value: its inputs in order, and what was guessed of them."""

    variables: Mapping[str, Var] = field(default_factory=dict)
    guesses: Mapping[str, str] = field(default_factory=dict)

    def merged(self, other: Context) -> Context:
        """Both contexts together; a name must mean the same input in both."""
        for name, node in other.variables.items():
            mine = self.variables.get(name, node)
            if mine is not node:
                raise ArgumentError(
                    f"the name {name} stands for two different inputs: {mine!r} and {node!r}",
                    hint="declare it once, with tcalc.symbols, and use that everywhere",
                )
        return Context({**self.variables, **other.variables}, {**self.guesses, **other.guesses})


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A tensor expression: the value of a program, a derivative, or built from others in Python.

    ``+ - * @ / **``, ``.T`` and indexing mean what they mean in the language: ``*`` and ``@`` are
    the product of linear algebra, ``/`` by a scalar or ``A*inv(B)``, ``x[2]`` and ``A[1:3, 1]``
    are 1-based with both ends included.  `str` gives matrix notation where it exists, else
    Einstein notation.
    """

    node: Node
    context: Context = field(default_factory=Context)
    row: bool = False

    @property
    def shape(self) -> tuple[str, ...]:
        """The dimensions, as text: names, numbers, or polynomials in them."""
        return tuple(map(str, self.node.dims))

    @property
    def variables(self) -> dict[str, Var]:
        """The inputs known to the program, by name, in order of appearance."""
        return dict(self.context.variables) or {v.name: v for v in inputs_of([self.node])}

    @property
    def guesses(self) -> dict[str, str]:
        """What each undeclared name was taken for: scalar, vector, matrix, tensor3, …"""
        return dict(self.context.guesses)

    def text(self, notation: printing.Notation = "auto", cse: printing.Cse = "auto") -> str:
        """The formula in the language: notation ``"matrix"``, ``"einstein"`` or ``"auto"``."""
        return printing.to_text(
            self.node, notation=notation, order=tuple(self.context.variables), cse=cse
        )

    def matrix(self) -> str:
        """The formula in matrix notation; raises `TcalcError` where there is none."""
        return self.text("matrix")

    def einstein(self) -> str:
        """The formula in Einstein notation, which every expression has."""
        return self.text("einstein")

    def latex(self, notation: printing.Notation = "auto", cse: printing.Cse = "auto") -> str:
        """The formula in LaTeX, for math mode."""
        return printing.to_latex(
            self.node, notation=notation, order=tuple(self.context.variables), cse=cse
        )

    def mathml(self, notation: printing.Notation = "auto", cse: printing.Cse = "auto") -> str:
        """The formula as a MathML element."""
        return printing.to_mathml(
            self.node, notation=notation, order=tuple(self.context.variables), cse=cse
        )

    def with_node(self, node: Node, extra: Sequence[Var] = ()) -> Expression:
        """Another expression of the same program, with further inputs if any."""
        known = dict(self.variables)
        known.update({variable.name: variable for variable in extra})
        return Expression(node, replace(self.context, variables=known))

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"Expression[{', '.join(self.shape)}]({self.text()})"
