"""How products of small arrays are written best: by which call, and which factor is copied first.

To choose a loop takes NumPy longer than to multiply short axes, and BLAS has routines for small
matrices that mind how these lie.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import NamedTuple

from tcalc.codegen.memory import count, remembered
from tcalc.codegen.program import EinSum, MatMul, Product, Program, Sum, TensorDot, Value, View
from tcalc.expr.dims import Shape

SHORT = 64
"""The length of axes up to which matrices are multiplied by the method ``a.dot(b)``.

It does what ``a @ b`` does half a microsecond sooner, the rest being the choice of a loop.
"""
SHORT_GRAM = 32
"""The same where both are one matrix, half of whose product the method mirrors more slowly."""
LAID_OUT = 1 << 7
"""The elements from which on transposes that are repeated are copied first."""
SENSITIVE = 1 << 20
"""The multiplications of the largest product for which it matters how its factors lie."""
LARGE_IN_STACK = 64
"""The elements of a matrix from which on BLAS, called for each of a stack, beats einsum."""
TALL = 64
"""How many times a matrix has to be read in such a product for a copy of it to pay."""


@remembered
def product_forms(program: Program, sizes: Mapping[str, int]) -> frozenset[tuple[Hashable, int]]:
    """What the code for products, which is chosen by sizes, depends on.

    How short the axes of matrix products are, where a factor is copied first, which transposes
    are small, and which matrices of stacks large.
    """
    found: dict[Hashable, int] = {}
    for statement in program.statements:
        match statement.operation:
            case MatMul() | TensorDot() as product:
                if isinstance(product, MatMul) and is_across(product.left, product.right):
                    lengths = (*product.left.dims, product.right.dims[1])
                    found[lengths] = is_laid_out(*(dim.evaluate(sizes) for dim in lengths))
                for dim in {dim for value in statement.reads for dim in value.dims}:
                    length = dim.evaluate(sizes)
                    found[dim] = (length <= SHORT) + (length <= SHORT_GRAM)
            case EinSum() as contraction if stack := vectors_of_stack(contraction):
                found["of a stack", stack.dims] = is_large_in_stack(count(stack.dims, sizes))
            case Product(factors=factors, divisors=divisors):
                found |= _small(sizes, *factors, *divisors)
            case Sum(addends=addends):
                found |= _small(sizes, *(addend.view for addend in addends))
            case _:
                continue
    return frozenset(found.items())


def is_across(left: View, right: View) -> bool:
    """Whether two matrices that are multiplied both lie along what is summed."""
    flat = len(left.value.dims) == len(right.value.dims) == 2
    return flat and left.axes == (0, 1) and right.axes == (1, 0) and left.value is not right.value


def is_sensitive(rows: int, summed: int, columns: int) -> bool:
    """Whether it matters how the factors of a matrix product lie.

    BLAS has routines of its own for small matrices.  A long sum is faster along both factors, and a
    matrix of one row or column lies both ways.
    """
    one = min(rows, summed, columns) < 2
    return not one and summed <= rows * columns and rows * summed * columns <= SENSITIVE


def is_laid_out(rows: int, summed: int, columns: int) -> bool:
    """Whether the smaller one of two factors that lie along what is summed is copied first."""
    return max(rows, columns) >= TALL and is_sensitive(rows, summed, columns)


class VectorsOfStack(NamedTuple):
    """A product of each matrix of a stack, perhaps turned, with a vector of its own."""

    matrices: View
    vector: Value

    @property
    def dims(self) -> Shape:
        """The rows and columns of a matrix."""
        return self.matrices.dims[-2:]


def vectors_of_stack(operation: EinSum) -> VectorsOfStack | None:
    """A contraction as products of matrices and vectors one by one, where it is nothing else."""
    if len(operation.operands) != 2:
        return None
    pairs = sorted(zip(operation.subscripts, operation.operands, strict=True), key=_length)
    (row, vector), (labels, matrices) = pairs
    *batch, summed = row
    if not batch or len(labels) != len(row) + 1 or list(labels[: len(batch)]) != batch:
        return None
    left = labels[len(batch) :]
    free = [label for label in left if label != summed]
    if len({*labels}) < len(labels) or summed not in left or operation.output != (*batch, *free):
        return None
    places = (*range(len(batch)), labels.index(free[0]), labels.index(summed))
    return VectorsOfStack(View(matrices, places), vector)


def _length(pair: tuple[tuple[int, ...], Value]) -> int:
    return len(pair[0])


def is_large_in_stack(elements: int) -> bool:
    """Whether matrices of a stack have so many elements that BLAS is called for each of them."""
    return elements >= LARGE_IN_STACK


def _small(sizes: Mapping[str, int], *views: View) -> dict[Hashable, int]:
    turned = (view.value.dims for view in views if not is_in_order(view))
    return {dims: int(count(dims, sizes) < LAID_OUT) for dims in turned}


def is_in_order(view: View) -> bool:
    """Whether an operand's axes follow one another as they lie."""
    axes = [axis for axis in view.axes if axis is not None]
    return axes == sorted(axes)
