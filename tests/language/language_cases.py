"""One line per ruling: the value of a program against a formula in plain NumPy."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tcalc.errors import TcalcError
from tcalc.expr import Var
from tcalc.interpret import evaluate
from tcalc.language import parse

SIZES = {"m": 3, "n": 4, "p": 5, "q": 2, "r": 6, "s": 3, "b": 2, "k": 3, "T": 5}


def sample(variable: Var) -> np.ndarray[Any, Any]:
    """Data for a variable, the same for the same name and shape, of its declared properties."""
    shape = [dim.evaluate(SIZES) for dim in variable.dims]
    data = np.random.default_rng(zlib.crc32(variable.name.encode())).normal(size=shape)
    if {"spd", "psd"} & set(variable.properties):
        return data @ np.swapaxes(data, -1, -2) + np.eye(shape[-1])
    if "symmetric" in variable.properties:
        return data + np.swapaxes(data, -1, -2)
    if "lower" in variable.properties:
        return np.tril(data) + 3 * np.eye(*shape[-2:])
    if {"positive", "nonnegative"} & set(variable.properties):
        return np.abs(data) + 0.1
    return data


def value(text: str, declarations: str = "", **parameters: float) -> Any:
    """The value of a program on sampled data."""
    return run(text, declarations, **parameters)[0]


def run(text: str, declarations: str = "", **parameters: float) -> tuple[Any, dict[str, Any]]:
    program = parse(text, declarations, **parameters)
    arrays = {name: sample(variable) for name, variable in program.variables.items()}
    return evaluate([program.value], arrays, SIZES)[0], arrays


def check(
    text: str, expected: Callable[..., Any], declarations: str = "", **parameters: float
) -> None:
    """The program has the value of a function of its variables, in value and in shape."""
    found, arrays = run(text, declarations, **parameters)
    names = inspect.signature(expected).parameters
    wanted = np.asarray(expected(*(arrays[name] for name in names)))
    assert np.shape(found) == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)


def same(left: str, right: str, declarations: str = "") -> None:
    """Two programs with one node as their value."""
    assert parse(left, declarations).value is parse(right, declarations).value


def refused(
    text: str,
    kind: type[TcalcError],
    at: tuple[int, int],
    hint: str = "",
    declarations: str = "",
    **parameters: float,
) -> TcalcError:
    """The program is refused by an error of that very kind, at that line and column."""
    with pytest.raises(TcalcError) as caught:
        parse(text, declarations, **parameters)
    error = caught.value
    assert type(error) is kind, error
    assert (error.line, error.column) == at, error
    assert hint in (error.hint or ""), error
    shown = str(error)
    assert "^" in shown
    assert f"line {at[0]}, column {at[1]}" in shown
    return error
