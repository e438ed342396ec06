"""What functions of eigenvalues and functions of singular values have in common.

Such a primitive carries a function of one number, which may have parameters
(`tcalc.primitives.scalar`).  Its derivatives by these are functions of the same kind.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import LinearMap, Primitive, linear_map
from tcalc.primitives.scalar import parameter, scalar_derivative, split_arguments


class MatrixFunction(Primitive):
    """A function of one number applied to a matrix, or its derivative in k directions.

    The arguments are the matrix, the parameters of the function, and the directions: matrices of
    one shape, and a number for each of them.
    """

    def __init__(self, scalar: Node, parameters: int, k: int) -> None:
        self.scalar, self.parameters, self.k = scalar, parameters, k

    @property
    def key(self) -> str:
        return f"{self.name}({self.scalar.digest.hex()}, {self.parameters}, {self.k})"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        a, t, e = split_arguments(arguments, self.parameters)
        if len(t) != self.parameters or len(e) != self.k or set(t) > {a[:-2]} or set(e) > {a}:
            raise ValueError(f"{self.name}: parameters and directions do not fit the matrix")
        return (a,)

    @abstractmethod
    def of(
        self, scalar: Node, a: Node, parameters: Sequence[Node], directions: Sequence[Node]
    ) -> Node:
        """The same of another function of one number."""

    def by_parameter(self, node: Apply, position: int) -> LinearMap | None:
        """The local Jacobian by a parameter; None if the argument at `position` is a matrix."""
        A, t, E = split_arguments(node.args, self.parameters)
        if not 0 < position <= self.parameters:
            return None
        slope = scalar_derivative(self.scalar, parameter(position - 1))
        # dL = L_k[∂g/∂t](A; ..) dt
        return linear_map(node, position, "ij", "", (1, "ij", (self.of(slope, A, t, E),)))
