"""Names that nothing else has, for the inputs that passes add."""

from __future__ import annotations

from collections.abc import Container, Iterable


def free_name(wish: str, taken: Container[str]) -> str:
    """The name itself, or followed by as few underscores as it takes to be free.

    >>> free_name("dx", {"dx", "x"})
    'dx_'
    """
    name = wish
    while name in taken:
        name += "_"
    return name


def free_names(wishes: Iterable[str], taken: Iterable[str]) -> list[str]:
    """Such a name for each wish, no two of them the same.

    >>> free_names(["dx", "dx_"], {"dx"})
    ['dx_', 'dx__']
    """
    names = FreeNames(taken)
    return [names.give(wish) for wish in wishes]


class FreeNames:
    """Names given one after the other, none of them taken or given before.

    >>> names = FreeNames({"dx"})
    >>> names.give("dx"), names.give("dx"), names.give("dy")
    ('dx_', 'dx__', 'dy')
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = {*taken}

    def give(self, wish: str) -> str:
        """The name that is wished, or followed by underscores."""
        name = free_name(wish, self._taken)
        self._taken.add(name)
        return name
