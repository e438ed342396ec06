"""Tables of comma-separated values, as spreadsheets and programs of statistics write them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tcalc.primitives.arrays import NumPyArray as Array

_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", " ": "blanks"}


def read_table(path: Path) -> Array | dict[str, Array]:
    """A matrix; or, where the first line has no number, its columns by the names in that line.

    A column in which something is no number comes as text, for the program may not need it; one
    without a name holds the names of rows, and is left out.  Raises `ValueError` for what is no
    such table.
    """
    text = path.read_text(encoding="utf-8-sig")
    if "\0" in text:
        raise ValueError("it holds bytes that are no text")
    lines = [line for line in text.splitlines() if line.strip() and line.lstrip()[0] != "#"]
    (first,) = _rows(lines[:1]) or [[]]
    if len(first) == 1:
        for separator, called in _OTHER_SEPARATORS.items():
            if separator in first[0]:
                raise ValueError(f"its columns are separated by {called}")
    named = bool(first) and not any(map(is_number, first))
    if len(lines) == named:
        raise ValueError("it has no rows of numbers")
    columns = _columns(lines[named:])
    if not named:
        for place, column in enumerate(columns, 1):
            if column.dtype.kind != "f":
                row, cell = first_text(column)
                raise ValueError(f"{cell!r} in row {row}, column {place}, is no number")
        return np.stack(columns, axis=1)
    if len(columns) != len(first):
        raise ValueError(f"{len(first)} names for {len(columns)} columns")
    for name in first:
        if name and first.count(name) > 1:
            raise ValueError(f"two columns have the name {name}")
    return {name: column for name, column in zip(first, columns, strict=True) if name}


def first_text(column: Array) -> tuple[int, str]:
    """The first cell of a column of text that is no number, after its place from 1."""
    return next((row, str(cell)) for row, cell in enumerate(column, 1) if not is_number(cell))


def _columns(lines: Sequence[str]) -> list[Array]:
    """The columns of a table: arrays of numbers, or of text where some cell is none."""
    try:
        return list(np.loadtxt(lines, delimiter=",", ndmin=2, quotechar='"').T)
    except ValueError:
        rows = _rows(lines)
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise ValueError(f"row {number} has {len(row)} columns, and the first {len(rows[0])}")
    return [_converted(column) for column in zip(*rows, strict=True)]


def _converted(cells: Sequence[str]) -> Array:
    return np.array(cells, dtype=float if all(map(is_number, cells)) else str)


def _rows(lines: Sequence[str]) -> list[list[str]]:
    """The cells of lines, without blanks around them and quotes."""
    return [[cell.strip() for cell in row] for row in csv.reader(lines, skipinitialspace=True)]


def is_number(cell: str) -> bool:
    """Whether a text is a number as Python writes it."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
