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
    given = dict.fromkeys(taken)
    names: list[str] = []
    for wish in wishes:
        names.append(free_name(wish, given))
        given[names[-1]] = None
    return names
