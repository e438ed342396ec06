"""A number, or an array of numbers, with its standard error; and sampling that can be ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tcalc.optimisation import says_stop
from tcalc.primitives.arrays import NumPyArray as Array

Callback: TypeAlias = "Callable[[Estimate], object]"


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate and its standard error, both numbers or both arrays; it unpacks into the two.

    `products` counts the products with the Hessian that it took, `method` says how it came about.
    An exact value has the error 0.  `ended` says why sampling ended early, if it did.
    """

    value: Any
    error: Any
    products: int
    method: str
    ended: str = ""

    def __iter__(self) -> Iterator[Any]:
        return iter((self.value, self.error))

    def __str__(self) -> str:
        if np.ndim(self.value):
            text = f"{np.size(self.value)} numbers, standard errors up to {np.max(self.error):.2g}"
        else:
            text = f"{self.value:.10g} ± {self.error:.2g}"
        ended = f", {self.ended}" if self.ended else ""
        return f"{text} ({self.method}, {self.products} products{ended})"


def sampled(
    draw: Callable[[int], Array],
    samples: int,
    batch: int,
    finish: Callable[[Any, Any, int, str], Estimate],
    callback: Callback | None,
) -> Estimate:
    """The mean of samples, drawn some at a time along the last axis, and its standard error.

    After each batch the callback sees the estimate so far, and ends the sampling by returning True;
    so does Ctrl-C, once there are two samples.  `finish` makes the estimate of mean, error, number
    of samples, and why it ended.
    """
    found: list[Array] = []
    count = 0
    try:
        while count < samples:
            found.append(draw(min(batch, samples - count)))
            count += found[-1].shape[-1]
            if callback is not None and says_stop(callback(finish(*_mean(found), count, ""))):
                return finish(*_mean(found), count, "ended by the callback")
    except KeyboardInterrupt:
        if count < 2:
            raise
        return finish(*_mean(found), count, "interrupted")
    return finish(*_mean(found), count, "")


def _mean(found: list[Array]) -> tuple[Any, Any]:
    values = np.concatenate(found, axis=-1)
    count = values.shape[-1]
    mean = values.mean(axis=-1)
    if count < 2:
        return mean, np.full_like(mean, np.inf)
    return mean, values.std(axis=-1, ddof=1) / np.sqrt(count)
