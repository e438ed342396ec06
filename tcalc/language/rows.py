"""What a loop that is kept takes of an earlier one, step by step: all of it must be there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from tcalc.errors import Span, UnknownNameError
from tcalc.language.carried import Defined, Stem
from tcalc.language.course import Course, Terms, is_open
from tcalc.language.one_step import unsupported


class Taken(NamedTuple):
    """What a step takes of an earlier loop.

    `maker` is that loop, before which the `known` names are defined.  The number of the step is
    the counter of the loop that takes it plus the `distance`.
    """

    maker: Defined
    known: Collection[str]
    taker: Course
    stem: Stem
    distance: int
    span: Span


def early_rows(taken: Iterable[Taken]) -> dict[Stem, int]:
    """How many values before the first step later loops take, by the names.

    Raises `UnknownNameError` for steps that are known to be missing.
    """
    found: dict[Stem, int] = {}
    for x in taken:
        found[x.stem] = max(found.get(x.stem, 0), _early(x))
    return found


def _early(taken: Taken) -> int:
    maker, taker, stem = taken.maker, taken.taker, taken.stem
    course, offset = maker.course, maker.offsets[stem]
    if is_open(course.lowest):
        raise unsupported(
            "steps are taken from an earlier one by their numbers, and the lowest of these is no "
            "number",
            taken.span,
            "let that loop begin or end at a number",
        )
    lowest, highest = (_plus(x, taken.distance) for x in (taker.lowest, taker.highest))
    first, last = (lowest, highest) if course.direction > 0 else (highest, lowest)
    behind = course.from_last(last)
    if behind is not None and course.lag(behind, offset) > 0:
        raise UnknownNameError(
            f"the loop that defines `{maker.shown(stem)}` ends before this",
            span=taken.span,
            hint=f"its last step has `{stem.shown(course.at_last(offset))}`, and {taker.counter} "
            f"goes from {taker.at_first(0)} to {taker.at_last(0)}",
        )
    available = 0
    while maker.early(stem, available + 1) in taken.known:
        available += 1
    ahead = course.from_first(first)
    if ahead is None:
        return available
    wanted = max(0, course.lag(offset, ahead))
    if wanted > available:
        missing = stem.shown(course.at_first(course.back(offset, available + 1)))
        raise UnknownNameError(
            f"nothing defines `{missing}` before the loop that defines `{maker.shown(stem)}`",
            span=taken.span,
            hint=f"{taker.counter} goes from {taker.at_first(0)} to {taker.at_last(0)}: "
            f"{missing} = ... before that loop, or fewer steps",
        )
    return wanted


def _plus(terms: Terms, number: int) -> Terms:
    return {**terms, (): terms.get((), 0) + number}
