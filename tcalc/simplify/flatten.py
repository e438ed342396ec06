"""Products in products opened, and sums in sums: the first pass of printing and of lowering.

    Σ a[i,j] (Σ b[j,k] c[k]) -> Σ a[i,j] b[j,k] c[k]
    a + 2 (b + c)            -> a + 2 b + 2 c

With ``inline="single"`` only what is used once is opened, so that no work is done twice: this is
for generated code.  With ``inline="all"`` shared products are opened too, so that like terms meet:
this is for reading.  A budget bounds every product and every shared sum; nothing can explode, and
both passes are linear in the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Literal, TypeAlias, TypeGuard

from tcalc.expr import build
from tcalc.expr.nodes import Add, Einsum, Node
from tcalc.expr.traverse import postorder, with_operands
from tcalc.simplify.coefficients import content, multiple, product_of

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
    nodes without operands to be replaced on the way, `meeting` rules for products in which
    factors meet that did not before.

    >>> from tcalc.expr import shape
    >>> A, x = build.var("A", shape("n", "n")), build.var("x", shape("n"))
    >>> y = build.einsum([A, x], "ij,j->i")
    >>> (z,) = flatten([build.einsum([A, y], "ij,j->i")], inline="single")
    >>> len(z.operands)
    3
    """
    order = postorder(roots)
    uses = _count_uses(order, roots)
    above = _only_user(order, roots)
    done: dict[Node, Node] = {}
    primitive: dict[Node, tuple[Fraction, Node]] = {}
    sums: dict[tuple[tuple[Fraction, Node], ...], Node] = {}
    for node in order:
        if isinstance(node, Add) and isinstance(above.get(node), Add):
            continue  # its only user takes its terms
        match node:
            case Add():
                done[node] = _open_sum(node, done, terms if inline == "all" else 0)
                if numbers and inline == "single":
                    done[node] = _as_negative(done[node], sums)
            case Einsum() if not node.is_view:
                shared = inline == "all"
                opened = [shared or uses[factor] == 1 for factor in node.factors]
                done[node] = _open_product(node, done, opened, factors)
                if numbers:
                    done[node] = _numbers_out(done[node], primitive)
                if done[node] is not node:
                    done[node] = _met(done[node], meeting)
            case _ if leaves and node in leaves:
                done[node] = leaves[node]
            case _:
                done[node] = with_operands(node, [done[operand] for operand in node.operands])
    return [done[root] for root in roots]


def _as_negative(node: Node, known: dict[tuple[tuple[Fraction, Node], ...], Node]) -> Node:
    """A sum as minus its negative, where that is known."""
    if not isinstance(node, Add) or len(node.terms) < 2:
        return node
    first = known.get(tuple((-c, x) for c, x in node.terms))
    known[node.terms] = node
    return node if first is None else build.scale(-1, first)


def _met(node: Node, rules: Sequence[Callable[[Node], Node | None]]) -> Node:
    """The product, perhaps with a coefficient, with the rules applied while one does."""
    coefficient, product = product_of(node)
    while True:
        new = next((new for rule in rules if (new := rule(product)) is not None), product)
        if new is product:
            return build.scale(coefficient, product)
        number, product = product_of(new)
        coefficient *= number


def _numbers_out(node: Node, known: dict[Node, tuple[Fraction, Node]]) -> Node:
    """A product with the contents of its factors in front; `known` has those found before."""
    opened = contraction_in(node)
    if opened is None:
        return node
    coefficient, product, output = opened
    changed = False
    factors: list[Node] = []
    for factor in product.factors:
        if isinstance(factor, Add):
            if factor not in known:
                c = content(factor)
                known[factor] = (c, factor if c == 1 else multiple(1 / c, factor))
            c, factor = known[factor]
            changed |= c != 1
            coefficient *= c
        factors.append(factor)
    if not changed:
        return node
    new = build.einsum(factors, product.subscripts, output)
    return build.scale(coefficient, new)


def open_product(node: Einsum) -> Node:
    """The product with the products among its factors opened, within the budget."""
    done = {factor: factor for factor in node.factors}
    return _open_product(node, done, [True] * len(node.factors), FACTORS)


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


def open_sum(node: Add) -> Node:
    """The sum with the sums among its terms opened, within the budget."""
    return _open_sum(node, {term: term for term in node.operands}, TERMS)


def is_contraction(node: Node) -> TypeGuard[Einsum]:
    """Whether a node multiplies or sums, and so may be opened inside a product."""
    return isinstance(node, Einsum) and not node.is_view


def _count_uses(order: Sequence[Node], roots: Sequence[Node]) -> dict[Node, int]:
    uses = dict.fromkeys(order, 0)
    for root in roots:
        uses[root] += 1
    for node in order:
        for operand in node.operands:
            uses[operand] += 1
    return uses


def _only_user(order: Sequence[Node], roots: Sequence[Node]) -> dict[Node, Node]:
    """For each node that is used once and is no root, its user."""
    only: dict[Node, Node | None] = dict.fromkeys(roots)
    for node in order:
        for operand in node.operands:
            only[operand] = None if operand in only else node
    return {node: user for node, user in only.items() if user is not None}


def _open_sum(node: Add, done: dict[Node, Node], budget: int) -> Node:
    """The sum over all terms of the sums below that nobody else uses, and of small shared ones."""
    found: list[tuple[Fraction, Node]] = []
    for coefficient, term in _terms_below(node, done):
        outer, inner = product_of(done[term])
        coefficient *= outer
        if isinstance(inner, Add) and (len(inner.terms) + len(found) <= budget or _is_short(inner)):
            found += [(coefficient * c, x) for c, x in inner.terms]
        else:
            found.append((coefficient, inner))
    return build.add(found)


def _is_short(node: Add) -> bool:
    """Whether a sum is of two tensors that need no work: opened, it costs nothing."""
    return len(node.terms) == 2 and not any(term.operands for term in node.operands)


def _terms_below(node: Add, done: dict[Node, Node]) -> Iterator[tuple[Fraction, Node]]:
    """The terms of a sum, through the sums that were left to it."""
    stack = [(Fraction(1), iter(node.terms))]
    while stack:
        outer, pending = stack[-1]
        for coefficient, term in pending:
            if isinstance(term, Add) and term not in done:
                stack.append((outer * coefficient, iter(term.terms)))
                break
            yield outer * coefficient, term
        else:
            stack.pop()


def _open_product(
    node: Einsum, done: dict[Node, Node], opened: Sequence[bool], budget: int
) -> Node:
    """The product with its factors' own factors, as long as there are few enough."""
    new = [done[factor] for factor in node.factors]
    parts = [
        contraction_in(factor) if free else None for factor, free in zip(new, opened, strict=True)
    ]
    count = len(new)
    any_opened = False
    factors: list[Node] = []
    rows: list[Sequence[object]] = []
    coefficient = Fraction(1)
    for k, (factor, part, row) in enumerate(zip(new, parts, node.subscripts, strict=True)):
        if part is None or count + len(part[1].factors) - 1 > budget:
            factors.append(factor)
            rows.append(row)
            continue
        any_opened = True
        count += len(part[1].factors) - 1
        coefficient *= part[0]
        named = dict(zip(part[2], row, strict=True))
        for inner, labels in zip(part[1].factors, part[1].subscripts, strict=True):
            factors.append(inner)
            rows.append([named.get(label, (k, label)) for label in labels])
    if not any_opened:
        return with_operands(node, new)
    dims = dict(zip(node.output, node.dims, strict=True))
    return build.scale(coefficient, build.einsum(factors, rows, node.output, dims))


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
