"""Labels of a product whose factors become those of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tcalc.expr.primitive import Labels


def relabelled(
    rows: Sequence[Labels], known: Mapping[int, int], fresh: Iterator[int]
) -> list[Labels]:
    """Rows of labels with the known ones renamed, and each other one to a fresh label.

    >>> from itertools import count
    >>> relabelled([(0, 1), (1, 2)], {0: 7, 2: 9}, count(10))
    [(7, 10), (10, 9)]
    """
    names = dict(known)
    for row in rows:
        for label in row:
            if label not in names:
                names[label] = next(fresh)
    return [tuple(map(names.__getitem__, row)) for row in rows]
