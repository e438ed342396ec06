"""Arrays in: from files, or as they are typed.  Arrays out: as text, as JSON, to a file.

Files are .npz (arrays by name), .npy (one array), .csv (a matrix; or columns by name, under a
header), and .json (nested lists, or an object of them by name).  Nothing in them is executed:
pickled objects are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias
from zipfile import is_zipfile

import click
import numpy as np

from tcalc.cli.output import save, tell
from tcalc.cli.tables import first_text, is_number, read_table
from tcalc.errors import ArgumentError
from tcalc.expr.nodes import Var
from tcalc.primitives.arrays import NumPyArray as Array

Content: TypeAlias = "Array | dict[str, Array]"

SHOWN = 256
"""The most entries of an array that are printed all."""

NAMED = re.compile(r"(\w+)=(.+)", re.DOTALL)


def load_data(given: Sequence[str], variables: Mapping[str, Var]) -> dict[str, Array]:
    """The arrays of all ``--data``: ``NAME=FILE`` for one variable, ``FILE`` for many by name.

    In place of a file there may be numbers: ``x=1,2,3``, ``A=[[1,2],[3,4]]``.  Of a file and a
    variable that is named beside it, the later one counts.
    """
    arrays: dict[str, Array] = {}
    named: dict[str, str] = {}
    for item in given:
        match = NAMED.fullmatch(item)
        if match is None:
            arrays.update(_whole_file(_place(item), variables))
        else:
            name, place = match.groups()
            if name in named:
                raise ArgumentError(f"--data: {name} is given twice, as {named[name]} and {place}")
            if name not in variables:
                known = ", ".join(variables) or "none"
                raise ArgumentError(
                    f"--data: no variable {name!r} in the program", hint=f"it has {known}"
                )
            named[name] = place
            typed = _typed(place, variables[name])
            arrays[name] = _single(name, _place(place), variables) if typed is None else typed
    return arrays


def _typed(text: str, variable: Var) -> Array | None:
    """The numbers of a variable as they are typed; None for what names a file."""
    cells = text.split(",")
    if all(map(is_number, cells)):
        array = np.array(cells, dtype=float)
        return array.reshape(()) if len(cells) == 1 and not variable.order else array
    if not text.lstrip().startswith("["):
        return None
    with _told(f"the numbers of {variable.name}", "lists as in JSON: [[1,2],[3,4]]"):
        return _of_lists(json.loads(text))


def _place(path: str) -> Path:
    """Where a file is; shells leave a tilde as it is if an equals sign is before it."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # nobody is called so
        return Path(path)


def to_text(array: Array) -> str:
    """A number in full, an array as NumPy shows it, long ones with gaps."""
    if array.ndim == 0:
        return repr(array.item())
    edge = 3 if array.ndim <= 2 else 2
    return np.array2string(array, separator=", ", threshold=SHOWN, edgeitems=edge)


def not_finite(array: Array) -> str | None:
    """What is to be said of numbers that are not finite, behind the name of the array.

    >>> not_finite(np.array(np.inf)), not_finite(np.array([1.0, np.nan]))
    ('is infinite', 'has entries that are not a number: 1 of 2')
    """
    nan = int(np.isnan(array).sum())
    count = nan + int(np.isinf(array).sum())
    if not count:
        return None
    kinds = ["infinite"] * (count > nan) + ["not a number"] * (nan > 0)
    what = " or ".join(kinds)
    return f"has entries that are {what}: {count} of {array.size}" if array.ndim else f"is {what}"


def to_lists(array: Array) -> Any:
    """Nested lists for JSON, where NaN, infinities and complex numbers become text."""
    if np.iscomplexobj(array):
        return array.astype(str).tolist()
    if np.all(np.isfinite(array)):
        return array.tolist()
    return np.where(np.isfinite(array), array.astype(object), array.astype(str)).tolist()


def require_npz(path: str) -> None:
    """Refuse the name of a file that is not an .npz file."""
    if not path.endswith(".npz"):
        raise click.UsageError(f"The results go to an .npz file, and {path!r} is none.")


def save_npz(path: str, arrays: Mapping[str, Array]) -> None:
    """Write arrays by name to an .npz file."""
    # savez takes names as keywords, and has one of its own.
    named = {name: np.asarray(array) for name, array in arrays.items()}
    save(path, lambda file: np.savez(file, allow_pickle=False, **named))


def _whole_file(path: Path, variables: Mapping[str, Var]) -> dict[str, Array]:
    content = _read(path)
    if not isinstance(content, dict):
        fitting = [name for name, x in variables.items() if x.order == content.ndim]
        name = next(iter(fitting or variables), "X")
        raise ArgumentError(
            f"{path} holds one array without a name", hint=f"say whose it is: --data {name}={path}"
        )
    unknown = [name for name in content if name not in variables]
    if unknown:
        tell(f"{path}: not in the program, left out: {', '.join(unknown)}")
    return {
        name: _numbers(name, array, path) for name, array in content.items() if name in variables
    }


