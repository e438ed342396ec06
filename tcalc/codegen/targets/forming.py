"""Sums formed in arrays of their own: whole terms first, then those on parts of the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Protocol

from tcalc.codegen.placement import fills, stacked, written
from tcalc.codegen.program import Addend, Placed, Slice, Sum
from tcalc.codegen.targets.overwriting import Terms, add_to
from tcalc.codegen.targets.target import Writer, number_text
from tcalc.expr.dims import Shape

WIDTH = 84
"""The longest expression of a sum that is written in one statement."""
TERMS = 3
"""The most terms of a sum in one statement; of more, each is added in place."""


class Summing(Terms, Protocol):
    """How a target writes the terms of sums and shapes.

    One that `concatenates` has one call for arrays one after the other.
    """

    concatenates: bool

    def shape(self, dims: Shape, writer: Writer) -> str: ...

    def term(self, addend: Addend | Placed, writer: Writer, order: int = 0) -> str: ...


def formed(target: Summing, total: Sum, name: str, writer: Writer) -> list[str]:
    """A fresh buffer, and then one term a statement; a common coefficient comes last."""
    if target.concatenates and (parts := stacked(total)):
        return _stack(target, parts, name, writer)
    common, addends = _common(total)
    order = len(total.dims)
    terms = [target.term(addend, writer, order) for addend in addends]
    lines: list[str] = []
    if not total.spans:
        lines.append(_blank(target, total, name, writer))
        if len(terms) == 1 and total.addends[0].view.value.weak:
            terms = []
    else:
        begin = _spanning(total)
        if len(terms) <= TERMS and sum(map(len, terms)) < WIDTH:
            begin = len(terms)
        text = _joined(terms[:begin])
        scaled = begin < len(terms) and common != 1
        if common != 1 and not scaled:
            text = f"{_signed(common)} * ({text})"
        if begin == 1 and addends[0].coefficient == 1:
            text = f"{text}.copy()" if total.dims else text
        lines.append(f"{name} = {text}")
        lines += [add_to(name, term) for term in terms[begin:]]
        terms = []
        if scaled:
            lines.append(f"{name} *= {_signed(common)}")
    lines += [add_to(name, term) for term in terms]
    places = zip(total.placed, written(total), strict=True)
    return lines + [target.place(part, name, writer, alone) for part, alone in places]


def _stack(target: Summing, parts: Sequence[Placed], name: str, writer: Writer) -> list[str]:
    """Arrays one after the other along their first axis; one that is a row gets that axis."""
    lines = [f"{name} = np.concat(("]
    line = ""
    for part in parts:
        row = not isinstance(part.index[0], Slice)
        view = replace(part.view, axes=(None, *part.view.axes)) if row else part.view
        text = f"{target.term(replace(part, view=view), writer)},"
        if line and len(line) + len(text) > WIDTH:
            lines.append(f"   {line}")
            line = ""
        line += f" {text}"
    return [*lines, f"   {line}", "))"]


def _blank(target: Summing, total: Sum, name: str, writer: Writer) -> str:
    shape, dtype = target.shape(total.dims, writer), writer.dtype()
    if len(total.addends) == 1 and total.addends[0].view.value.weak:
        (addend,) = total.addends
        text = target.term(addend, writer)
        if text in ("0", "1"):
            return f"{name} = np.{'ones' if text == '1' else 'zeros'}({shape}, {dtype})"
        return f"{name} = np.full({shape}, {text}, {dtype})"
    return f"{name} = np.{'empty' if fills(total) else 'zeros'}({shape}, {dtype})"


def _common(total: Sum) -> tuple[Fraction, Sequence[Addend]]:
    """The coefficient that all addends share, up to sign, and what is left of them."""
    if not total.spans or len(total.addends) < 2:
        return Fraction(1), total.addends
    common = abs(total.addends[0].coefficient)
    if common == 1 or any(abs(addend.coefficient) != common for addend in total.addends):
        return Fraction(1), total.addends
    if all(addend.coefficient < 0 for addend in total.addends):
        common = -common
    rest = [replace(x, coefficient=x.coefficient / common) for x in total.addends]
    return common, rest


def _signed(number: Fraction) -> str:
    return ("-" if number < 0 else "") + number_text(abs(number))


def _joined(terms: Sequence[str]) -> str:
    first, *rest = terms
    return first + "".join(f" - {t[1:]}" if t.startswith("-") else f" + {t}" for t in rest)


def _spanning(total: Sum) -> int:
    """How many terms, from the first on, it takes to give the sum its full shape."""
    order = len(total.dims)
    covered: set[int] = set()
    for count, addend in enumerate(total.addends, 1):
        axes = addend.view.axes
        lead = order - len(axes)
        covered |= {lead + k for k, axis in enumerate(axes) if axis is not None}
        if len(covered) == order and count > 1:
            return count
    return len(total.addends)
