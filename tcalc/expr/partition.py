"""Labels made equal to each other: a union-find."""

from __future__ import annotations


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
