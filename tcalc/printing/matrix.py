"""Matrix notation for tensors of order at most two; vectors are columns.

Leaves and functions are written here; products, the label graphs, in `tcalc.printing.network`.
What matrix notation cannot say raises `NoMatrixFormError`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import assert_never

from tcalc.expr import build
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.primitives.determinant import Cofactors
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.inverse import Inverse
from tcalc.primitives.kron import Split
from tcalc.primitives.logdet import LogDet
from tcalc.primitives.onehot import OneHot
from tcalc.primitives.power import Power as PowerOf
from tcalc.primitives.reductions import Reduction
from tcalc.primitives.selection import LowerMask, Selection, UnitVector, Window
from tcalc.primitives.shifts import shifts_of
from tcalc.printing.formula import (
    Call,
    Formula,
    Indexed,
    Power,
    Symbol,
    Transpose,
    number,
    product,
)
from tcalc.printing.joins import with_join
from tcalc.printing.network import Network
from tcalc.printing.writer import (
    WHOLE,
    NeedsNameError,
    NoMatrixFormError,
    Writer,
    Writing,
    call,
    eye,
    is_pow,
    ones,
    position,
    raised,
    size_of,
    span,
    triangle,
)
from tcalc.simplify.softmaxes import with_logsoftmax


class MatrixNotation:
    """Writes scalars, column vectors and matrices."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    def whole(self, node: Node) -> Writing:
        """A whole tensor as an argument: in matrix notation, or by name."""
        name = self.writer.defined.get(node)
        if name is not None:
            return Symbol(name)
        match node:
            case Var(name=name):
                return Symbol(name)
            case Apply() if not isinstance(node.primitive, Elementwise):
                task = self._apply(node)
            case _ if node.order > 2:
                raise NeedsNameError(node)
            case _:
                task = self.form(node)
        try:
            return (yield task)
        except NoMatrixFormError:
            raise NeedsNameError(node) from None

    def form(self, node: Node) -> Writing:
        """A tensor of order at most two, or zeros."""
        name = self.writer.defined.get(node)
        if node.order > 2 and not (isinstance(node, Const) and node.value == 0):
            raise NoMatrixFormError(f"a tensor of order {node.order}")
        if name is not None:
            return Symbol(name)
        match node:
            case Var(name=name):
                return Symbol(name)
            case Const(value=value) if value == 0 and node.order:
                return Call("zeros", tuple(map(size_of, node.dims)))
            case Const(value=value):
                body = (ones(*node.dims),) if node.order else ()
                return product(value, (), body) if body else number(value)
            case Delta():
                return eye(node.dims[0])
            case Add():
                return (yield self._oriented(node))
            case Einsum():
                return (yield Network(self.writer, self.form, self.whole).write(node))
            case Apply():
                return (yield self._apply(node))
            case _:
                assert_never(node)

    def _oriented(self, node: Add) -> Writing:
        """A sum, ``A' - (B*K)'`` as ``(A - B*K)'``; each once on a page, in both directions."""
        known = self.writer.sums.get(node)
        if known is not None:
            return known
        written = yield self._sum(node)
        many = node.order == 2 and self.writer.transposes(written) > 1
        if many and not self.writer.primes_of_turned(node):
            turned = self.writer.turned_sum(node)
            if isinstance(turned, Add) and turned is not node:
                other = self.writer.sums.get(turned)
                if other is None:
                    other = yield self._sum(turned)
                if not self.writer.transposes(other):
                    written = Transpose(other)
        self.writer.sums[node] = written
        return written

    def _sum(self, node: Add) -> Writing:
        """The terms of a sum; ``x - logsumexp(x)`` is ``logsoftmax(x)``, what is joined is so."""
        written: list[tuple[Fraction, Formula]] = []
        terms, logarithms = with_logsoftmax(node)
        for coefficient, argument in logarithms:
            written.append((coefficient, Call("logsoftmax", ((yield self.whole(argument)),))))
        terms, join = with_join(terms)
        if join is not None:
            pieces: list[Formula] = []
            for piece in join.pieces:
                pieces += [(yield self.form(piece))]
            written.append((join.coefficient, Call(join.name, tuple(pieces), over=join.over)))
        # A scalar is added to every element, as long as another term has the full shape; but
        # eye(n) - 1/n would be read as a multiple of the unit matrix, as 1 - eye(n) is not.
        units = any(c > 0 and isinstance(term, Delta) for c, term in terms)
        spread = [None if units else _scalar_of(term) for _, term in terms]
        if None not in spread and not written:
            spread[0] = None
        for (coefficient, term), scalar in zip(terms, spread, strict=True):
            inner = yield self.form(term if scalar is None or not node.order else scalar)
            written.append((coefficient, inner))
        return self.writer.linear(written)

    def _apply(self, node: Apply) -> Writing:
        primitive = node.primitive
        if isinstance(primitive, Selection):
            return _selection(node, primitive)
        if isinstance(primitive, PowerOf):
            base = yield self.form(node.args[0])
            elementwise = node.order > 0
            if isinstance(base, Transpose) and primitive.exponent > 0:
                return Transpose(raised(base.base, primitive.exponent, elementwise=elementwise))
            size = raised(base, abs(primitive.exponent), elementwise=elementwise)
            if primitive.exponent > 0:
                return size
            if elementwise:
                return product(Fraction(1), elementwise=True, over=(size,))
            return product(Fraction(1), divisors=(size,))
        if is_pow(node):
            # One of the two may be a scalar, which is broadcast; the other tells the shape.
            below, above = node.args
            if (scalar := _scalar_of(above)) is not None:
                above = scalar
            else:
                below = _scalar_of(below) or below
            lower = yield self.form(below)
            return Power(lower, (yield self.form(above)), node.order > 0)
        if isinstance(primitive, Elementwise):
            return (yield self._elementwise(node))
        if isinstance(primitive, Reduction):
            return (yield self._reduction(node, primitive))
        return (yield self.factorisation(node))

    def factorisation(self, node: Apply) -> Writing:
        """A function of whole tensors."""
        primitive = node.primitive
        args: list[Formula] = []
        if isinstance(primitive, Split):
            x, like = node.args
            return Call("split", ((yield self.whole(x)), *map(size_of, like.dims)))
        if isinstance(primitive, OneHot):
            g, row = node.args
            if shifts_of(node) is not None:
                raise NoMatrixFormError("positions that are sums of indices")
            return Call("onehot", ((yield self.whole(g)), size_of(row.dims[-1])))
        for argument in node.args:
            args += [(yield self.whole(argument))]
        if isinstance(primitive, Cofactors) and primitive.k == 1 and node.order == 2:
            adjugate = Call("adj", tuple(args), r"\operatorname{adj}")
            return adjugate if symmetric_axes(node) else Transpose(adjugate)
        if args and isinstance(args[0], Transpose):
            if isinstance(primitive, Inverse):
                return Transpose(call(node, [args[0].base]))
            if isinstance(primitive, LogDet) or (
                isinstance(primitive, Cofactors) and not node.order
            ):
                return call(node, [args[0].base])
        return call(node, args)

    def _elementwise(self, node: Apply) -> Writing:
        """A function element by element, ``tanh((X*W)')`` as ``tanh(X*W)'``: primes then meet."""
        spread = [_scalar_of(argument) for argument in node.args]
        if None not in spread:
            spread[0] = None
        args: list[Formula] = []
        for argument, scalar in zip(node.args, spread, strict=True):
            args += [(yield self.form(argument if scalar is None else scalar))]
        whole = [arg for arg, scalar in zip(args, spread, strict=True) if scalar is None]
        if whole and all(isinstance(arg, Transpose) for arg in whole):
            turned = [arg.base if isinstance(arg, Transpose) else arg for arg in args]
            return Transpose(call(node, turned))
        return call(node, args)

    def _reduction(self, node: Apply, primitive: Reduction) -> Writing:
        (argument,) = node.args
        plain = 1 if primitive.along_last else argument.order
        if primitive.axes != plain:
            raise NoMatrixFormError(f"`{primitive.name}` over some of the axes")
        inner = yield self.whole(argument)
        return call(node, [inner])


