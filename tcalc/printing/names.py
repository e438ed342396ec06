"""Names that nobody else has: index letters, and names for common subexpressions."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import count

from tcalc.expr.nodes import Add, Apply, Einsum, Node, Var

INDEX_LETTERS = "ijklpqrstuvabcdefgh"
"""Letters for indices, in the order in which a reader expects them."""


def meaning(node: Node) -> str:
    """A stem for the name of a tensor, by what it is; ``t`` where that has no usual name.

    >>> from tcalc.expr import build, shape
    >>> from tcalc.primitives.inverse import inv
    >>> meaning(inv(build.var("K", shape("n", "n"))))
    'K_inv'
    """
    match node:
        case Apply(primitive=primitive, args=(Var(name=name),)) if primitive.compound:
            return primitive.compound.format(name)
        case Apply(primitive=primitive):
            return primitive.letter or "t"
        case Add(terms=terms) if _is_residual(terms):
            return "r"
    return "t"


def _is_residual(terms: Sequence[tuple[Fraction, Node]]) -> bool:
    """Whether a sum is a product less an input, or the other way round: ``X*w - y``."""
    if len(terms) != 2 or {c for c, _ in terms} != {1, -1}:
        return False
    given = [isinstance(x, Var) for _, x in terms]
    made = [isinstance(x, Einsum) and not x.is_view for _, x in terms]
    return any(given) and any(made)


def index_names(taken: Container[str] = ()) -> Iterator[str]:
    """Index names one after the other, without those taken.

    >>> from itertools import islice
    >>> list(islice(index_names({"j"}), 3))
    ['i', 'k', 'l']
    """
    for round_ in count():
        for letter in INDEX_LETTERS:
            name = letter if round_ == 0 else f"{letter}{round_}"
            if name not in taken:
                yield name


class Names:
    """Gives out names, each once, none that the user has.

    >>> names = Names(["t1"])
    >>> names.fresh("t"), names.fresh("t"), names.wanted("p"), names.wanted("p")
    ('t2', 't3', 'p', 'p1')
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._last: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._taken

    def wanted(self, name: str) -> str:
        """The name itself if it is free, else with a number."""
        if name in self._taken:
            return self.fresh(name)
        self._taken.add(name)
        return name

    def fresh(self, stem: str) -> str:
        """The stem with the next free number."""
        number = self._last.get(stem, 0) + 1
        while f"{stem}{number}" in self._taken:
            number += 1
        self._last[stem] = number
        self._taken.add(f"{stem}{number}")
        return f"{stem}{number}"
