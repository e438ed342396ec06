"""A derivation step by step, as a teacher would write it down.

The function is taken apart into steps, one operation each; then the derivative of the whole by
each step, written with a bar, is carried from the last step back to the variable.  Each line uses
one local Jacobian, and says which rule that is.  This is reverse mode on paper.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import MappingProxyType
from typing import Any, Unpack, assert_never

from tcalc import printing
from tcalc.calculus import linearisable
from tcalc.calculus.accumulate import Term, pulled
from tcalc.calculus.derivative import derivatives, project
from tcalc.calculus.linearize import edges
from tcalc.errors import DimensionError, LimitError
from tcalc.expr import build
from tcalc.expr.index_names import AxisNames, merged, of_axes
from tcalc.expr.names import free_name
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.traverse import dependents, postorder, rebuild, variables, with_operands
from tcalc.primitives import REGISTRY
from tcalc.primitives.axis_names import inferred
from tcalc.primitives.elementwise import Elementwise

MOST_STEPS = 60
"""Longer derivations are not read by anybody."""


_RESULT = "R"
"""A name for the left side of a line, for which its own is put."""

_BEGIN, _NEXT_ROW, _END = "\\begin{aligned}\n", " \\\\\n", "\n\\end{aligned}"
"""What stands around and between the rows of a long formula in LaTeX."""

_GOES_ON = r"\quad"
"""What a row begins with that goes on with the formula of the one before."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a derivation: a name, the formula it stands for, and why."""

    name: str
    node: Node = field(repr=False)
    style: printing.ProgramStyle = field(repr=False)
    reason: str = ""

    @property
    def formula(self) -> str:
        """The formula as text of the language.

        A long one is a program, which names what occurs in it more than once.
        """
        return self._written()

    def text(self, notation: printing.Notation = "auto") -> str:
        """The line as text: ``t1 = A*x``, and why.

        In Einstein notation the name has indices: ``t1[i] = A[i,j]*x[j]``.
        """
        *before, formula = self._written(called=_RESULT, notation=notation).splitlines()
        text = self.name + formula.removeprefix(_RESULT)
        return "\n  ".join([*before, f"{text:<46}  {self.reason}" if self.reason else text])

    def _written(self, called: str = "", notation: printing.Notation = "auto") -> str:
        return printing.to_text(self.node, called=called, notation=notation, **self.style)

    def latex(self) -> str:
        """The line in LaTeX, aligned at its ``=`` and at its reason.

        A long formula takes several rows, after those of what occurs in it more than once.
        """
        called = self.name if self.name.isidentifier() else _RESULT
        rows = _rows(printing.to_latex(self.node, called=called, **self.style))
        own = max(k for k, row in enumerate(rows) if not row.startswith(_GOES_ON))
        if called is _RESULT:
            over, under = map(_latex_name, self.name[1:].split("/d"))
            fraction = rf"\frac{{\partial {over}}}{{\partial {under}}}"
            indices = rows[own].removeprefix(_RESULT)
            left = rf"\left( {fraction} \right)" if indices[0] == "_" else fraction
            rows[own] = left + indices
        aligned = [
            f"& {row}" if row.startswith(_GOES_ON) else row.replace(" = ", " &= ", 1)
            for row in rows
        ]
        if self.reason:
            aligned[own] += rf" && \text{{{_latex_text(self.reason)}}}"
        return _NEXT_ROW.join(aligned)

    def mathml(self) -> str:
        """The whole line as a MathML element; of the result its formula alone."""
        called = self.name if self.name.isidentifier() else ""
        return printing.to_mathml(self.node, called=called, **self.style)

    def __str__(self) -> str:
        return self.text()


