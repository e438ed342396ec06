"""What a program that recurrences refuse is, and those with loops that count down."""

from __future__ import annotations

from typing import NamedTuple

from tcalc import errors
from tcalc.errors import TcalcError

UNROLL = "tcalc.parse unrolls a loop whose bounds are numbers"


class Case(NamedTuple):
    """A program, what is said of it, of which part of which line, and the advice."""

    text: str
    message: str
    at: str
    hint: str
    declarations: str = "x[T]"
    kind: type[TcalcError] = errors.UnknownNameError
    numbers: dict[str, float] = {}  # noqa: RUF012 - never changed


def loop(
    body: str, value: str = "s{T}", head: str = "for t = 1:T", before: str = "s{0} = 0"
) -> str:
    """A program with a loop."""
    return f"{before}\n{head}\n    {body}\nend\n{value}"


SUM = "s{t} = s{t-1} + x[t]"


DOWNWARDS = {
    "by two": Case(
        loop("s{t} = s{t+2} + x[t]", "s{1}", "for t = T-1:-2:1", "s{T+1} = 0"),
        "a loop that is kept counts up or down by 1",
        "2: -2",
        "tcalc.parse unrolls loops with other increments",
        kind=errors.UnsupportedError,
    ),
    "no first step downwards": Case(
        loop("s{t} = s{t+1} + x[t]", "s{1}", "for t = T-1:-1:1", "s{T+1} = 0"),
        "nothing defines `s{T}`",
        "3: s{t+1}",
        "the first step, t = T-1, needs it: s{T} = ... before the loop",
    ),
    "the step after, downwards": Case(
        loop("s{t} = s{t-1} + x[t]", "s{1}", "for t = T:-1:1", "s{T+1} = 0"),
        "this step is not there yet",
        "3: s{t-1}",
        "a step defines `s{t}`, and knows `s{t+1}`",
    ),
    "a step that the loop defines, downwards": Case(
        loop("s{t} = s{t+1} + x[t]", "s{1}", "for t = T:-1:1", "s{T+1} = 0; s{T} = 1"),
        "`s{T}` is assigned twice",
        "1: s{T} = 1",
        "the loop assigns it in step t = T",
    ),
    "a step that the loop defines at its end": Case(
        loop("s{t} = s{t+1} + x[t]", "s{1}", "for t = T:-1:1", "s{T+1} = 0; s{2} = 1"),
        "`s{2}` is assigned twice",
        "1: s{2} = 1",
        "the loop assigns it in step t = 2",
    ),
    "behind the end, downwards": Case(
        loop("s{t} = s{t+1} + x[t]", "s{0}", "for t = T:-1:1", "s{T+1} = 0"),
        "the loop ends before this",
        "5: s{0}",
        "its last step has `s{1}`",
    ),
    "another kind of tensor, downwards": Case(
        loop("s{t} = s{t+1} + Y[t,:]", "sum(s{1})", "for t = T:-1:1", "s{T+1} = 0"),
        "`s{t}` is a column",
        "3: s{t+1} + Y[t,:]",
        "`s{T+1}`, before the loop, has the shape that all steps have",
        "Y[T,n]",
        errors.DimensionError,
    ),
}