def _scalar_of(node: Node) -> Node | None:
    """The scalar that a tensor has in all places, where its form shows that.

    Or those of its terms do, to no more depth: sums in sums are opened before.
    """
    if not (isinstance(node, Add) and node.order):
        return _repeated_scalar(node)
    scalars = [_repeated_scalar(term) for term in node.operands]
    found = [x for x in scalars if x is not None]
    if len(found) < len(scalars):
        return None
    return build.add((c, x) for (c, _), x in zip(node.terms, found, strict=True))


def _repeated_scalar(node: Node) -> Node | None:
    """The scalar that a tensor is, repeated."""
    match node:
        case Const(value=value):
            return build.const(value)
        case Einsum(factors=(core,), subscripts=((),)) if node.is_view:
            return core
    return None


def _selection(node: Apply, primitive: Selection) -> Formula:
    match primitive:
        case UnitVector():
            at = (WHOLE, position(primitive.index, primitive.dim))
            return Indexed(eye(primitive.dim), at)
        case Window():
            rows = span(primitive.start, primitive.stop, primitive.dim)
            return Indexed(eye(primitive.dim), (rows, WHOLE))
        case LowerMask(offset=offset) if offset.value is not None:
            return triangle(ones(*node.dims), offset.value)
    raise NoMatrixFormError("a triangle that ends at a diagonal of unknown place")
