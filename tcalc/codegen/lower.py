"""From the graph to the straight line: what each node is computed by, for given sizes.

Nodes are visited once, operands first; nothing recurses, and work shared by several results is
done once.  Products are contracted in the order that planning finds for the sizes.  An inverse is
applied, by a factorisation that all its solves share, as long as it meets few columns in all;
beyond, and where its elements are needed, it is formed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import assert_never
from weakref import proxy

from tcalc.codegen.bracketing import with_brackets
from tcalc.codegen.companions import with_companions
from tcalc.codegen.diagonals import with_shared_diagonals
from tcalc.codegen.distances import with_distances
from tcalc.codegen.distribute import Distribution, core_of
from tcalc.codegen.exchanges import with_ordered_indices
from tcalc.codegen.gathered_products import with_gathered_products
from tcalc.codegen.gathered_scalars import with_gathered_scalars
from tcalc.codegen.kronecker import with_kronecker_apart
from tcalc.codegen.lowrank import low_rank_solves
from tcalc.codegen.memory import shared
from tcalc.codegen.opening import Opened
from tcalc.codegen.options import DEFAULTS, Options
from tcalc.codegen.products import Products
from tcalc.codegen.program import (
    Argument,
    Call,
    Diagonal,
    Fold,
    Memory,
    Output,
    Program,
    Value,
    View,
    without_unused,
)
from tcalc.codegen.reflections import with_reflections
from tcalc.codegen.reopening import reopened
from tcalc.codegen.selection import diagonal
from tcalc.codegen.stacks import unstacked
from tcalc.codegen.tensor import ONE, Builder, Tensor, arranged, running
from tcalc.codegen.traces import with_shared_traces
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.traverse import postorder
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.inverse import Inverse
from tcalc.primitives.kron import Merge, Split
from tcalc.primitives.onehot import OneHot
from tcalc.primitives.power import Power
from tcalc.primitives.routines import Embedded, routine_of
from tcalc.simplify.expand import expand


def lower(
    roots: Sequence[Node],
    sizes: Mapping[str, int],
    options: Options = DEFAULTS,
    *,
    hints: Mapping[Node, str] | None = None,
    given: Collection[str] = (),
    sparse: Collection[str] = (),
) -> Program:
    """The program that computes the roots, planned for the given sizes of all dimension names.

    `hints` are names for nodes.  What depends on the `given` inputs alone is taken to cost nothing,
    since it is computed once.  The inputs that come as `sparse` matrices are left as they are.
    """
    # Products gathered in sums spare passes over arrays; a device's kernels make one anyway.
    gather = options.backend == "numpy"
    roots, asked = low_rank_solves(roots, sizes) if options.reorder else (roots, False)
    if options.reorder and options.backend != "cupy":  # which has no routine that applies them
        roots, thin = with_reflections(roots, sizes, given)
        asked |= thin
    lowering = Lowering(roots, sizes, options, given)
    lowering.builder.tuned |= asked
    program = lowering.run(hints or {})
    if not gather:
        return program
    if sparse:
        program = replace(program, sparse=_arguments(program, sparse))
    program = with_brackets(program, sizes, given)
    program = with_gathered_products(program, sizes, given)
    return with_gathered_scalars(program, sizes, given)


def _arguments(program: Program, names: Collection[str]) -> frozenset[Value]:
    """The values of inputs of some names."""
    return frozenset(
        x.results[0]
        for x in program.statements
        if isinstance(x.operation, Argument) and x.operation.name in names
    )


def _fixed(order: Sequence[Node], given: Collection[str]) -> set[Node]:
    """The nodes that depend on given inputs alone."""
    found: set[Node] = set()
    for node in order if given else ():
        ready = node.name in given if isinstance(node, Var) else found.issuperset(node.operands)
        if ready:
            found.add(node)
    return found


class _Tensors(dict[Node, Tensor]):
    """The tensors of all nodes seen so far; those left for later are made when asked for."""

    def __init__(self, lowering: Lowering) -> None:
        super().__init__()
        self.lowering = lowering

    def __missing__(self, node: Node) -> Tensor:
        tensor = self.lowering.tensor(node)
        whole = 1 < node.order == len(tensor.value.dims) and tensor.plain
        if whole and symmetric_axes(node):
            if tensor.in_order:
                tensor = _exchanged(tensor, node, tuple(range(node.order)))
            places = tensor.places
            axes = places.index(node.order - 2), places.index(node.order - 1)
            self.lowering.products.pairs.symmetric[tensor.value] = axes
        self[node] = tensor
        return tensor


class Lowering:
    """A graph on its way: the tensors and arrays of its nodes so far."""

    def __init__(
        self,
        roots: Sequence[Node],
        sizes: Mapping[str, int],
        options: Options,
        given: Collection[str],
    ) -> None:
        self.roots = with_ordered_indices(with_companions(with_distances(expand(roots))))
        if options.reorder:
            self.roots = with_shared_traces(with_kronecker_apart(self.roots))
        distribution = Distribution(sizes, _fixed(postorder(self.roots), given))
        if options.reorder:
            self.roots = reopened(
                self.roots, sizes, distribution.run, lambda order: _fixed(order, given)
            )
        asked = False
        if options.reorder and not given:
            self.roots, asked = unstacked(self.roots, sizes)
        self.sizes = sizes
        self.contiguous = options.contiguous
        self.builder = Builder()
        self.builder.tuned = distribution.sized or asked
        # Without a cycle all is let go at once, and the collector need not look at it.
        myself = proxy(self)
        self.tensors = _Tensors(myself)
        self.views: dict[Node, View] = {}
        self.order = postorder(self.roots)
        fixed = _fixed(self.order, given)
        self.opened = Opened(self.order, self.roots, options.reorder, fixed)
        self.products = Products(myself, self.opened, sizes)

    def run(self, hints: Mapping[Node, str]) -> Program:
        self.products.prepare(self.order)
        for node in self.opened.structure.walk(self.roots):
            if node not in self.opened.inner and not self._deferred(node):
                _ = self.tensors[node]
        outputs = tuple(self._output(root) for root in self.roots)
        named = {
            self.tensors[node].value: hint
            for node, hint in hints.items()
            if node in self.tensors and not self.tensors[node].value.weak
        }
        program = replace(self.builder.finish(), outputs=outputs, hints=named)
        return without_unused(with_shared_diagonals(program, self.sizes))

    def _deferred(self, node: Node) -> bool:
        """Whether a node is only made when somebody needs it as an array."""
        if node in self.opened.optional:
            return True
        match node:
            case Apply(primitive=Inverse() | OneHot()):
                return True
            case Apply(primitive=Power(exponent=exponent)):
                return exponent == -1
            case Apply():
                return not node.args
            case Const() | Delta():
                return True
            case _:
                return False

    def tensor(self, node: Node) -> Tensor:
        """A node's tensor, its operands being done."""
        match node:
            case Var(name=name):
                return Tensor.of(self.builder.make(Argument(name), node.dims, Memory.INPUT))
            case Const(value=value):
                return Tensor(self.builder.number(value), (), running(node.order))
            case Delta():
                return Tensor.over(self.builder.number(ONE), (), (0, 0))
            case Einsum():
                return self._view(node) if node.is_view else self.products.lower(node)
            case Add():
                order = self.opened.structure.axes(node)
                terms = [self._term(c, term, order) for c, term in self.opened.sums[node]]
                return self.builder.add(terms, node.dims, order)
            case Apply():
                if isinstance(node.primitive, Elementwise):
                    return self._elementwise(node)
                return self._apply(node)
            case _:
                assert_never(node)

    def _term(
        self, coefficient: Fraction, term: Node, order: tuple[int, ...]
    ) -> tuple[Fraction, Tensor]:
        """A term of a sum, with the coefficient that is left.

        A product used here alone is multiplied by its coefficient as it is formed, where one of its
        factors has fewer axes.  One that is symmetric is taken to lie in the `order` of the sum.
        """
        tensor = self.tensors[term]
        if tensor.value.dims and tensor.in_order and tensor.labels != order:
            tensor = _exchanged(tensor, term, order)
        if abs(coefficient.numerator) != coefficient.denominator and tensor.value.dims:
            alone = self.opened.uses[term] == self.opened.uses[core_of(term)] == 1
            scaled = self.builder.scaled_product(coefficient, tensor.value) if alone else None
            if scaled is not None:
                return ONE, replace(tensor, value=scaled)
        return coefficient, tensor

    def _output(self, root: Node) -> Output:
        view = self.dense(root)
        if view.value.weak:
            view = View(self.builder.typed(view.value), view.axes)
        borrowed = view.value.memory is not Memory.FRESH or self._read_only(view.value)
        return Output(view, borrowed, self.contiguous and root.order > 1)

    def _read_only(self, value: Value) -> bool:
        """Whether a value is a view of a diagonal, to which nobody may write."""
        source: Value | None = value
        while source is not None and source in self.builder.sources:
            operation = self.builder.sources[source]
            if isinstance(operation, Diagonal):
                return True
            source = shared(operation)
        return False

    def dense(self, node: Node) -> View:
        """A node as an array of its full shape, axes in order."""
        if node not in self.views:
            self.views[node] = self.builder.dense(self.tensors[node], node.dims)
        return self.views[node]

    def _view(self, node: Einsum) -> Tensor:
        """A permutation, a broadcast, a diagonal taken out or put in: nothing is computed."""
        linked: dict[int, int] = {}
        core: Node | None = None
        row: tuple[int, ...] = ()
        for factor, labels in zip(node.factors, node.subscripts, strict=True):
            if isinstance(factor, Delta):
                linked[labels[1]] = labels[0]
            else:
                core, row = factor, labels
        output = tuple(linked.get(label, label) for label in node.output) if linked else node.output
        if core is None:
            return Tensor.over(self.builder.number(ONE), (), output)
        inner = self.tensors[core]
        axes = dict(zip(row, inner.axes, strict=True))
        plain = inner.plain
        permuted = len(output) == len(row) and set(output) == set(axes) == set(row)
        if not plain and permuted and len(axes) == len(row):
            return Tensor(inner.value, inner.labels, tuple(axes[x] for x in output))
        if plain:
            value, labels = inner.value, tuple(row[place] for place in inner.places)
        else:
            view = self.dense(core)
            value, labels = view.value, tuple(row[axis] for axis in view.axes if axis is not None)
        taken = diagonal(self.builder, value, labels)
        return Tensor.over(taken.value, taken.labels, output)

    # Element-wise functions run on values as they lie: f of a transpose is the transpose of f.

    def _elementwise(self, node: Apply) -> Tensor:
        if isinstance(node.primitive, Power) and node.primitive.exponent < 0:
            # 1/√x beside √x is its reciprocal.
            exponent = -node.primitive.exponent
            positive = Apply(Power(exponent), node.args, 0)
            if positive in self.tensors and exponent != 1:
                node = Apply(Power(-1), (positive,), 0)
        parts: list[tuple[Value, tuple[int, ...]]] = []
        for argument in node.args:
            tensor = self.tensors[argument]
            if tensor.plain:
                parts.append((tensor.value, tensor.places))
            else:
                view = self.dense(argument)
                parts.append((view.value, tuple(axis for axis in view.axes if axis is not None)))
        covered = sorted({place for _, places in parts for place in places})
        full = [places for _, places in parts if len(places) == len(covered)]
        order = full[0] if full else tuple(covered)
        routine = routine_of(node)
        if isinstance(routine, Embedded):
            # Unlike NumPy's functions, others take a plain number for one of double precision.
            parts = [(self.builder.typed(value), places) for value, places in parts]
        elif all(value.weak for value, _ in parts):
            parts[0] = (self.builder.typed(parts[0][0]), parts[0][1])
        views = tuple(arranged(value, places, order) for value, places in parts)
        dims = tuple(node.dims[place] for place in order)
        value = self.builder.make(Call(routine, views), dims)
        return Tensor(value, order, running(node.order))

    def _apply(self, node: Apply) -> Tensor:
        shared = self.products.factors.derived(node)
        if shared is not None:
            return Tensor.of(shared)
        primitive, args = node.primitive, node.args
        if isinstance(primitive, Merge | Split):
            # What axes are split into is known by sizes, without the tensor of ones that has them.
            whole = self.dense(args[0])
            source = View(self.builder.typed(whole.value), whole.axes)
            fold = Fold(source, node.dims)
            return Tensor.of(self.builder.make(fold, node.dims, source.value.memory))
        views = tuple(
            View(self.builder.typed(view.value), view.axes) for view in map(self.dense, args)
        )
        shapes = primitive.shapes(*(argument.dims for argument in args))
        routine = routine_of(node)
        named = isinstance(routine, Embedded) and routine.named
        where = self.products.factors.describe(node) if named else ""
        call = Call(routine, views, where)
        if not args and not node.order:
            return Tensor.of(self.builder.typed(self.builder.make(call, (), Memory.NONE)))
        return Tensor.of(self.builder.make_all(call, shapes)[node.output])


def _exchanged(tensor: Tensor, node: Node, order: Sequence[int]) -> Tensor:
    """A tensor with two axes exchanged that may be, where its value then lies more in an order."""
    if not symmetric_axes(node) or len(tensor.labels) < len(order):
        return tensor
    i, j = node.order - 2, node.order - 1
    first = tensor.labels.index(i) < tensor.labels.index(j)
    if first == (order.index(i) < order.index(j)):
        return tensor
    swapped = {i: j, j: i}
    return replace(tensor, labels=tuple(swapped.get(x, x) for x in tensor.labels))
