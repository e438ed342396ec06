"""Products of arrays as NumPy has them: of matrices by BLAS, in the order in which these lie.

A small product is called by its method, for which NumPy looks at less.  A contraction over several
axes is one matrix product of operands that are folded into matrices, as ``np.tensordot`` makes it,
but with nothing left to be found out when it runs; what no matrix product can do is einsum's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tcalc.codegen.contract import LETTERS
from tcalc.codegen.program import EinSum, TensorDot, Value, View
from tcalc.codegen.small_products import (
    SHORT_GRAM,
    is_across,
    is_laid_out,
    is_large_in_stack,
    vectors_of_stack,
)
from tcalc.codegen.targets.target import Writer
from tcalc.expr.dims import Dim, product


class Multiplying(Protocol):
    """How a target writes operands, and which products it writes otherwise.

    Products with no axis longer than `dotted` are called by their method; transposes of at least
    `laid_out` elements are copied before matrix products.  0 stands for never.
    """

    dotted: int
    laid_out: int

    def operand(self, view: View, writer: Writer) -> str: ...


def matrix_product(target: Multiplying, left: View, right: View, writer: Writer) -> str:
    """A product of matrices or vectors, by the method where they are small."""
    first, second = target.operand(left, writer), target.operand(right, writer)
    if target.laid_out and is_across(left, right):
        lengths = [writer.count((dim,)) for dim in (*left.dims, right.dims[1])]
        if is_laid_out(*lengths) and lengths[0] < lengths[2]:
            first += '.copy("F")'
        elif is_laid_out(*lengths):
            second += ".copy()"
    if len(left.dims) <= 2 and len(right.dims) <= 2:
        gram = left.value is right.value and len(left.dims) == len(right.dims) == 2
        return _times(target, first, second, (*left.dims, *right.dims), writer, gram)
    return f"{first} @ {second}"


def _times(
    target: Multiplying,
    first: str,
    second: str,
    lengths: Sequence[Dim],
    writer: Writer,
    gram: bool = False,
) -> str:
    """The product of two matrices or vectors whose axes have these lengths.

    That of a matrix and its transpose is a `gram`.
    """
    longest = min(target.dotted, SHORT_GRAM) if gram else target.dotted
    small = all(writer.count((dim,)) <= longest for dim in lengths)
    return f"{first}.dot({second})" if small else f"{first} @ {second}"


def tensordot(target: Multiplying, operation: TensorDot, writer: Writer) -> str:
    """A matrix product of the operands as matrices, which is what np.tensordot calls, later."""
    left, right, (a, b) = operation.left, operation.right, operation.axes
    free = [k for k in range(len(left.dims)) if k not in a]
    kept = [k for k in range(len(right.dims)) if k not in b]
    first = _folded(target, left, (free, a), writer)
    second = _folded(target, right, (b, kept), writer)
    groups = ((left, free), (left, a), (right, b), (right, kept))
    lengths = [product(value.dims[k] for k in group) for value, group in groups]
    matrix = _times(target, first, second, lengths, writer)
    if len(free) <= 1 and len(kept) <= 1:
        return matrix
    shape = (*(left.dims[k] for k in free), *(right.dims[k] for k in kept))
    return f"({matrix}).reshape({', '.join(writer.size(dim) for dim in shape)})"


def _folded(
    target: Multiplying, value: Value, groups: Sequence[Sequence[int]], writer: Writer
) -> str:
    """A value as a matrix, or as a vector where one of the groups of its axes is empty."""
    full = [group for group in groups if group]
    # What lies in front is folded first, so that little or nothing is moved.
    turned = len(full) == 2 and max(map(len, full)) > 1 and 0 in full[1]
    order = full[::-1] if turned else full
    text = target.operand(View(value, tuple(k for group in order for k in group)), writer)
    if all(len(group) == 1 for group in full):
        return text
    sizes = (product(value.dims[k] for k in group) for group in order)
    return f"{text}.reshape({', '.join(writer.size(size) for size in sizes)}){'.T' * turned}"


def contraction(target: Multiplying, operation: EinSum, writer: Writer) -> str:
    """A contraction that is no product of matrices."""
    names = [writer.name(value) for value in operation.operands]
    match operation:
        case EinSum(operands=(_, _), subscripts=(row, other), output=()) if (
            row == other and len(row) > 1
        ):
            # A scalar product of all elements, which einsum does not hand to BLAS.
            first, second = (f"{name}.ravel()" for name in names)
            return f"{first}.dot({second})" if target.dotted else f"{first} @ {second}"
    stack = vectors_of_stack(operation) if target.dotted else None
    if stack is not None and is_large_in_stack(writer.count(stack.dims)):
        columns = f"{writer.name(stack.vector)}[..., None]"
        return f"({target.operand(stack.matrices, writer)} @ {columns})[..., 0]"
    return einsum(operation.subscripts, operation.output, names)


def einsum(rows: Sequence[tuple[int, ...]], output: tuple[int, ...], names: list[str]) -> str:
    """The call of einsum for operands whose axes have labels."""
    texts = ["".join(LETTERS[label] for label in row) for row in (*rows, output)]
    arrow = f"{','.join(texts[:-1])}->{texts[-1]}"
    return f'np.einsum("{arrow}", {", ".join(names)})'
