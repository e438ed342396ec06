"""Names that nobody else has: index letters, and names for common subexpressions."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from itertools import count

INDEX_LETTERS = "ijklpqrstuvabcdefgh"
"""Letters for indices, in the order in which a reader expects them."""

FUNCTION_NAMES = {
    "sigmoid": "p",
    "softmax": "p",
    "exp": "e",
    "softplus": "s",
    "log": "l",
    "inv": "V",
    "chol": "L",
    "norm2": "d",
}
"""The usual letter for the value of a function."""


OUTPUT_NAMES = {
    "eigh": ("w", "V"),
    "svd": ("U", "s", "V"),
    "qr": ("Q", "R"),
    "lq": ("L", "Q"),
    "slogdet": ("s", "l"),
}
"""The usual letters for the outputs of a factorisation."""


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