def _single(name: str, path: Path, variables: Mapping[str, Var]) -> Array:
    content = _read(path)
    if isinstance(content, dict):
        if name not in content and len(content) != 1:
            raise ArgumentError(f"{path} has no array {name!r}, but {', '.join(content)}")
        content = content[name] if name in content else next(iter(content.values()))
    content = _numbers(name, content, path)
    order = variables[name].order
    if path.suffix.lower() == ".csv" and order < 2 and content.size == max(content.shape):
        # A file of rows cannot tell a vector from a matrix of one row or one column.
        return content.reshape(-1) if order else content.reshape(())
    return content


def _numbers(name: str, array: Array, path: Path) -> Array:
    """An array of numbers; raises `ArgumentError` for a column of text."""
    if array.dtype.kind != "U":
        return array
    if path.suffix.lower() != ".csv":
        raise ArgumentError(f"{path}: {name} holds texts instead of numbers")
    row, cell = first_text(array)
    missing = cell.casefold() in ("", "na", "n/a", "null", "none", "-")
    raise ArgumentError(
        f"{path}: {cell!r} in row {row} of {name} is no number",
        hint="fill or drop what is missing, or write nan" if missing else None,
    )


def _read(path: Path) -> Content:
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ArgumentError(
            f"{path}: data come from {', '.join(READERS)} files",
            hint=HINTS.get(
                path.suffix.lower(),
                "numbers are typed as --data x=1,2,3 or --data 'A=[[1,2],[3,4]]'",
            ),
        )
    try:
        with _told(path, HINTS.get(path.suffix.lower())):
            return reader(path)
    except OSError as error:
        raise ArgumentError(f"cannot read {path}: {error.strerror or error}") from None


@contextmanager
def _told(place: object, hint: str | None) -> Iterator[None]:
    """Whatever is wrong with numbers, told as an error in what holds them."""
    try:
        yield
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ArgumentError(f"cannot read {place}: {_reason(error)}", hint=hint) from None


def _reason(error: Exception) -> str:
    """Why a file cannot be read, as far as those who wrote it need to know."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is not UTF-8"
    if isinstance(error, RecursionError):
        return "its lists are nested too deep"
    reason, *_ = re.split(r"\n|; use `usecols`", str(error))
    if "pickle" in reason:  # what NumPy says further is how to run them
        return "it holds objects of Python instead of numbers"
    if "integer string conversion" in reason:
        return "a number in it has too many digits"
    return reason


def _read_npz(path: Path) -> Content:
    with path.open("rb") as file:
        if not is_zipfile(file):
            raise ValueError("it is no .npz file")
    with _damage_told(), np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _read_npy(path: Path) -> Content:
    magic = b"\x93NUMPY"
    with path.open("rb") as file:
        if file.read(len(magic)) != magic:
            raise ValueError("it is no .npy file")
    with _damage_told():
        return np.asarray(np.load(path, allow_pickle=False))


@contextmanager
def _damage_told() -> Iterator[None]:
    """NumPy lets through what its parts raise of a damaged file, which is of many kinds."""
    try:
        yield
    except (OSError, MemoryError, ValueError):
        raise
    except Exception:
        raise ValueError("it is damaged") from None


def _read_json(path: Path) -> Content:
    content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_by_name)
    if isinstance(content, dict):
        return {name: _of_lists(value) for name, value in content.items()}
    return _of_lists(content)


def _by_name(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"two arrays have the name {twice}")
    return found


def _of_lists(content: Any) -> Array:
    """An array of nested lists of numbers, which may be written as `to_lists` writes them."""
    try:
        array = np.array(content)
    except ValueError:
        raise ValueError("lists beside each other in it have different lengths") from None
    if array.dtype.kind in "OU":
        array = np.array(content, dtype=object)  # beside a text, numbers would be texts too
        for value in array.flat:
            if not isinstance(value, int | float) and value not in ("nan", "inf", "-inf"):
                raise ValueError(f"{json.dumps(value, ensure_ascii=False)} is no number")
    return array.astype(float)


HINTS = {
    **dict.fromkeys(
        (".dat", ".tsv", ".txt", ".xls", ".xlsx"), "a table is read as .csv: save it as that"
    ),
    ".mat": "scipy.io.loadmat reads it in Python, and numpy.savez writes .npz",
    **dict.fromkeys((".pt", ".pth"), "numpy.savez writes .npz, of tensor.numpy() by name"),
    **dict.fromkeys((".pkl", ".pickle"), "pickles are not read, they can run anything: use .npz"),
    ".csv": "rows of numbers with commas between them, and names in the first line, or none",
    ".json": "an array as nested lists of numbers, or an object of such arrays by name",
}
"""What a file has to hold, or what to do with one of another kind."""

READERS: dict[str, Callable[[Path], Content]] = {
    ".npz": _read_npz,
    ".npy": _read_npy,
    ".csv": read_table,
    ".json": _read_json,
}
