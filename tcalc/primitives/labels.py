"""Letters for the axes in a local Jacobian, where the number of axes is a parameter."""

from __future__ import annotations


def groups(count: int, axes: int) -> list[str]:
    """So many disjoint groups of labels, each for that many axes.

    >>> groups(2, 3)
    ['abc', 'def']
    """
    letters = [chr(ord("a") + k) for k in range(count * axes)]
    return ["".join(letters[k * axes : (k + 1) * axes]) for k in range(count)]
