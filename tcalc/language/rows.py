"""What a loop that is kept takes of an earlier one, step by step: all of it must be there."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tcalc.errors import Span, UnknownNameError
from tcalc.language.carried import Defined, Stem
from tcalc.language.course import Course, Terms, is_open
from tcalc.language.one_step import unsupported


def early_rows(
    taken: Iterable[tuple[Defined, Course, Stem, int, Span]], known: Collection[str]
) -> dict[Stem, int]:
    """How many values before the first step later loops take, by the names.

    `taken` has who makes something, who takes it, its name, its distance from the counter of the
    one who takes it, and where that stands; `known` has the names that are defined.  Raises
    `UnknownNameError` for steps that are known to be missing.
    """
    found: dict[Stem, int] = {}
    for maker, taker, stem, distance, span in taken:
        early = _early(maker, taker, stem, distance, span, known)
        found[stem] = max(found.get(stem, 0), early)
    return found


def _early(
    maker: Defined,
    taker: Course,
    stem: Stem,
    distance: int,
    span: Span,
    known: Collection[str],
) -> int:
    course, offset = maker.course, maker.offsets[stem]
    if is_open(course.lowest):
        raise unsupported(
            "steps are taken from an earlier one by their numbers, and the lowest of these is no "
            "number",
            span,
            "let that loop begin or end at a number",
        )
    lowest, highest = _plus(taker.lowest, distance), _plus(taker.highest, distance)
    first, last = (lowest, highest) if course.direction > 0 else (highest, lowest)
    behind = course.from_last(last)
    if behind is not None and course.lag(behind, offset) > 0:
        raise UnknownNameError(
            f"the loop that defines `{maker.shown(stem)}` ends before this",
            span=span,
            hint=f"its last step has `{stem.shown(course.at_last(offset))}`, and {taker.counter} "
            f"goes from {taker.at_first(0)} to {taker.at_last(0)}",
        )
    available = 0
    while maker.early(stem, available + 1) in known:
        available += 1
    ahead = course.from_first(first)
    if ahead is None:
        return available
    wanted = max(0, course.lag(offset, ahead))
    if wanted > available:
        missing = stem.shown(course.at_first(course.back(offset, available + 1)))
        raise UnknownNameError(
            f"nothing defines `{missing}`",
            span=span,
            hint=f"{taker.counter} goes from {taker.at_first(0)} to {taker.at_last(0)}: "
            f"{missing} = ... before the loop, or fewer steps",
        )
    return wanted


def _plus(terms: Terms, number: int) -> Terms:
    return {**terms, (): terms.get((), 0) + number}
