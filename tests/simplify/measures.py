"""Measures of formulas, written out: what rules lower that do not make a formula shorter."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import ceil

from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node
from tcalc.expr.traverse import postorder
from tcalc.primitives.cholesky import Cholesky
from tcalc.primitives.determinant import Cofactors
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.expm import Expm
from tcalc.primitives.exponential import exp, log, sigmoid
from tcalc.primitives.hyperbolic import sinh
from tcalc.primitives.inverse import Inverse
from tcalc.primitives.kron import Kron, Split
from tcalc.primitives.logdet import LogDet
from tcalc.primitives.piecewise import abs_, relu, sign, step
from tcalc.primitives.power import Power, reciprocal0
from tcalc.primitives.reductions import ProdOthers
from tcalc.primitives.selection import LowerMask, UnitVector
from tcalc.primitives.skew import Skew
from tcalc.primitives.softmax import Softmax
from tcalc.primitives.spectral import Spectral
from tcalc.primitives.sylvester import Sylvester
from tcalc.simplify.coefficients import content
from tcalc.simplify.parts import parts_of, pieces
from tcalc.simplify.products import is_outer_product

Measure = Callable[[Node], int]


def _written(weight: Measure) -> Measure:
    """The sum of a weight over all nodes of a formula, a shared one as often as it is written."""

    def measure(root: Node) -> int:
        totals: dict[Node, int] = {}
        for node in postorder([root]):
            totals[node] = weight(node) + sum(totals[operand] for operand in node.operands)
        return totals[root]

    return measure


def nodes(root: Node) -> int:
    """How many different tensors a formula has as parts."""
    return len(postorder([root]))


def _function(node: Node, *kinds: type) -> bool:
    return isinstance(node, Apply) and isinstance(node.primitive, kinds)


def _is_view(node: Node) -> bool:
    return isinstance(node, Einsum) and node.is_view


def _is_product(node: Node) -> bool:
    return isinstance(node, Einsum) and not node.is_view


def _has_number(node: Node) -> bool:
    return isinstance(node, Add) and content(node) != 1


def _repeats(node: Node) -> bool:
    return _is_view(node) and 0 < max((x.order for x in node.operands), default=0) < node.order


def _is_shift(node: Node) -> bool:
    return isinstance(node, Const) or (_is_view(node) and node.subscripts[0] == ())


def _is_mask(node: Node) -> bool:
    bare = node.operands[0] if _is_view(node) else node
    return isinstance(bare, Delta) or _function(bare, LowerMask)


def _inside(outer: Callable[[Node], bool], inner: Callable[[Node], bool]) -> Measure:
    """How many nodes of one kind stand right inside one of another."""
    return _written(lambda node: sum(map(inner, node.operands)) if outer(node) else 0)


def _count(kind: Callable[[Node], bool]) -> Measure:
    return _written(lambda node: int(kind(node)))


def _is_sum(node: Node) -> bool:
    return isinstance(node, Add)


def _is_power(node: Node) -> bool:
    return _function(node, Power)


def _is_inverse(node: Node) -> bool:
    return _function(node, Inverse)


def _pieces(node: Node) -> list[tuple[int, ...]]:
    parts = parts_of(node)
    return pieces(parts, set(parts.output))


def _beside_units(node: Node) -> int:
    if not isinstance(node, Einsum):
        return 0
    ends = [
        row[0]
        for factor, row in zip(node.factors, node.subscripts, strict=True)
        if _function(factor, UnitVector) and row[0] in node.output
    ]
    return sum(end in row for end in ends for row in node.subscripts)


def _is_apart(node: Node, places: tuple[int, ...]) -> bool:
    parts = parts_of(node)
    return set(parts.output).isdisjoint(parts.rows[places[0]])


negative_coefficients = _written(
    lambda node: sum(c < 0 for c, _ in node.terms) if isinstance(node, Add) else 0
)
negative_arguments = _inside(
    lambda node: isinstance(node, Apply) and isinstance(node.primitive, Elementwise),
    lambda x: isinstance(x, Add) and content(x) < 0,
)
factors = _count(lambda node: not (node.operands or isinstance(node, Delta | Const)))
masks = _count(lambda node: _function(node, LowerMask))
strict_masks = _count(
    lambda node: (
        isinstance(node, Apply)
        and isinstance(node.primitive, LowerMask)
        and node.primitive.offset.value == -1
    )
)
sums_of_masks = _inside(_is_product, lambda x: _is_sum(x) and all(map(_is_mask, x.operands)))
shifts_in_products = _inside(_is_product, lambda x: _is_sum(x) and any(map(_is_shift, x.operands)))
outer_products_in_sums = _inside(
    lambda node: _is_sum(node) and node.order == 2,
    lambda x: is_outer_product(x),
)
views_of_sums = _inside(_is_view, _is_sum)
numbers_in_views = _inside(_is_view, _has_number)
numbers_in_products = _inside(_is_product, _has_number)
numbers_in_powers = _inside(_is_power, _has_number)
numbers_in_inverses = _inside(_is_inverse, _has_number)
permutation_symbols = _written(
    lambda node: int(_function(node, Skew) and isinstance(node.operands[0], Delta))
)
numbers_in_skew = _inside(lambda node: _function(node, Skew), _has_number)
scalars_in_inverses = _inside(
    _is_inverse, lambda x: _is_product(x) and any(_is_apart(x, places) for places in _pieces(x))
)
scalars_in_directions = _inside(
    lambda node: _function(node, Expm) or _function(node, Spectral),
    lambda x: _is_product(x) and any(_is_apart(x, places) for places in _pieces(x)),
)
directions = _count(
    lambda node: (
        isinstance(node, Apply)
        and isinstance(node.primitive, Expm | Spectral)
        and node.primitive.k > 0
    )
)
pieces_in_powers = _written(
    lambda node: (
        sum(len(_pieces(x)) - 1 for x in node.operands if _is_product(x)) if _is_power(node) else 0
    )
)
factors_beside_units = _written(_beside_units)
numbers_in_logarithms = _inside(
    lambda node: isinstance(node, Apply) and node.primitive == log, _has_number
)
numbers_in_kinks = _inside(
    lambda node: isinstance(node, Apply) and node.primitive in (sign, step, abs_, relu),
    _has_number,
)
unit_vectors = _count(lambda node: _function(node, UnitVector))
terms = _written(lambda node: len(node.terms) if isinstance(node, Add) else 0)
numbers_in_splits = _inside(lambda node: _function(node, Split), _has_number)
inverses_of_kronecker_products = _inside(_is_inverse, lambda x: _function(x, Kron))
determinants_of_kronecker_products = _inside(
    lambda node: _function(node, Cofactors, LogDet), lambda x: _function(x, Kron)
)
inverses_of_views = _inside(_is_inverse, _is_view)
factorisations = _count(lambda node: _function(node, Cholesky))
functions_of_eigenvalues = _count(lambda node: _function(node, Spectral))
functions_of_matrices = _count(
    lambda node: _function(node, Inverse, Expm, Cholesky, Spectral, Cofactors, LogDet, Sylvester)
)
repeated_vectors = _inside(_is_product, lambda x: _is_sum(x) and any(map(_repeats, x.operands)))
powers = _count(_is_power)
roots = _count(
    lambda node: (
        isinstance(node, Apply)
        and isinstance(node.primitive, Power)
        and node.primitive.exponent.denominator > 1
    )
)
exponents = _written(
    lambda node: (
        ceil(abs(node.primitive.exponent))
        if isinstance(node, Apply) and isinstance(node.primitive, Power)
        else 0
    )
)
powers_of_products = _inside(_is_power, _is_product)
exponentials = _count(lambda node: isinstance(node, Apply) and node.primitive == exp)
hyperbolic_sines = _count(lambda node: isinstance(node, Apply) and node.primitive == sinh)
sigmoids_of_negatives = _count(
    lambda node: (
        isinstance(node, Apply)
        and node.primitive == sigmoid
        and isinstance(node.args[0], Add)
        and 2 * sum(c < 0 for c, _ in node.args[0].terms) > len(node.args[0].terms)
    )
)
functions_of_inverses = _inside(lambda node: _function(node, Cofactors, LogDet), _is_inverse)
reciprocals_at_zero = _count(lambda node: isinstance(node, Apply) and node.primitive == reciprocal0)
unwritten = _count(
    lambda node: isinstance(node, Apply) and node.primitive.written(node) is not None
)
softmaxes = _count(lambda node: _function(node, Softmax))
products_of_others = _count(lambda node: _function(node, ProdOthers))
terms_below_masks = _written(
    lambda node: (
        sum(len(x.terms) for x in node.operands if isinstance(x, Add))
        if any(map(_is_mask, node.operands))
        else 0
    )
)
turned_factors = _written(
    lambda node: (
        sum(
            len(row) == 2 and row[1] in node.output and row[0] not in node.output
            for row in node.subscripts
        )
        if isinstance(node, Einsum)
        else 0
    )
)
turned_axes = _written(
    lambda node: (
        sum(
            j in node.output and i not in node.output
            for row in node.subscripts
            for i, j in combinations(row, 2)
        )
        if isinstance(node, Einsum)
        else 0
    )
)
units = _count(lambda node: isinstance(node, Delta))
transposes = _count(lambda node: _is_view(node) and node.operands[0].order == node.order == 2)
products_in_views = _inside(_is_view, _is_product)
sums_in_sums = _inside(_is_sum, _is_sum)
products_in_products = _inside(_is_product, _is_product)
different_factors = _written(lambda node: len(set(node.operands)) if _is_product(node) else 0)
