"""Errors in the words of the program: what inputs of a step stand for, not what they are called."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

from tcalc.errors import TcalcError

_STAND_IN = r"(?:constant|early|made|made_alone|kept|through)_\d+"
"""The names of inputs for which the program has no words."""
_INDICES = r"\[\w+([,\]])"
"""The first index of a tensor, and what is behind it."""
_LENGTH = r" of \[steps_*([,\]])"
"""What is said of the shape of tensors of all steps at once."""


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of a program for the inputs of a step, by their names.

    Inputs of all steps at once have the words of one step: what fails is one of them.

    >>> wording = Wording({"A": "A", "P_before": "P{t-1}", "S_t": "S[t,:,:]"})
    >>> wording.of("inv(A*P_before + constant_2)")
    'inv(A*P{t-1} + …)'
    >>> wording.of("chol(A[j,k] + S_t_all[i,j,k] of [steps,n,n])")
    'chol(A[j,k] + S[t,:,:][j,k] of [n,n])'
    """

    words: Mapping[str, str]

    def of(self, text: str) -> str:
        """A text with these words."""
        names = "|".join(map(re.escape, sorted(self.words, key=len, reverse=True)))
        pattern = rf"\b(?:({names or '(?!)'})|{_STAND_IN})(_all)?_*\b({_INDICES})?"
        text = re.sub(pattern, self._said, text)
        return re.sub(_LENGTH, lambda found: " of [" if found[1] == "," else "", text)

    def _said(self, found: re.Match[str]) -> str:
        name, of_all, indices, behind = found.groups()
        if of_all and indices:
            indices = "[" if behind == "," else ""
        return self.words.get(name, "…") + (indices or "")

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function whose errors have these words."""

        @wraps(function)
        def call(*positional: Any, **arguments: Any) -> Any:
            try:
                return function(*positional, **arguments)
            except TcalcError as error:
                error.message = self.of(error.message)
                error.args = (error.message,)
                raise

        return call