@dataclass(frozen=True, slots=True)
class Derivation:
    """The steps of a function, the derivatives by them in reverse order, and the result."""

    variable: str
    values: tuple[Line, ...]
    cotangents: tuple[Line, ...]
    result: Line

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What IPython and notebooks show."""
        printer.text(str(self))

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines in their order."""
        return (*self.values, *self.cotangents, self.result)

    def text(self, notation: printing.Notation = "auto") -> str:
        """The derivation as text, its formulas in a notation of `Expression.text`."""
        lines = ["The function, one operation at a time:", ""]
        lines += [f"  {line.text(notation)}" for line in self.values]
        last = self.values[-1].name
        lines += ["", f"The derivatives of {last} by each step, from the last one back:", ""]
        lines += [f"  {line.text(notation)}" for line in self.cotangents]
        lines += ["", "Put together and simplified:", "", f"  {self.result.text(notation)}"]
        return "\n".join(lines)

    def latex(self) -> str:
        """The derivation in LaTeX, for math mode with amsmath: a line to a row."""
        together = _NEXT_ROW.join(line.latex() for line in self.lines)
        return f"{_BEGIN}{together}{_END}"

    def __str__(self) -> str:
        return self.text()


def explain(
    function: Node,
    variable: Var,
    definitions: Mapping[str, Node] = MappingProxyType({}),
    **style: Unpack[printing.ProgramStyle],
) -> Derivation:
    """The derivation of the gradient of a scalar by a variable.

    Steps that are among the `definitions` have the names of these; the `style` is what the program
    says of how formulas are written.

    Raises `LimitError` for a function of more than `MOST_STEPS` operations.
    """
    if function.order:
        raise DimensionError("a derivation is written for scalar functions")
    (root,) = linearisable([function])
    live = dependents([root], [variable])
    steps = [node for node in postorder([root]) if node in live and not isinstance(node, Var)]
    if len(steps) > MOST_STEPS:
        raise LimitError(
            f"the derivation has {len(steps)} steps, and more than {MOST_STEPS} are not readable",
            hint="explain a part of the function, or ask for the gradient alone",
        )
    # The variable itself has no step, nor has a function that does not depend on it.
    names = inferred(postorder([root]), style.get("index_names", {}))
    given = {name: node for name, node in definitions.items() if name.isidentifier()}
    called = dict(zip(linearisable([*given.values()]), given, strict=True))
    inside: printing.ProgramStyle = {**style, "index_names": names}
    return _Teacher(root, variable, steps or [root], live, inside, called).derivation()


