"""How the results of a call are put together: in lists and dictionaries, as was asked for.

An `Outline` has the places of results among all of them where the user's lists and dictionaries
had expressions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

Outline: TypeAlias = "int | tuple[Outline, ...] | dict[str, Outline]"


def outlined(nested: Any) -> tuple[Outline, list[Any]]:
    """The outline of anything in lists and dictionaries, and what stands at its places.

    >>> outlined(["f", {"U": "dU", "V": "dV"}])
    ((0, {'U': 1, 'V': 2}), ['f', 'dU', 'dV'])
    """
    leaves: list[Any] = []

    def outline(part: Any) -> Outline:
        if isinstance(part, Mapping):
            return {name: outline(inner) for name, inner in part.items()}
        if isinstance(part, Sequence) and not isinstance(part, str):
            return tuple([outline(inner) for inner in part])
        leaves.append(part)
        return len(leaves) - 1

    return outline(nested), leaves


def arranged(outline: Outline, results: Sequence[Any]) -> Any:
    """The results in tuples and dictionaries.

    >>> arranged((0, {"U": 1, "V": 2}), [0.5, "dU", "dV"])
    (0.5, {'U': 'dU', 'V': 'dV'})
    """
    match outline:
        case int():
            return results[outline]
        case tuple():
            return tuple([arranged(part, results) for part in outline])
        case dict():
            return {name: arranged(part, results) for name, part in outline.items()}


def labels(outline: Outline) -> list[str]:
    """What each result is called in messages, in their order.

    >>> labels((0, {"U": 1, "V": 2})), labels((0, 1)), labels(0)
    (['result 1', 'result 2["U"]', 'result 2["V"]'], ['result 1', 'result 2'], ['the result'])
    """
    return ["the result"] if outline == 0 else [f"result{path}" for path in _paths(outline)]


def _paths(outline: Outline, below: str = "") -> Iterator[str]:
    match outline:
        case int():
            yield below
        case tuple():
            for k, part in enumerate(outline, 1):
                yield from _paths(part, f"{below}[{k}]" if below else f" {k}")
        case dict():
            for name, part in outline.items():
                yield from _paths(part, f'{below}["{name}"]')


def is_plain(outline: Outline) -> bool:
    """Whether it is one result, or a tuple of results in their order."""
    return isinstance(outline, int) or outline == tuple(range(len(outline)))
