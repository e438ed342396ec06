"""The blocks of a linearised graph: linear operators between tensors, each with a notation.

A block maps tensors of the shape `columns` to tensors of the shape `rows`.  It is a class with
four faces: `apply`, `adjoint`, `dense` and `notation`.  The calculus is not repeated here: a block
holds a `LinearTerm` of a local Jacobian, or an `Operator`, and what a class adds is how it is
written.  The list is open; `tcalc.backslash.recognition` finds the class of a term.

The notation is that of operators on matrices: ``A ⊗ B`` maps X to ``B*X*A'``, ``diag(H)`` to
``H.*X``, ``⟨G, ·⟩`` to ``sum(G.*X)``, ``A\\`` to ``A\\X``; operators that stand side by side are
applied from the right.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, TypeAlias

from tcalc.calculus.accumulate import pulled, pushed
from tcalc.calculus.derivative import unit
from tcalc.calculus.products import project_direction
from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.primitive import Fact, LinearTerm, Operator
from tcalc.primitives.inverse import Inverse
from tcalc.primitives.operators import rotation
from tcalc.printing.operator import fenced

Text: TypeAlias = Callable[[Node], str]
"""Writes a scalar, a vector or a matrix, in the language."""


class Block(ABC):
    """A linear operator between tensors; see the module's docstring.

    `kind` names the class for people, as in a table of what a graph is made of.
    """

    kind: ClassVar[str]
    rows: Shape
    columns: Shape

    @abstractmethod
    def apply(self, x: Node) -> Node:
        """The operator on a tensor that begins with the axes `columns`; the others are kept."""

    @property
    @abstractmethod
    def adjoint(self) -> Block:
        """The operator with ``sum(y .* apply(x)) = sum(adjoint.apply(y) .* x)``."""

    @abstractmethod
    def notation(self, text: Text) -> str:
        """The operator as it is written; `text` writes the tensors in it."""

    def dense(self) -> Node:
        """The tensor with the axes of the rows, then those of the columns."""
        return self.apply(unit(self.columns))


@dataclass(frozen=True, slots=True, eq=False)
class Contraction(Block):
    """``y[out] = c Σ factors · x[into]``: any term, written in Einstein notation."""

    kind: ClassVar[str] = "contraction"
    term: LinearTerm
    rows: Shape
    columns: Shape

    def apply(self, x: Node) -> Node:
        return build.add(pushed((self.term,), build.zeros(self.rows), x))

    @property
    def adjoint(self) -> Block:
        from tcalc.backslash.recognition import recognised

        return recognised(turned(self.term), self.columns, self.rows)

    def dense(self) -> Node:
        term = self.term
        axes = (*term.out, *term.into)
        shape = dict(zip(axes, self.rows + self.columns, strict=True))
        product = build.einsum(term.factors, term.subscripts, axes, shape)
        return build.scale(term.coefficient, product)

    def notation(self, text: Text) -> str:
        term = self.term
        letter = _letters(term)
        parts = [
            f"{fenced(text(factor))}{_positions(row, letter)}"
            for factor, row in zip(term.factors, term.subscripts, strict=True)
        ]
        summed = {x for row in (*term.subscripts, term.into) for x in row} - set(term.out)
        sign = "Σ " if summed else ""
        product = "*".join([*parts, f"·{_positions(term.into, letter)}"])
        return f"({_positions(term.out, letter)} <- {number(term.coefficient)}{sign}{product})"


@dataclass(frozen=True, slots=True, eq=False)
class Identity(Contraction):
    """``x -> x``."""

    kind: ClassVar[str] = "identity"

    def notation(self, text: Text) -> str:
        return "I"


@dataclass(frozen=True, slots=True, eq=False)
class Permutation(Contraction):
    """The axes in another order: the transposition ``T`` of a matrix, or their new order."""

    kind: ClassVar[str] = "transposition"

    def notation(self, text: Text) -> str:
        if len(self.rows) == 2:
            return "T"
        order = (self.term.into.index(x) + 1 for x in self.term.out)
        return f"perm({','.join(map(str, order))})"


@dataclass(frozen=True, slots=True, eq=False)
class Scalar(Contraction):
    """``x -> c*x``: a number, or a scalar tensor, between scalars too."""

    kind: ClassVar[str] = "scalar"

    def notation(self, text: Text) -> str:
        factors = [fenced(text(factor)) for factor in self.term.factors]
        c = self.term.coefficient
        if not factors:
            return number(c) + "I" if self.rows and abs(c) == 1 else str(c)
        return number(c) + "*".join(factors)

    def over(self, shape: Shape) -> Scalar:
        """The same number as an operator on tensors of another shape."""
        axes = tuple(range(len(shape)))
        shift = len(axes) - len(self.rows)
        first = len(self.rows)
        rows = tuple(
            tuple(x + shift if x >= first else x for x in row) for row in self.term.subscripts
        )
        term = LinearTerm(self.term.coefficient, self.term.factors, rows, axes, axes)
        return Scalar(term, shape, shape)


@dataclass(frozen=True, slots=True, eq=False)
class Hadamard(Contraction):
    """``x -> H.*x``, written ``diag(H)``: the diagonal matrix over all elements."""

    kind: ClassVar[str] = "Hadamard product"

    def notation(self, text: Text) -> str:
        return f"diag({text(self.tensor)})"

    @property
    def tensor(self) -> Node:
        """The tensor H."""
        return _product(self.term, self.term.out, self.rows)


@dataclass(frozen=True, slots=True, eq=False)
class InnerProduct(Contraction):
    """``x -> sum(G.*x)``, written ``⟨G, ·⟩``; ``sum`` and ``tr`` where G is that simple."""

    kind: ClassVar[str] = "inner product"

    def notation(self, text: Text) -> str:
        G = _product(self.term, self.term.into, self.columns)
        match G:
            case Const():
                return "sum"
            case Delta():
                return "tr"
        return f"⟨{text(G)}, ·⟩"


@dataclass(frozen=True, slots=True, eq=False)
class Times(Contraction):
    """``s -> s*G``: from a scalar to a tensor; the adjoint of an inner product."""

    kind: ClassVar[str] = "multiple of a tensor"

    def notation(self, text: Text) -> str:
        return fenced(text(_product(self.term, self.term.out, self.rows)))


@dataclass(frozen=True, slots=True, eq=False)
class Diagonal(Contraction):
    """``x -> diag(x)`` for a vector, and its adjoint, the diagonal of a matrix."""

    kind: ClassVar[str] = "diagonal"

    def notation(self, text: Text) -> str:
        return "Diag" if len(self.rows) == 2 else "Diag'"


@dataclass(frozen=True, slots=True, eq=False)
class Slice(Contraction):
    """What stands at one place of an axis, ``[1,:,:]``; the adjoint puts it there among zeros."""

    kind: ClassVar[str] = "slice"
    axis: int
    index: str

    def notation(self, text: Text) -> str:
        taken = len(self.rows) < len(self.columns)
        positions = [":"] * max(len(self.rows), len(self.columns))
        positions[self.axis] = self.index
        return f"[{','.join(positions)}]" + ("" if taken else "'")


@dataclass(frozen=True, slots=True, eq=False)
class Kronecker(Contraction):
    """``A ⊗ B``, which maps X to ``B*X*A'``, or ``(A ⊗ B) T``, which maps it to ``B*X'*A'``.

    ``I ⊗ B`` is the product from the left, ``A' ⊗ I`` that from the right, and a vector is a
    matrix of one column; between vectors B stands alone.  ``B\\`` and ``/A`` are solves.
    """

    kind: ClassVar[str] = "Kronecker product"
    left: Node | None  # B, from the rows to the columns of X; None for the unit matrix
    right: Node | None  # A
    transposed: bool

    def notation(self, text: Text) -> str:
        left = "I" if self.left is None else _matrix(self.left, text, "\\")
        if len(self.rows) == len(self.columns) == 1:
            return left
        right = "I" if self.right is None else _matrix(self.right, text, "/")
        if self.right is not None and self.right.order == len(self.rows) == 1:
            right += "'"
        return f"({right} ⊗ {left})" + (" T" if self.transposed else "")


@dataclass(frozen=True, slots=True, eq=False)
class Applied(Block):
    """A local Jacobian that is applied and never formed: ``∂k f(A, B)``, by the k-th argument."""

    kind: ClassVar[str] = "operator of a function"
    operator: Operator
    node: Apply
    position: int
    rows: Shape
    columns: Shape
    reversed: bool = False

    def apply(self, x: Node) -> Node:
        if not self.reversed:
            return build.add(pushed(self.operator, build.zeros(self.rows), x))
        # A cotangent has its own axes last; here they come first.
        ahead = build.transpose(x, rotation(x.order, len(self.columns)))
        found = build.add(pulled(self.operator, build.zeros(self.rows), ahead))
        return build.transpose(found, rotation(found.order, x.order - len(self.columns)))

    @property
    def adjoint(self) -> Block:
        return Applied(
            self.operator, self.node, self.position, self.columns, self.rows, not self.reversed
        )

    def notation(self, text: Text) -> str:
        arguments = ", ".join(map(text, self.node.args))
        primitive = self.node.primitive
        name = primitive.name + (f".{self.node.output + 1}" if primitive.outputs > 1 else "")
        plain = f"∂{self.position + 1} {name}({arguments})"
        return f"({plain})'" if self.reversed else plain


@dataclass(frozen=True, slots=True, eq=False)
class Projection(Block):
    """What a declared structure leaves of a direction: ``sym``, ``diag``, ``tril`` or ``triu``.

    It is its own adjoint: derivatives by a symmetric variable are symmetrised by it.
    """

    kind: ClassVar[str] = "projection"
    variable: Var
    rows: Shape
    columns: Shape

    def apply(self, x: Node) -> Node:
        return project_direction(x, self.variable)

    @property
    def adjoint(self) -> Block:
        return self

    def notation(self, text: Text) -> str:
        names = ((Fact.DIAGONAL, "diag"), (Fact.SYMMETRIC, "sym"), (Fact.LOWER, "tril"))
        return next((name for fact, name in names if holds(self.variable, fact)), "triu")


def turned(term: LinearTerm) -> LinearTerm:
    """The adjoint of a term."""
    return LinearTerm(term.coefficient, term.factors, term.subscripts, term.into, term.out)


def number(coefficient: Fraction) -> str:
    """A coefficient in front of something: nothing for 1, ``-`` for -1, else with a blank."""
    if abs(coefficient) == 1:
        return "" if coefficient > 0 else "-"
    return f"{coefficient} "


def _matrix(matrix: Node, text: Text, side: str) -> str:
    """A matrix of a product, from the left or from the right of a tensor.

    One that is an inverse is a solve, ``A\\`` from the left, ``/A`` from the right, where the
    matrix of the product is the transpose of what is written.
    """
    flipped = build.transpose(matrix) if side == "/" else matrix
    match flipped:
        case Apply(primitive=Inverse(), args=(argument,)) if argument.order == 2:
            written = fenced(text(argument))
        case Einsum(factors=(Apply(primitive=Inverse(), args=(argument,)),)) if (
            flipped.is_view and flipped.order == argument.order == 2
        ):
            written = fenced(text(argument)) + "'"
        case _:
            return fenced(text(matrix))
    return "/" + written if side == "/" else written + "\\"


def _product(term: LinearTerm, axes: Sequence[int], shape: Shape) -> Node:
    dims: dict[Hashable, Dim] = dict(zip(axes, shape, strict=True))
    return build.einsum(term.factors, term.subscripts, axes, dims)


def _letters(term: LinearTerm) -> dict[int, str]:
    labels = dict.fromkeys(x for row in (term.out, *term.subscripts, term.into) for x in row)
    plain = "ijklmnopqrstuvwxyzabcdefgh"
    names = [plain[k % 26] + str(k // 26 or "") for k in range(len(labels))]
    return dict(zip(labels, names, strict=True))


def _positions(row: Sequence[int], letter: dict[int, str]) -> str:
    return f"[{','.join(letter[x] for x in row)}]" if row else ""