class _Teacher:
    """Names for the steps of one function, and the lines written with them."""

    def __init__(
        self,
        root: Node,
        variable: Var,
        steps: Sequence[Node],
        live: set[Node],
        style: printing.ProgramStyle,
        called: Mapping[Node, str],
    ) -> None:
        self.root, self.variable, self.steps, self.live = root, variable, steps, live
        self.order = list(style.get("order", ()))
        self.neighbours = style.get("neighbours", ())
        self.avoided = style.get("names", ())
        self.index_names = dict(style.get("index_names", {}))
        self.taken = {node.name for node in variables([root])} | {*self.order, *called.values()}
        self.names: dict[Node, Var] = {variable: variable}
        numbers = count(1)
        for node in steps:
            if node in called:
                self.names[node] = self._named(called[node], node)
            else:
                name = "f" if node is root else f"t{next(numbers)}"
                self.names[node] = self._fresh(name, node)

    def derivation(self) -> Derivation:
        values = [self._step(node) for node in self.steps]
        (gradient,) = derivatives(self.root, [self.variable], "reverse")
        axes = of_axes(self.index_names, self.variable)
        name = f"d{self.names[self.root].name}/d{self.variable.name}"
        result = self._line(name, gradient, axes)
        return Derivation(self.variable.name, tuple(values), tuple(self._cotangents()), result)

    def _cotangents(self) -> list[Line]:
        """The bar of every step and of the variable, each from those of its users."""
        nodes = list(dict.fromkeys((*reversed(self.steps), self.variable)))
        bars = {node: self._fresh(f"{self.names[node].name}_bar", node) for node in nodes[::-1]}
        terms: dict[Node, list[Term]] = {self.root: [(1, build.const(1))]}
        name = self.names[self.root].name
        reasons: dict[Node, dict[str, None]] = {
            self.root: {f"the derivative of {name} by itself": None}
        }
        lines: list[Line] = []
        if self.root not in self.live:
            terms[self.variable] = []
            reasons[self.variable] = {f"{name} does not depend on {self.variable.name}": None}
        for node in nodes:
            if node not in terms:
                continue
            bar = build.add(terms[node]) if terms[node] else build.zeros(node.dims)
            if node is self.variable:
                bar = project(bar, self.variable)
            axes = of_axes(self.index_names, node)
            lines.append(self._line(bars[node].name, bar, axes, "; ".join(reasons[node])))
            # A number is passed on as it is; all else is named once.
            cotangent = bar if isinstance(bar, Const) else bars[node]
            for operand, jacobian in edges(node, self.live):
                passed = pulled(jacobian, operand, cotangent)
                # The steps, this one included (exp' = exp), stand in it by their names.
                written = rebuild([x for _, x in passed], replacements=self.names)
                coefficients = [coefficient for coefficient, _ in passed]
                terms.setdefault(operand, []).extend(zip(coefficients, written, strict=True))
                reasons.setdefault(operand, {})[self._rule(node)] = None
        return lines

    def _fresh(self, name: str, like: Node) -> Var:
        name = free_name(name, self.taken)
        self.taken.add(name)
        return self._named(name, like)

    def _named(self, name: str, like: Node) -> Var:
        self.order.append(name)
        made = build.var(name, like.dims)
        if like in self.index_names:
            self.index_names[made] = self.index_names[like]
        return made

    def _local(self, node: Node) -> Node:
        """A step in terms of the names of the steps before it."""
        return with_operands(node, [self.names.get(x, x) for x in node.operands])

    def _rule(self, node: Node) -> str:
        """Why a step passes its derivative on as it does."""
        name = self.names[node].name
        match node:
            case Var() | Const() | Delta():
                return ""
            case Add(terms=terms):
                what = "a sum passes it on to its terms" if len(terms) > 1 else "a multiple"
                return f"{name}: {what}"
            case Einsum(factors=factors):
                moving = sum(factor in self.live for factor in factors)
                if len(factors) == 1:
                    return f"{name}: a sum over elements passes it on to each"
                return f"{name}: " + ("a linear product" if moving == 1 else "product rule")
            case Apply(primitive=Elementwise() as function):
                known = function.about.derivative
                return f"{name}: chain rule" + (f", {function.name}' = {known}" if known else "")
            case Apply(primitive=primitive):
                entry = REGISTRY.get(primitive.name)
                return f"{name}: {primitive.name}" + (f", {entry.derivative}" if entry else "")
            case _:
                assert_never(node)

    def _step(self, node: Node) -> Line:
        axes = of_axes(self.index_names, node)
        return self._line(self.names[node].name, self._local(node), axes)

    def _line(self, name: str, node: Node, axes: AxisNames, reason: str = "") -> Line:
        known = self.index_names
        own = known if node in known else merged(known, {node: axes})
        style: printing.ProgramStyle = {
            "order": self.order,
            "neighbours": self.neighbours,
            "names": self.avoided,
            "index_names": own,
        }
        return Line(name, node, style, reason)


def _rows(written: str) -> list[str]:
    """The rows of a formula in LaTeX, without what aligns them."""
    if not written.startswith(_BEGIN):
        return [written]
    rows = written.removeprefix(_BEGIN).removesuffix(_END).split(_NEXT_ROW)
    return [row.removeprefix("& ") for row in rows]


def _latex_name(name: str) -> str:
    """A name of the language in LaTeX."""
    return printing.to_latex(build.var(name, ()), cse=False)


def _latex_text(text: str) -> str:
    """A text for ``\\text{...}``."""
    return re.sub(r"([_^&%#{}$])", r"\\\1", text).replace(r"\^", r"\^{}")
