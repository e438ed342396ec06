"""Programs as NumPy and SciPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, ClassVar, assert_never

from tcalc.codegen import host, solvers
from tcalc.codegen.contract import LETTERS
from tcalc.codegen.memory import (
    LAID_OUT,
    SHORT,
    SHORT_GRAM,
    is_across,
    is_in_order,
    is_laid_out,
)
from tcalc.codegen.placement import fills, stacked, written
from tcalc.codegen.program import (
    Addend,
    Argument,
    Call,
    Derived,
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
    Slice,
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
from tcalc.codegen.targets.filling import filling
from tcalc.codegen.targets.overwriting import add_to, overwriting
from tcalc.codegen.targets.target import Target, Writer, number_text, quoted
from tcalc.expr.dims import Dim, product
from tcalc.primitives.cholesky import cholesky
from tcalc.primitives.routines import Supplied, Template

WIDTH = 84
"""The longest expression of a sum that is written in one statement."""
TERMS = 3
"""The most terms of a sum in one statement; of more, each is added in place."""


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
            return self._sum(operation, names[0], writer)
        return [f"{', '.join(names)} = {self._expression(statement, writer, over)}"]

    def _expression(self, statement: Statement, writer: Writer, over: Value | None) -> str:
        operation = statement.operation
        match operation:
            case Argument() | Number() | Extent() | Sum() | Fused():
                raise AssertionError("written in its place")
            case Pick(source=source, index=index):
                return f"{writer.name(source)}{self.index(index, writer)}"
            case Diagonal(source=source, labels=(0, 0)):
                return f"{writer.name(source)}.diagonal()"
            case Diagonal(source=source, labels=labels, output=output):
                return self._einsum((labels,), output, [writer.name(source)])
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
                return self._matmul(left, right, writer)
            case TensorDot():
                return self._tensordot(operation, writer)
            case EinSum(operands=(left, right), subscripts=(row, other), output=()) if (
                row == other and len(row) > 1
            ):
                # A scalar product of all elements, which einsum does not hand to BLAS.
                first, second = f"{writer.name(left)}.ravel()", f"{writer.name(right)}.ravel()"
                return f"{first}.dot({second})" if self.dotted else f"{first} @ {second}"
            case EinSum(operands=values, subscripts=rows, output=output):
                return self._einsum(rows, output, [writer.name(value) for value in values])
            case Call():
                return self._call(operation, writer)
            case Factorise():
                return self._factorise(operation, writer, over)
            case Solve():
                return self._solve(operation, len(statement.results[0].dims), writer)
            case FromFactor():
                return self._from_factor(operation, writer, over)
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

    def _matmul(self, left: View, right: View, writer: Writer) -> str:
        """A product of matrices or vectors, by the method where they are small."""
        first, second = self.operand(left, writer), self.operand(right, writer)
        if self.laid_out and is_across(left, right):
            lengths = [writer.count((dim,)) for dim in (*left.dims, right.dims[1])]
            if is_laid_out(*lengths) and lengths[0] < lengths[2]:
                first += '.copy("F")'
            elif is_laid_out(*lengths):
                second += ".copy()"
        if len(left.dims) <= 2 and len(right.dims) <= 2:
            gram = left.value is right.value and len(left.dims) == len(right.dims) == 2
            return self._times(first, second, (*left.dims, *right.dims), writer, gram)
        return f"{first} @ {second}"

    def _times(
        self, first: str, second: str, lengths: Sequence[Dim], writer: Writer, gram: bool = False
    ) -> str:
        """The product of two matrices or vectors whose axes have these lengths.

        That of a matrix and its transpose is a `gram`.
        """
        longest = min(self.dotted, SHORT_GRAM) if gram else self.dotted
        small = all(writer.count((dim,)) <= longest for dim in lengths)
        return f"{first}.dot({second})" if small else f"{first} @ {second}"

    def _from_factor(self, operation: FromFactor, writer: Writer, over: Value | None) -> str:
        """What is read off a factorisation."""
        factor, solver = operation.factor, operation.solver
        name = writer.name(factor)
        match operation.kind:
            case Derived.INVERSE if solver in (Solver.LOWER, Solver.UPPER):
                function = self.embedded(solvers.inverse_triangle, solver, writer)
                lower = solver is Solver.LOWER
                named = f", where={quoted(operation.where)}" if operation.where else ""
                return f"{function}({name}, lower={lower}{named})"
            case Derived.INVERSE:
                function = self.embedded(solvers.inverse_factored, solver, writer)
                option = ", overwrite=True" if over is factor else ""
                return f"{function}({name}{option})"
            case Derived.CHOLESKY:
                return f"{self.embedded(solvers.lower_factor, solver, writer)}({name})"
            case Derived.LOGDET:
                function = self.embedded(solvers.log_determinant_factored, solver, writer)
                return f"{function}({name}, where={quoted(operation.where)})"
            case _:
                assert_never(operation.kind)

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
            case _:
                raise AssertionError("refused before")

    def _einsum(
        self, rows: Sequence[tuple[int, ...]], output: tuple[int, ...], names: list[str]
    ) -> str:
        texts = ["".join(LETTERS[label] for label in row) for row in (*rows, output)]
        arrow = f"{','.join(texts[:-1])}->{texts[-1]}"
        return f'np.einsum("{arrow}", {", ".join(names)})'

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

    def _tensordot(self, operation: TensorDot, writer: Writer) -> str:
        """A matrix product of the operands as matrices, which is what np.tensordot calls, later."""
        left, right, (a, b) = operation.left, operation.right, operation.axes
        free = [k for k in range(len(left.dims)) if k not in a]
        kept = [k for k in range(len(right.dims)) if k not in b]
        first = self._folded(left, (free, a), writer)
        second = self._folded(right, (b, kept), writer)
        groups = ((left, free), (left, a), (right, b), (right, kept))
        lengths = [product(value.dims[k] for k in group) for value, group in groups]
        matrix = self._times(first, second, lengths, writer)
        if len(free) <= 1 and len(kept) <= 1:
            return matrix
        shape = (*(left.dims[k] for k in free), *(right.dims[k] for k in kept))
        return f"({matrix}).reshape({', '.join(writer.size(dim) for dim in shape)})"

    def _folded(self, value: Value, groups: Sequence[Sequence[int]], writer: Writer) -> str:
        """A value as a matrix, or as a vector where one of the groups of its axes is empty."""
        full = [group for group in groups if group]
        # What lies in front is folded first, so that little or nothing is moved.
        turned = len(full) == 2 and max(map(len, full)) > 1 and 0 in full[1]
        order = full[::-1] if turned else full
        text = self.operand(View(value, tuple(k for group in order for k in group)), writer)
        if all(len(group) == 1 for group in full):
            return text
        sizes = (product(value.dims[k] for k in group) for group in order)
        return f"{text}.reshape({', '.join(writer.size(size) for size in sizes)}){'.T' * turned}"

    def embedded(self, function: Callable[..., Any], solver: Solver | None, writer: Writer) -> str:
        if function is solvers.factorise_spd:
            writer.embed(cholesky)
            writer.embed(solvers.refuse_singular)
            writer.embed(solvers.scaled_condition)
        if function is solvers.factorise:
            writer.embed(solvers.looks_symmetric)
            writer.embed(solvers.refuse_singular)
            writer.embed(solvers.scaled_condition)
        if function is solvers.solve_stack:
            writer.embed(solvers.refuse_singular_among)
        if function in host.VARIANTS:
            first, *required = host.VARIANTS[function]
            for other in required:
                writer.embed(other)
            return writer.embed(first)
        return writer.embed(function)

    def _factorise(self, operation: Factorise, writer: Writer, over: Value | None) -> str:
        match operation.solver:
            case Solver.GENERAL:
                function = self.embedded(solvers.factorise, operation.solver, writer)
            case Solver.SPD:
                function = self.embedded(solvers.factorise_spd, operation.solver, writer)
            case Solver.LOWER | Solver.UPPER:
                return self.operand(operation.matrix, writer)
            case Solver.DIAGONAL:
                function = self.embedded(solvers.check_triangle, operation.solver, writer)
            case _:
                assert_never(operation.solver)
        matrix, where = self.operand(operation.matrix, writer), quoted(operation.where)
        option = ", symmetric=True" if operation.symmetric else ""
        option += ", overwrite=True" if over is operation.matrix.value else ""
        return f"{function}({matrix}, where={where}{option})"

    def _solve(self, operation: Solve, order: int, writer: Writer) -> str:
        """A solve whose solution has so many axes: more than those of one matrix for a stack."""
        factor = writer.name(operation.factor)
        right = self.operand(operation.right, writer)
        flags: dict[str, object] = {
            "transposed": operation.transposed,
            "columns": operation.columns,
        }
        match operation.solver:
            case Solver.GENERAL | Solver.SPD:
                stack = order > 1 + operation.columns
                apply = solvers.solve_stack if stack else solvers.solve_factored
                function = self.embedded(apply, operation.solver, writer)
            case Solver.LOWER | Solver.UPPER:
                function = self.embedded(solvers.solve_triangle, operation.solver, writer)
                flags = {"lower": operation.solver is Solver.LOWER, **flags}
                if operation.where:
                    flags["where"] = quoted(operation.where)
            case Solver.DIAGONAL:
                function = self.embedded(solvers.solve_diagonal, operation.solver, writer)
                del flags["transposed"]
            case _:
                assert_never(operation.solver)
        options = ", ".join(f"{key}={value}" for key, value in flags.items())
        return f"{function}({factor}, {right}, {options})"

    def _sum(self, total: Sum, name: str, writer: Writer) -> list[str]:
        """A fresh buffer, and then one term a statement; a common coefficient comes last."""
        if self.concatenates and (parts := stacked(total)):
            return self._stack(parts, name, writer)
        common, addends = _common(total)
        order = len(total.dims)
        terms = [self.term(addend, writer, order) for addend in addends]
        lines: list[str] = []
        if not total.spans:
            lines.append(self._blank(total, name, writer))
            if len(terms) == 1 and total.addends[0].view.value.weak:
                terms = []
        else:
            begin = _spanning(total)
            if len(terms) <= TERMS and sum(map(len, terms)) < WIDTH:
                begin = len(terms)
            text = _joined(terms[:begin])
            scaled = begin < len(terms) and common != 1
            if common != 1 and not scaled:
                text = f"{_signed(common)} * ({text})"
            if begin == 1 and addends[0].coefficient == 1:
                text = f"{text}.copy()" if total.dims else text
            lines.append(f"{name} = {text}")
            lines += [add_to(name, term) for term in terms[begin:]]
            terms = []
            if scaled:
                lines.append(f"{name} *= {_signed(common)}")
        lines += [add_to(name, term) for term in terms]
        places = zip(total.placed, written(total), strict=True)
        return lines + [self.place(part, name, writer, alone) for part, alone in places]

    def _stack(self, parts: Sequence[Placed], name: str, writer: Writer) -> list[str]:
        """Arrays one after the other along their first axis; one that is a row gets that axis."""
        lines = [f"{name} = np.concat(("]
        line = ""
        for part in parts:
            row = not isinstance(part.index[0], Slice)
            view = replace(part.view, axes=(None, *part.view.axes)) if row else part.view
            text = f"{self.term(replace(part, view=view), writer)},"
            if line and len(line) + len(text) > WIDTH:
                lines.append(f"   {line}")
                line = ""
            line += f" {text}"
        return [*lines, f"   {line}", "))"]

    def _blank(self, total: Sum, name: str, writer: Writer) -> str:
        shape, dtype = self.shape(total.dims, writer), writer.dtype()
        if len(total.addends) == 1 and total.addends[0].view.value.weak:
            (addend,) = total.addends
            text = self.term(addend, writer)
            if text in ("0", "1"):
                return f"{name} = np.{'ones' if text == '1' else 'zeros'}({shape}, {dtype})"
            return f"{name} = np.full({shape}, {text}, {dtype})"
        return f"{name} = np.{'empty' if fills(total) else 'zeros'}({shape}, {dtype})"

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
            target = f"{self._einsum((part.labels,), once, [target])}[...]"
        elif target == name:
            target = f"{name}[...]"
        term = self.term(part, writer)
        return f"{target} = {term}" if fresh else add_to(target, term)


def _axes(axes: tuple[int, ...], order: int) -> str:
    if len(axes) == order:
        return ""
    return f"axis={axes[0] if len(axes) == 1 else axes}"


def _common(total: Sum) -> tuple[Fraction, Sequence[Addend]]:
    """The coefficient that all addends share, up to sign, and what is left of them."""
    if not total.spans or len(total.addends) < 2:
        return Fraction(1), total.addends
    common = abs(total.addends[0].coefficient)
    if common == 1 or any(abs(addend.coefficient) != common for addend in total.addends):
        return Fraction(1), total.addends
    if all(addend.coefficient < 0 for addend in total.addends):
        common = -common
    rest = [replace(x, coefficient=x.coefficient / common) for x in total.addends]
    return common, rest


def _signed(number: Fraction) -> str:
    return ("-" if number < 0 else "") + number_text(abs(number))


def _joined(terms: Sequence[str]) -> str:
    first, *rest = terms
    return first + "".join(f" - {t[1:]}" if t.startswith("-") else f" + {t}" for t in rest)


def _spanning(total: Sum) -> int:
    """How many terms, from the first on, it takes to give the sum its full shape."""
    order = len(total.dims)
    covered: set[int] = set()
    for count, addend in enumerate(total.addends, 1):
        axes = addend.view.axes
        lead = order - len(axes)
        covered |= {lead + k for k, axis in enumerate(axes) if axis is not None}
        if len(covered) == order and count > 1:
            return count
    return len(total.addends)
