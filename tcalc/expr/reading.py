"""The order in which a user's formulas name things, which results follow."""

from __future__ import annotations

from typing import NamedTuple


class Reading(NamedTuple):
    """The names in formulas in the order of the text, and which follow which in products.

    >>> first, second = Reading(("x", "Q", "c"), frozenset({("c", "x")})), Reading(("Q", "r"))
    >>> first.merged(second).names
    ('x', 'Q', 'c', 'r')
    """

    names: tuple[str, ...] = ()
    neighbours: frozenset[tuple[str, str]] = frozenset()

    def merged(self, other: Reading) -> Reading:
        """First what is read here, then the other."""
        names = dict.fromkeys((*self.names, *other.names))
        return Reading(tuple(names), self.neighbours | other.neighbours)
