"""Products in products opened, and sums in sums: the first pass of printing and of lowering.

    Σ a[i,j] (Σ b[j,k] c[k]) -> Σ a[i,j] b[j,k] c[k]
    a + 2 (b + c)            -> a + 2 b + 2 c

With ``inline="single"`` only what is used once is opened, so that no work is done twice: this is
for generated code.  With ``inline="all"`` shared products are opened too, so that like terms meet:
this is for reading.  A budget bounds every product and every shared sum; nothing can explode, and
both passes are linear in the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import Literal, TypeAlias, TypeGuard

from tcalc.expr import build
from tcalc.expr.nodes import Add, Einsum, Node
from tcalc.expr.traverse import postorder, use_counts, with_operands
from tcalc.simplify.coefficients import ONE, common_number, multiple, product_of

Inline: TypeAlias = Literal["single", "all"]

FACTORS = 24
"""The most factors of a product that arises by opening others."""

TERMS = 48
"""The most terms of a sum that arises by opening shared sums."""


def flatten(
    roots: Sequence[Node],
    *,
    inline: Inline,
    factors: int = FACTORS,
    terms: int = TERMS,
    numbers: bool = False,
    leaves: Mapping[Node, Node] | None = None,
    meeting: Sequence[Callable[[Node], Node | None]] = (),
) -> list[Node]:
    """The roots with nested products and sums opened; values and shapes stay.

    With `numbers`, what the coefficients of a factor share comes to the front of its product:
    ``x (2 y - 4 z) -> 2 x (y - 2 z)``, as the rule `number_out_of_factor` has it; and where sharing
    is kept, ``y - x`` is minus ``x - y`` where that has been met.  `leaves` are
    nodes without operands to be replaced on the way, `meeting` rules for products and sums in
    which factors or terms meet that did not before.

    >>> from tcalc.expr import shape
    >>> A, x = build.var("A", shape("n", "n")), build.var("x", shape("n"))
    >>> y = build.einsum([A, x], "ij,j->i")
    >>> (z,) = flatten([build.einsum([A, y], "ij,j->i")], inline="single")
    >>> len(z.operands)
    3
    """
    opening = Opening(roots, inline=inline, factors=factors, terms=terms, numbers=numbers)
    done: dict[Node, Node] = {}
    for node in opening.order:
        if opening.is_left(node) and isinstance(node, Add):
            continue
        if leaves and node in leaves:
            done[node] = leaves[node]
            continue
        new = opening.made(node, [done[operand] for operand in opening.operands(node)])
        if new is not node and meeting and (is_contraction(node) or isinstance(node, Add)):
            new = _met(new, meeting)
        done[node] = new
    return [done[root] for root in roots]


class Opening:
    """How the products and sums nested in some tensors are opened, node by node.

    A node is `made` from its `operands` once these are final, so that whoever changes them on the
    way has each node made once.
    """

    def __init__(
        self,
        roots: Sequence[Node],
        *,
        inline: Inline,
        factors: int = FACTORS,
        terms: int = TERMS,
        numbers: bool = False,
    ) -> None:
        self.order = postorder(roots)
        self._uses = use_counts(self.order, roots)
        self._user = _only_user(self.order, roots)
        self._inline = inline
        self._factors = factors
        self._terms = terms if inline == "all" else 0
        self._primitive: dict[Node, tuple[Fraction, Node]] | None = {} if numbers else None
        self._sums: dict[tuple[tuple[Node, int, int], ...], Node] = {}

    def is_left(self, node: Node) -> bool:
        """Whether a sum or product is left to its only user, which takes its terms or factors."""
        match node:
            case Add():
                return isinstance(self._user.get(node), Add)
            case Einsum() if not node.is_view:
                user = self._user.get(node)
                return user is not None and is_contraction(user)
        return False

    def operands(self, node: Node) -> Sequence[Node]:
        """What a node is made of: of a sum the terms of the sums that are left to it too."""
        if isinstance(node, Add) and node in self._uses:
            return [term for _, term in self._terms_below(node)]
        return node.operands

    def made(self, node: Node, operands: Sequence[Node]) -> Node:
        """The node from operands in which everything is opened."""
        match node:
            case Add() if node in self._uses:
                terms = self._terms_below(node)
                new: Node = node
                if terms is not node.terms or any(map(_is_new_sum, operands, node.operands)):
                    coefficients = [c for c, _ in terms]
                    new = _open_sum(list(zip(coefficients, operands, strict=True)), self._terms)
                negatives = self._primitive is not None and self._inline == "single"
                return _as_negative(new, self._sums) if negatives else new
            case Einsum() if not node.is_view and node in self._uses:
                shared = self._inline == "all"
                opened = [shared or self._uses[factor] == 1 for factor in node.factors]
                return _open_product(node, operands, opened, self._factors, self._primitive)
        return with_operands(node, operands)

    def _terms_below(self, node: Add) -> Sequence[tuple[Fraction, Node]]:
        """The terms of a sum, through the sums that are left to it."""
        if not any(isinstance(x, Add) and self._user.get(x) is node for _, x in node.terms):
            return node.terms
        found: list[tuple[Fraction, Node]] = []
        stack = [(ONE, iter(node.terms))]
        while stack:
            outer, pending = stack[-1]
            for coefficient, term in pending:
                if isinstance(term, Add) and self.is_left(term):
                    stack.append((outer * coefficient, iter(term.terms)))
                    break
                found.append((outer * coefficient, term))
            else:
                stack.pop()
        return found


def _as_negative(node: Node, known: dict[tuple[tuple[Node, int, int], ...], Node]) -> Node:
    """A sum as minus its negative, where that is known."""
    if not isinstance(node, Add) or len(node.terms) < 2:
        return node
    ratios = [(x, *c.as_integer_ratio()) for c, x in node.terms]
    first = known.get(tuple((x, -above, below) for x, above, below in ratios))
    known[tuple(ratios)] = node
    return node if first is None else build.scale(-1, first)


def _met(node: Node, rules: Sequence[Callable[[Node], Node | None]]) -> Node:
    """The product, perhaps with a coefficient, with the rules applied while one does."""
    coefficient, product = product_of(node)
    changed = False
    while True:
        new = next((new for rule in rules if (new := rule(product)) is not None), product)
        if new is product:
            return build.scale(coefficient, product) if changed else node
        changed = True
        number, product = product_of(new)
        coefficient *= number


def _number_out(
    node: Node, known: dict[Node, tuple[Fraction, Node]] | None
) -> tuple[Fraction, Node]:
    """A factor as the common number of a sum and the rest; `known` has those found before."""
    if known is None or not isinstance(node, Add):
        return ONE, node
    if node not in known:
        c = common_number(node)
        known[node] = (ONE, node) if c == 1 else (c, multiple(1 / c, node))
    return known[node]


def _numbers_out(node: Node, known: dict[Node, tuple[Fraction, Node]]) -> Node:
    """A product with the common numbers of sums in front that only views of them hid before."""
    opened = contraction_in(node)
    if opened is None:
        return node
    coefficient, product, output = opened
    found = [_number_out(factor, known) for factor in product.factors]
    if all(number is ONE for number, _ in found):
        return node
    new = build.einsum([factor for _, factor in found], product.subscripts, output)
    return build.scale(prod([number for number, _ in found], start=coefficient), new)


def open_product(node: Einsum) -> Node:
    """The product with the products among its factors opened, within the budget."""
    return _open_product(node, node.factors, [True] * len(node.factors), FACTORS)


def opened_term(node: Node) -> Node:
    """A product, perhaps turned or with a coefficient, with the products in it opened."""
    found = contraction_in(node)
    if found is None:
        return node
    coefficient, core, output = found
    return build.scale(coefficient, build.einsum([open_product(core)], [core.output], output))


def opened_and(node: Einsum, rule: Callable[[Node], Node | None]) -> Node | None:
    """The product with the products among its factors opened, if a rule then applies to it."""
    opened = contraction_in(open_product(node))
    if opened is None:
        return None
    coefficient, core, output = opened
    new = rule(core)
    if new is None:
        return None
    return build.scale(coefficient, build.einsum([new], [core.output], output))


def opened_while(node: Node, change: Callable[[Node], Node | None]) -> tuple[Fraction, Node]:
    """A product opened and changed for as long as there is a change; with its coefficient apart."""
    coefficient, inner = product_of(node)
    while is_contraction(inner):
        c, opened = product_of(open_product(inner))
        coefficient *= c
        new = change(opened)
        if new is None:
            return coefficient, opened
        c, inner = product_of(new)
        coefficient *= c
    return coefficient, inner


def open_sum(node: Add) -> Node:
    """The sum with the sums among its terms opened, within the budget."""
    return _open_sum(node.terms, TERMS)


def is_contraction(node: Node) -> TypeGuard[Einsum]:
    """Whether a node multiplies or sums, and so may be opened inside a product."""
    return isinstance(node, Einsum) and not node.is_view


def _only_user(order: Sequence[Node], roots: Sequence[Node]) -> dict[Node, Node]:
    """For each node that is used once and is no root, its user."""
    only: dict[Node, Node | None] = dict.fromkeys(roots)
    for node in order:
        for operand in node.operands:
            only[operand] = None if operand in only else node
    return {node: user for node, user in only.items() if user is not None}


def _open_sum(terms: Sequence[tuple[Fraction, Node]], budget: int) -> Node:
    """The sum of terms, through sums with one term, small ones, and those within the budget."""
    found: list[tuple[Fraction, Node]] = []
    for coefficient, term in terms:
        if not isinstance(term, Add):
            found.append((coefficient, term))
            continue
        outer, inner = product_of(term)
        coefficient *= outer
        if isinstance(inner, Add) and (len(inner.terms) + len(found) <= budget or _is_short(inner)):
            found += [(coefficient * c, x) for c, x in inner.terms]
        else:
            found.append((coefficient, inner))
    return build.add(found)


def _is_new_sum(new: Node, old: Node) -> bool:
    """Whether a term is not the one that it was, or is a sum, so that there is something to do."""
    return new is not old or isinstance(new, Add)


def _is_short(node: Add) -> bool:
    """Whether a sum is of two tensors that need no work: opened, it costs nothing."""
    return len(node.terms) == 2 and not any(term.operands for term in node.operands)


def _open_product(
    node: Einsum,
    operands: Sequence[Node],
    opened: Sequence[bool],
    budget: int,
    known: dict[Node, tuple[Fraction, Node]] | None = None,
) -> Node:
    """The product with its factors' own factors, as long as there are few enough.

    With `known`, the common numbers of sums among the factors come to the front.
    """
    count = len(operands)
    same = True
    factors: list[Node] = []
    rows: list[Sequence[object]] = []
    coefficient = ONE
    for k, (old, new, free) in enumerate(zip(node.factors, operands, opened, strict=True)):
        row = node.subscripts[k]
        part = contraction_in(new) if free else None
        if part is None or count + len(part[1].factors) - 1 > budget:
            number, factor = _number_out(new, known)
            factors.append(factor)
            rows.append(row)
            same &= factor is old
            if number is not ONE:
                coefficient *= number
            continue
        same = False
        number, core, output = part
        count += len(core.factors) - 1
        if number is not ONE:
            coefficient *= number
        named = dict(zip(output, row, strict=True))
        for inner, labels in zip(core.factors, core.subscripts, strict=True):
            number, factor = _number_out(inner, known)
            factors.append(factor)
            rows.append([named.get(label, (k, label)) for label in labels])
            if number is not ONE:
                coefficient *= number
    if same:
        return node
    dims = dict(zip(node.output, node.dims, strict=True))
    product = build.einsum(factors, rows, node.output, dims)
    if known is not None:
        product = _numbers_out(product, known)
    return product if coefficient == 1 else build.scale(coefficient, product)


def contraction_in(node: Node) -> tuple[Fraction, Einsum, tuple[int, ...]] | None:
    """A factor as coefficient, contraction, and the contraction's labels for the factor's axes."""
    coefficient, inner = product_of(node)
    if is_contraction(inner):
        return coefficient, inner, inner.output
    if isinstance(inner, Einsum) and len(inner.factors) == 1 and is_contraction(inner.factors[0]):
        core, row = inner.factors[0], inner.subscripts[0]
        named = dict(zip(row, core.output, strict=True))
        if set(inner.output) == set(row) and len(named) == len(row):
            return coefficient, core, tuple(named[label] for label in inner.output)
    return None
