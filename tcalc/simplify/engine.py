"""The engine: rules applied bottom-up until none applies, without recursion.

A rule is made by a decorator that says which kind of node it looks at: at others the engine does
not even ask.  It takes a node whose operands are simplified and returns a better one, or None.
It must lower `length`, or another measure that the rule states, so that rewriting ends.  Results
may contain new nodes, which are simplified in turn.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, wraps
from operator import is_
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.traverse import with_operands
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.power import Power
from tcalc.records import dataclass
from tcalc.simplify.parts import parts_of

Rule: TypeAlias = Callable[[Node], Node | None]


class Trait(enum.Enum):
    """What else rules look for in a product."""

    REPEATED = "repeated"
    """Two factors are powers of one tensor, or of one and its diagonal."""

    NESTED = "nested"
    """A factor is itself a product or a sum over indices."""


class Kind(enum.Enum):
    """What rules tell nodes apart by."""

    PRODUCT = "product"
    VIEW = "view"
    SUM = "sum"
    FUNCTION = "function"
    LEAF = "leaf"


@dataclass(frozen=True, slots=True)
class _Clause:
    """A rule as the engine sees it: the nodes it looks at, and what these must have in them.

    Of `having` one is enough, of `traits` all must be there; both are sets of bits.
    """

    kind: Kind
    asked: Callable[[Any], Node | None]
    having: int
    traits: int

    def concerns(self, present: int) -> bool:
        found = not self.having or self.having & present
        return bool(found) and not self.traits & ~present


_bits: dict[object, int] = {}
"""A bit for each thing that rules look for; sets of these are numbers, and quick to unite."""


def _bits_of(kinds: Iterable[object]) -> int:
    found = 0
    for kind in kinds:
        found |= _bits.setdefault(kind, 1 << len(_bits))
    return found


_clauses: dict[Rule, _Clause] = {}


def of_products(rule: Callable[[Einsum], Node | None]) -> Rule:
    """A rule that looks at products and sums over indices, views excepted."""
    return _made(Kind.PRODUCT, rule)


def of_products_having(
    *kinds: object,
) -> Callable[[Callable[[Einsum], Node | None]], Rule]:
    """A rule that looks at products with a factor of one of these kinds.

    A kind is `Add`, a class of primitives or an element-wise function; a factor or, where the
    factor is a power or a view, what it is of.  A `Trait` among them is demanded in any case.
    """
    traits = frozenset(kind for kind in kinds if isinstance(kind, Trait))

    def made(rule: Callable[[Einsum], Node | None]) -> Rule:
        return _made(Kind.PRODUCT, rule, frozenset(kinds) - traits, traits)

    return made


def of_views(rule: Callable[[Einsum], Node | None]) -> Rule:
    """A rule that looks at transposes, broadcasts and diagonals."""
    return _made(Kind.VIEW, rule)


def of_sums(rule: Callable[[Add], Node | None]) -> Rule:
    """A rule that looks at sums and multiples."""
    return _made(Kind.SUM, rule)


def of_sums_having(*kinds: object) -> Callable[[Callable[[Add], Node | None]], Rule]:
    """A rule that looks at sums with a factor of one of these kinds in a term.

    A kind is `Add`, a class of primitives or an element-wise function; a factor or what it is a
    power or a view of, and where that is a sum, one of its terms.
    """

    def made(rule: Callable[[Add], Node | None]) -> Rule:
        return _made(Kind.SUM, rule, frozenset(kinds))

    return made


def of_functions(rule: Callable[[Apply], Node | None]) -> Rule:
    """A rule that looks at applications of primitives."""
    return _made(Kind.FUNCTION, rule)


def of_functions_of(*kinds: object) -> Callable[[Callable[[Apply], Node | None]], Rule]:
    """A rule that looks at applications of classes of primitives, or of element-wise functions."""

    def made(rule: Callable[[Apply], Node | None]) -> Rule:
        return _made(Kind.FUNCTION, rule, frozenset(kinds))

    return made


def _made(
    kind: Kind,
    rule: Callable[[Any], Node | None],
    having: frozenset[object] = frozenset(),
    traits: frozenset[Trait] = frozenset(),
) -> Rule:
    @wraps(rule)
    def asked(node: Node) -> Node | None:
        return rule(node) if _kind_of(node) is kind else None

    _clauses[asked] = _Clause(kind, rule, _bits_of(having), _bits_of(traits))
    return asked


def _kind_of(node: Node) -> Kind:
    if isinstance(node, Einsum):
        return Kind.VIEW if node.is_view else Kind.PRODUCT
    if isinstance(node, Add):
        return Kind.SUM
    return Kind.FUNCTION if isinstance(node, Apply) else Kind.LEAF


class _Book:
    """Rules by what they look at."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        clauses = [_clauses[rule] for rule in rules]
        self.of_kind = {kind: [c for c in clauses if c.kind is kind] for kind in Kind}
        self.seen = dict.fromkeys(Kind, 0)
        for clause in clauses:
            self.seen[clause.kind] |= clause.having | clause.traits
        self.of_presence: dict[tuple[Kind, int], list[Callable[[Any], Node | None]]] = {}

    def rules_for(self, node: Node) -> Sequence[Callable[[Any], Node | None]]:
        """The rules that may apply, in their order."""
        kind = _kind_of(node)
        seen = self.seen[kind]
        present = _present_in(node) & seen if seen else 0
        rules = self.of_presence.get((kind, present))
        if rules is None:
            rules = [c.asked for c in self.of_kind[kind] if c.concerns(present)]
            self.of_presence[kind, present] = rules
        return rules


