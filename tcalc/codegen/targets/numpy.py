"""Programs as NumPy and SciPy: each statement as one expression, or as lines where it is a sum.

Products, systems and sums are written by `contractions`, `systems` and `forming`; results that are
written into arrays which are there already by `overwriting` and `filling`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, assert_never

from tcalc.codegen import host, solvers
from tcalc.codegen.program import (
    Addend,
    Argument,
    Call,
    Diagonal,
    EinSum,
    Extent,
    Factorise,
    Fold,
    FromFactor,
    Fused,
    MatMul,
    Number,
    Operation,
    Pick,
    Placed,
    Product,
    Rows,
    Solve,
    Solver,
    Spread,
    Statement,
    Sum,
    TensorDot,
    Total,
    Triangle,
    Typed,
    Value,
    View,
)
from tcalc.codegen.small_products import LAID_OUT, SHORT, is_in_order
from tcalc.codegen.targets.contractions import contraction, einsum, matrix_product, tensordot
from tcalc.codegen.targets.filling import filling
from tcalc.codegen.targets.forming import formed
from tcalc.codegen.targets.overwriting import add_to, overwriting
from tcalc.codegen.targets.systems import factorise, from_factor, solve
from tcalc.codegen.targets.target import Target, Writer, embed_all, number_text, quoted
from tcalc.primitives.routines import Supplied, Template


class NumPy(Target):
    """The target for NumPy arrays."""

    name = "numpy"
    module = "np"
    dotted = SHORT
    """The length of axes up to which ``a.dot(b)`` is written; 0 for never."""
    laid_out = LAID_OUT
    """The elements from which on transposes that are repeated are copied first; 0 for never."""
    concatenates = True
    """Whether stacks are written by one call, and not part by part."""
    arrays = "Arrays of float32, float64 or complex numbers"
    imports: ClassVar[Mapping[str, str]] = {
        "np.": "import numpy as np",
        "ArrayLike": "from numpy.typing import ArrayLike",
        "NDArray": "from numpy.typing import NDArray",
        "linalg.": "from scipy import linalg",
        "special.": "from scipy import special",
    }
    argument = "ArrayLike"
    array = "NDArray[Any]"
    number = "np.inexact[Any]"

    def copied(self, text: str, contiguous: bool) -> str:
        return f'np.array({text}, order="C")' if contiguous else f"np.array({text})"

    def contiguous(self, text: str) -> str:
        return f"np.ascontiguousarray({text})"

    def as_number(self, text: str) -> str:
        return f"{text}[()]"

    def write(
        self,
        statement: Statement,
        names: tuple[str, ...],
        writer: Writer,
        over: Value | None,
    ) -> list[str]:
        operation = statement.operation
        if any(map(writer.is_sparse, statement.reads)):
            return [f"{names[0]} = {self._sparse(operation, writer)}"]
        if over is not None:
            lines = overwriting(self, operation, names[0], writer, over)
            if lines:
                return lines
        if (buffer := writer.buffer(statement.results[0])) is not None:
            return filling(self, operation, buffer[0], writer, buffer[1])
        if isinstance(operation, Sum):
            return formed(self, operation, names[0], writer)
        target = ", ".join(names)
        if isinstance(operation, Rows):
            target = f"({target})"  # which may be broken into lines
        return [f"{target} = {self._expression(statement, writer, over)}"]

    def _expression(self, statement: Statement, writer: Writer, over: Value | None) -> str:
        operation = statement.operation
        match operation:
            case Argument() | Number() | Extent() | Sum() | Fused():
                raise AssertionError("written in its place")
            case Pick(source=source, index=index):
                return f"{writer.name(source)}{self.index(index, writer)}"
            case Rows(source=source):
                return writer.name(source)
            case Diagonal(source=source, labels=(0, 0)):
                return f"{writer.name(source)}.diagonal()"
            case Diagonal(source=source, labels=labels, output=output):
                return einsum((labels,), output, [writer.name(source)])
            case Spread(source=view, dims=dims):
                text = self.operand(view, writer)
                return f"np.broadcast_to({text}, {self.shape(dims, writer)})"
            case Fold(source=view, dims=dims):
                sizes = ", ".join(writer.size(dim) for dim in dims)
                return f"{self.operand(view, writer)}.reshape({sizes})"
            case Total(source=source, axes=axes):
                return f"{writer.name(source)}.sum({_axes(axes, len(source.dims))})"
            case Triangle(source=view, offset=offset, lower=lower):
                shift = "" if offset.value == 0 else f", {writer.size(offset)}"
                return f"np.{'tril' if lower else 'triu'}({self.operand(view, writer)}{shift})"
            case Product(factors=factors, divisors=divisors):
                order = max(len(view.axes) for view in (*factors, *divisors))
                above = " * ".join(self._spread(view, order, writer) for view in factors)
                below = (self._spread(view, order, writer) for view in divisors)
                return above + "".join(f" / {text}" for text in below)
            case MatMul(left=left, right=right):
                return matrix_product(self, left, right, writer)
            case TensorDot():
                return tensordot(self, operation, writer)
            case EinSum():
                return contraction(self, operation, writer)
            case Call():
                return self._call(operation, writer)
            case Factorise():
                return factorise(self, operation, writer, over)
            case Solve():
                return solve(self, operation, len(statement.results[0].dims), writer)
            case FromFactor():
                return from_factor(self, operation, writer, over)
            case Typed(source=source):
                return f"{writer.dtype()}({writer.name(source)})"
            case _:
                assert_never(operation)

    def _spread(self, view: View, order: int, writer: Writer) -> str:
        """An operand of an element-wise step whose result has `order` axes.

        Where it is a transpose that is repeated along others of these, it is copied: NumPy would
        walk along the axis on which it lies, be it ever so short.
        """
        axes = tuple(axis for axis in view.axes if axis is not None)
        turned = not is_in_order(view) and view.axes[-1] is not None
        if not (self.laid_out and turned and len(axes) < order):
            return self.operand(view, writer)
        if writer.count(view.value.dims) < self.laid_out:
            return self.operand(view, writer)
        text = f"{self.operand(View(view.value, axes), writer)}.copy()"
        if None in view.axes:
            index = [":" if axis is not None else "None" for axis in view.axes]
            text += f"[{', '.join(index)}]"
        return text

    def _sparse(self, operation: Operation, writer: Writer) -> str:
        """What is done with sparse matrices: see `tcalc.codegen.sparse`."""
        match operation:
            case MatMul(left=left, right=right):
                text = f"{self.operand(left, writer)} @ {self.operand(right, writer)}"
                both = writer.is_sparse(left.value) and writer.is_sparse(right.value)
                return f"({text}).toarray()" if both else text
            case Product(factors=factors, divisors=divisors):
                (mine,) = (view for view in factors if writer.is_sparse(view.value))
                scales = [self.operand(view, writer) for view in factors if view is not mine]
                text = " * ".join(scales or ["1"])
                text += "".join(f" / {self.operand(view, writer)}" for view in divisors)
                return f"{self.operand(mine, writer)}.multiply({text}).tocsr()"
            case Sum(addends=(addend,)):
                return self.term(addend, writer)
            case Total(source=source, axes=axes):
                text = f"{writer.name(source)}.sum({_axes(axes, len(source.dims))})"
                return text if len(axes) == 2 else f"np.ravel({text})"
            case EinSum(operands=values, subscripts=rows):
                first, second = values if writer.is_sparse(values[0]) else values[::-1]
                turned = ".T" if rows[0] != rows[1] else ""
                return f"{writer.name(first)}.multiply({writer.name(second)}{turned}).sum()"
            case Call():
                return self._call(operation, writer)
            case _:
                raise AssertionError("refused before")

    def _call(self, call: Call, writer: Writer) -> str:
        arguments = [self.operand(view, writer) for view in call.arguments]
        routine = call.routine
        if isinstance(routine, Template):
            return routine.text.format(*arguments)
        if isinstance(routine, Supplied):
            return f"{writer.supply(routine)}({', '.join(arguments)})"
        arguments += [writer.size(dim) for dim in routine.sizes]
        arguments += [repr(parameter) for parameter in routine.parameters]
        if routine.named:
            arguments.append(f"where={quoted(call.where)}")
        if routine.typed:
            arguments.append(f"dtype={writer.dtype()}")
        for required in routine.requires:
            self.embedded(required, None, writer)
        function = self.embedded(routine.function, None, writer)
        return f"{function}({', '.join(arguments)})"

    def embedded(self, function: Callable[..., Any], solver: Solver | None, writer: Writer) -> str:
        if function in host.VARIANTS:
            return embed_all(host.VARIANTS[function], writer)
        return embed_all((function, *solvers.REQUIRED.get(function, ())), writer)

    def term(self, addend: Addend | Placed, writer: Writer, order: int = 0) -> str:
        """A term with its sign; one of a sum that is formed has its `order`."""
        c, view = addend.coefficient, addend.view
        sign = "-" if c.numerator < 0 else ""
        text = self._spread(view, order, writer)
        if view.value.weak and text == "1":
            return sign + number_text(abs(c))
        unit = abs(c.numerator) == c.denominator
        return sign + (text if unit else f"{number_text(abs(c))} * {text}")

    def place(self, part: Placed, name: str, writer: Writer, fresh: bool) -> str:
        """Write or add a term to a part of the buffer, through a view of it."""
        target = name + self.index(part.index, writer)
        once = tuple(dict.fromkeys(part.labels))
        if part.labels == (0, 0):
            target = f"{self.embedded(solvers.diagonal_of, None, writer)}({target})[...]"
        elif once != part.labels:
            target = f"{einsum((part.labels,), once, [target])}[...]"
        elif target == name:
            target = f"{name}[...]"
        term = self.term(part, writer)
        return f"{target} = {term}" if fresh else add_to(target, term)


def _axes(axes: tuple[int, ...], order: int) -> str:
    if len(axes) == order:
        return ""
    return f"axis={axes[0] if len(axes) == 1 else axes}"
