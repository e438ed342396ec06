"""Sums of products of matrices around a pseudo-inverse, as words, and their derivatives as words.

A word is a sign and letters, each a matrix or, with a prime, its transpose: P is the pseudo-inverse
of A, ``N = I - A P`` and ``K = I - P A`` project, and a digit is one of the other tensors, in which
a sum is linear.  By the product rule the derivative in the direction D of A, for which P has the
derivative Q, is again such a sum:

    dP = Q,   dN = -N D P - P' D' N,   dK = -P D K - K D' P'.

Those of N and K are not written as ``dA P + A Q``, of which a part, ``A K D' P' P``, is zero only
exactly; as the rounding of K it is as large as the rounding of P times the condition number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from string import ascii_letters
from typing import TypeAlias

Word: TypeAlias = tuple[int, tuple[str, ...]]
Words: TypeAlias = tuple[Word, ...]

_COMPLEMENTS = {"N": ("A", "P"), "K": ("P", "A")}
"""What N and K are the unit matrix less."""


@cache
def words_of(formula: str) -> Words:
    """The words of a text as ``"-P.1.P + P.P'.1'.N"``."""
    texts = formula.replace("- ", "-").replace("+ ", "").split()
    return tuple(
        (-1 if text[0] == "-" else 1, tuple(text.removeprefix("-").split("."))) for text in texts
    )


def text_of(words: Words) -> str:
    """A text that `words_of` reads as these words."""
    return " ".join("-" * (sign < 0) + ".".join(word) for sign, word in words)


def tensors_of(words: Words) -> list[str]:
    """The digits in them, in order."""
    return sorted({x.rstrip("'") for _, word in words for x in word if x[0].isdigit()}, key=int)


def renamed(words: Words, names: dict[str, str]) -> Words:
    """The words with other letters for some."""
    return tuple(
        (sign, tuple(names.get(x.rstrip("'"), x.rstrip("'")) + "'" * x.endswith("'") for x in word))
        for sign, word in words
    )


def differentiated(words: Words, direction: str, inverse: str) -> Words:
    """The derivative in a direction of A, for which P has a derivative, both given as letters."""
    back = f"{direction}'"
    inner: dict[str, Words] = {
        "P": ((1, (inverse,)),),
        "P'": ((1, (f"{inverse}'",)),),
        "N": ((-1, ("N", direction, "P")), (-1, ("P'", back, "N"))),
        "K": ((-1, ("P", direction, "K")), (-1, ("K", back, "P'"))),
    }
    return tuple(
        (sign * factor, (*word[:k], *new, *word[k + 1 :]))
        for sign, word in words
        for k, letter in enumerate(word)
        for factor, new in inner.get(letter, ())
    )


def adjoint(words: Words, tensor: str, cotangent: str) -> Words:
    """What a cotangent gives to a tensor: the adjoint of the terms that it is in.

    ``<B, L X R> = <X, L' B R'>`` and ``<B, L X' R> = <X, R B' L>``.
    """
    return tuple(_turned(words, tensor, cotangent))


def _turned(words: Words, tensor: str, cotangent: str) -> Iterator[Word]:
    for sign, word in words:
        if tensor in word:
            k = word.index(tensor)
            yield sign, (*_transposed(word[:k]), cotangent, *_transposed(word[k + 1 :]))
        elif f"{tensor}'" in word:
            k = word.index(f"{tensor}'")
            yield sign, (*word[k + 1 :], f"{cotangent}'", *word[:k])


def _transposed(word: Iterable[str]) -> Iterator[str]:
    for letter in reversed(tuple(word)):
        symmetric = letter in _COMPLEMENTS
        yield letter if symmetric else letter[:-1] if letter.endswith("'") else f"{letter}'"


@cache
def terms_of(words: Words) -> tuple[tuple[int, tuple[str, ...], tuple[str, ...], str], ...]:
    """For each term its sign, its factors, their labels, and those of the result.

    N and K are multiplied out: formed, one of them is as large as the longer side of A squared.
    """
    terms: list[Word] = []
    for sign, word in words:
        open_terms: list[Word] = [(sign, ())]
        for letter in word:
            if letter in _COMPLEMENTS:
                pair = _COMPLEMENTS[letter]
                open_terms += [(-s, (*before, *pair)) for s, before in open_terms]
            else:
                open_terms = [(s, (*before, letter)) for s, before in open_terms]
        terms += open_terms
    return tuple((sign, *_labelled(factors)) for sign, factors in terms)


def _labelled(factors: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    labels = ascii_letters
    rows = tuple(labels[k : k + 2][:: -1 if "'" in x else 1] for k, x in enumerate(factors))
    return tuple(x.rstrip("'") for x in factors), rows, labels[0] + labels[len(factors)]
