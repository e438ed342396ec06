"""What hangs together: a union-find, and the factors of a product that its labels join."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence


class Partition:
    """The numbers 0, 1, …, parted into classes, each of which its least member stands for.

    Paths are halved as they are walked: Tarjan and van Leeuwen, "Worst-case analysis of set union
    algorithms" (1984).

    >>> parts = Partition(4)
    >>> parts.join(3, 1)
    >>> [parts.find(x) for x in range(4)]
    [0, 1, 2, 1]
    """

    __slots__ = ("_parent",)

    def __init__(self, size: int = 0) -> None:
        self._parent = list(range(size))

    def __len__(self) -> int:
        return len(self._parent)

    def add(self) -> int:
        """A further number, in a class by itself."""
        self._parent.append(len(self._parent))
        return len(self._parent) - 1

    def find(self, x: int) -> int:
        """The number that stands for the class of another."""
        parent = self._parent
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    def join(self, x: int, y: int) -> None:
        """Make one class of those of two numbers."""
        first, second = sorted((self.find(x), self.find(y)))
        self._parent[second] = first

    def classes(self) -> list[tuple[int, ...]]:
        """The members of each class, in their order.

        >>> parts = Partition(4)
        >>> parts.join(3, 1)
        >>> parts.classes()
        [(0,), (1, 3), (2,)]
        """
        found: dict[int, list[int]] = {}
        for x in range(len(self)):
            found.setdefault(self.find(x), []).append(x)
        return [tuple(members) for members in found.values()]


def connected(
    rows: Sequence[Iterable[Hashable]], ends: Collection[Hashable]
) -> list[tuple[int, ...]]:
    """The positions of rows that hang together by other labels than `ends`, in their order.

    >>> connected([(0, 1), (2,), (1, 3), (2, 0)], {0, 3})
    [(0, 2), (1, 3)]
    """
    parts = Partition(len(rows))
    first: dict[Hashable, int] = {}
    for k, row in enumerate(rows):
        for label in row:
            if label not in ends:
                parts.join(first.setdefault(label, k), k)
    return parts.classes()
