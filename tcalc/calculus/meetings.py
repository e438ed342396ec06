"""Where factors or terms meet element by element, so that something may cancel.

    x .* x^-2           a product in which a tensor has two powers
    x^2 ./ u - 1 ./ u   a sum whose terms have different powers of something, or are alike

Each node is noted as a product of powers once; what it is otherwise does not matter here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tcalc.calculus.trial import is_function
from tcalc.expr.nodes import Add, Apply, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.primitives.exponential import exp
from tcalc.primitives.hyperbolic import cosh, sinh
from tcalc.primitives.power import Power

Base: TypeAlias = tuple[object, Labels]
"""A tensor, or a key for functions that combine, such as exponentials; and its axes in a node."""

Monomial: TypeAlias = dict[Base, float]
"""The powers that a node is a product of; exponents such as 1/3 are rounded."""

DEEP = 12
"""How far above a meeting nodes are still noted."""
FACTORS = 12
"""The most factors of a product that is looked at as one."""
MOST = 200
"""Where something meets in more nodes than this, they are the steps of an unrolled loop."""


def meetings(order: Sequence[Node]) -> dict[Node, int]:
    """The nodes in which something meets, or in what they are made from, and how far below.

    There are none in an unrolled loop, whose steps are to stay alike.
    """
    products: dict[Node, Monomial] = {}
    near: dict[Node, int] = {}
    count = 0
    for node in order:
        if not is_inner(node):
            continue
        if isinstance(node, Add):
            meets = len(node.terms) > 1 and _terms_meet(node, products)
            if len(node.terms) == 1:
                products[node] = _product(node.operands[0], products)
        elif isinstance(node, Apply):
            products[node], meets = _of_function(node, products)
        else:
            assert isinstance(node, Einsum)
            products[node], meets = _of_product(node, products)
        if meets:
            near[node] = 0
            count += 1
            if count > MOST:
                return {}
        elif near:
            distance = min([near[x] for x in node.operands if x in near], default=DEEP)
            if distance < DEEP:
                near[node] = distance + 1
    return near


def is_inner(node: Node) -> bool:
    """Whether a node is a sum, a product element by element, or a function that rules know."""
    if isinstance(node, Add):
        return True
    if isinstance(node, Einsum):
        return not node.is_view and all(map(set(node.output).issuperset, node.subscripts))
    return is_function(node)


def _product(node: Node, products: Mapping[Node, Monomial]) -> Monomial:
    found = products.get(node)
    return {(node, tuple(range(node.order))): 1.0} if found is None else found


def _of_function(node: Apply, products: Mapping[Node, Monomial]) -> tuple[Monomial, bool]:
    """What a function is a product of, and whether it is a power of a power."""
    (x,) = node.args
    match node.primitive:
        case Power(exponent=exponent):
            p = float(exponent)
            inside = x.primitive if isinstance(x, Apply) else None
            meets = isinstance(inside, Power) or inside == exp
            return {base: p * q for base, q in _product(x, products).items()}, meets
        case function if function == exp:
            return {(exp, tuple(range(node.order))): 1.0}, False
        case function if function in (sinh, cosh):
            return {((cosh, x), tuple(range(node.order))): 1.0}, False
    return {(node, tuple(range(node.order))): 1.0}, False


def _of_product(node: Einsum, products: Mapping[Node, Monomial]) -> tuple[Monomial, bool]:
    """What a product is one of, itself where that is long, and whether factors meet in it."""
    place = {label: axis for axis, label in enumerate(node.output)}
    found: Monomial = {}
    meets = False
    for factor, row in zip(node.factors, node.subscripts, strict=True):
        for (base, axes), p in _product(factor, products).items():
            key = base, tuple([place[row[axis]] for axis in axes])
            q = found.get(key)
            meets |= q is not None
            found[key] = p if q is None else p + q
    if len(found) > FACTORS:
        found = {(node, tuple(range(node.order))): 1.0}
    return found, meets


def _terms_meet(node: Add, products: Mapping[Node, Monomial]) -> bool:
    """Whether two terms have different powers of something, or are alike."""
    exponents: Monomial = {}
    seen: set[frozenset[tuple[Base, float]]] = set()
    for term in node.operands:
        found = products.get(term)
        if found is None:
            found = _product(term, products)
        else:
            whole = frozenset(found.items())
            if whole in seen:
                return True
            seen.add(whole)
        for base, p in found.items():
            if exponents.setdefault(base, p) != p:
                return True
    return False