def _present_in(node: Node) -> int:
    """What a product or a sum has in it that rules look for, or what a function is one of."""
    if isinstance(node, Apply):
        return _present_in_function(node)
    if isinstance(node, Add):
        found = 0
        for _, term in node.terms:
            found |= _present_in_term(term)
        return found
    return _present_in_product(node)


@lru_cache(maxsize=512)  # a term mostly stays while the rules change what stands beside it
def _present_in_term(term: Node) -> int:
    found = 0
    for factor in parts_of(term).factors:
        for node in (factor, *_base(factor)):
            if isinstance(node, Add):
                found |= _ADD
                for x in node.operands:
                    found |= _present_in_factor(x)
            else:
                found |= _present_in_factor(node)
    return found


def _present_in_factor(node: Node) -> int:
    found = _present_in_function(node) if isinstance(node, Apply) else 0
    for base in _base(node):
        if isinstance(base, Apply):
            found |= _present_in_function(base)
    return found


def _base(node: Node) -> Sequence[Node]:
    """What a node is a power or a view of."""
    if isinstance(node, Apply) and isinstance(node.primitive, Power):
        return node.args
    return node.operands if isinstance(node, Einsum) and node.is_view else ()


def _present_in_product(node: Node) -> int:
    found = 0
    bases: set[Node] = set()
    for factor in node.operands:
        found |= _present_in_factor(factor)
        if isinstance(factor, Apply) and isinstance(factor.primitive, Power):
            factor = factor.args[0]
            if isinstance(factor, Einsum) and factor.is_view and len(factor.factors) == 1:
                (factor,) = factor.factors
        if isinstance(factor, Add):
            found |= _ADD
        elif isinstance(factor, Einsum) and not factor.is_view:
            found |= _NESTED
        if factor in bases:
            found |= _REPEATED
        bases.add(factor)
    return found


def _present_in_function(node: Apply) -> int:
    primitive = node.primitive
    found = _bits.get(type(primitive), 0)
    if isinstance(primitive, Elementwise):
        found |= _bits.get(primitive, 0)
    return found


_ADD, _NESTED, _REPEATED = (_bits_of([kind]) for kind in (Add, Trait.NESTED, Trait.REPEATED))


@lru_cache
def _book(rules: tuple[Rule, ...]) -> _Book:
    return _Book(rules)


STEPS_PER_NODE = 40
"""Rules fire at most so often for each node met: a bound, never reached by rules that obey."""

_lengths: WeakKeyDictionary[Node, float] = WeakKeyDictionary()


def rewrite(roots: Sequence[Node], rules: Sequence[Rule]) -> list[Node]:
    """The roots with every node simplified by the rules, each node once."""
    done: dict[Node, Node] = {}
    became: dict[Node, Node] = {}
    active: set[Node] = set()
    fired = 0
    book = _book(tuple(rules))
    for root in roots:
        stack = [root]
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
                continue
            active.add(node)
            successor = became.get(node)
            if successor is not None:
                if successor in done:
                    done[node] = done[successor]
                    stack.pop()
                else:
                    stack.append(successor)
                continue
            operands = node.operands
            changed = [found for operand in operands if (found := done.get(operand)) is not None]
            if len(changed) < len(operands):
                missing = [operand for operand in reversed(operands) if operand not in done]
                # An operand that was met and is not done became what holds it: it stays.
                done.update((operand, operand) for operand in missing if operand in active)
                stack.extend(missing)
                continue
            same = all(map(is_, changed, operands))
            new = node if same else with_operands(node, changed)
            if new is node and fired < STEPS_PER_NODE * (len(done) + 100):
                new = _step(node, book)
                fired += new is not node
            if new is node or (new in active and new not in done):
                done[node] = new
            else:
                became[node] = new
    return [done[root] for root in roots]


def _step(node: Node, book: _Book) -> Node:
    for rule in book.rules_for(node):
        new = rule(node)
        if new is not None and new is not node:
            return new
    return node


def length(root: Node) -> float:
    """How long a tensor is, written out: the measure that rules lower.

    >>> from tcalc.expr import build, shape
    >>> x = build.var("x", shape("n"))
    >>> length(x), length(build.scale(2, x))
    (1, 2)
    """
    stack = [root]
    while stack:
        node = stack[-1]
        if node in _lengths:
            stack.pop()
            continue
        missing = [operand for operand in node.operands if operand not in _lengths]
        if missing:
            stack.extend(missing)
            continue
        _lengths[node] = _length(node)
        stack.pop()
    return _lengths[root]


def _length(node: Node) -> float:
    inner = sum(_lengths[operand] for operand in node.operands)
    match node:
        case Var() | Const() | Delta():
            return 1
        case Add(terms=terms):
            return inner + sum(c != 1 and not isinstance(x, Const) for c, x in terms)
        case Einsum() if node.is_view:
            units = sum(isinstance(factor, Delta) for factor in node.factors)
            tied = any(factor.order and not isinstance(factor, Delta) for factor in node.factors)
            # a transpose or diag(x), but not eye(n) or eye(n)/a
            return inner if units and not tied else inner - units + 0.25
        case Einsum():
            return inner
        case Apply():
            return inner + 1
