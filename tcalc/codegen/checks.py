"""What a generated module does with its arguments before it computes.

The sources of these functions are copied into the modules that use them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcalc.primitives.arrays import Array, np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def as_arrays(**arguments: Any) -> list[NDArray[Any]]:
    """The arguments as arrays of one floating-point type; plain numbers follow the arrays."""
    arrays, types, numbers = [], [], []
    for name, argument in arguments.items():
        if hasattr(argument, "toarray"):
            raise TypeError(f"{name} is a sparse matrix, and should be a dense array")
        if np.ma.is_masked(argument):
            raise TypeError(f"{name} has masked entries, which have no value: fill or drop them")
        try:
            array = np.asarray(argument)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name} is not an array of numbers: {error}") from None
        if array.dtype.kind not in "biufc":
            raise TypeError(f"{name} has the type {array.dtype}, and should have numbers")
        arrays.append(array)
        if not isinstance(argument, (int, float, complex)) or isinstance(argument, np.generic):
            types.append(array.dtype if array.dtype.kind in "fc" else np.dtype(float))
        elif array.dtype.kind == "c":
            numbers.append(np.dtype(np.complex64))
    if types:
        wide = np.result_type(*types, *numbers, np.float32)
    else:
        wide = np.result_type(*(array.dtype for array in arrays), float)
    if wide.itemsize > (16 if wide.kind == "c" else 8):
        wide = np.dtype(complex if wide.kind == "c" else float)
    converted = [array.astype(wide, copy=False) for array in arrays]
    return [array if array.ndim else array[()] for array in converted]


def as_arrays_and_integers(*declared: str, **arguments: Any) -> list[NDArray[Any]]:
    """As `as_arrays`, but that integers take the type of the others where they are declared so."""
    following = {}
    for name in declared:
        (array,) = as_arrays(**{name: arguments[name]})
        if np.asarray(arguments[name]).dtype.kind in "biu":
            following[name] = array
    others = {name: x for name, x in arguments.items() if name not in following}
    if not others:
        return as_arrays(**arguments)
    arrays = dict(zip(others, as_arrays(**others), strict=True))
    wide = next(iter(arrays.values())).dtype
    arrays |= {name: as_integers(name, x, wide) for name, x in following.items()}
    return [arrays[name] for name in arguments]


def as_integers(name: str, array: Array, dtype: Any) -> Array:
    """Integers in the type of other numbers; those that it does not have are refused."""
    found = array.astype(dtype, copy=False)
    if found.real.itemsize < 8 and not (found == array).all():
        message = f"{name} has integers that single precision does not have: give it as float64"
        raise TypeError(message)
    return found


def expect_axes(name: str, array: Array, axes: str, count: int) -> None:
    """Refuse an array that has not as many axes as it should."""
    if array.ndim != count:
        raise ValueError(f"{name} has the shape {array.shape}, and should have the axes [{axes}]")


def expect_shape(name: str, array: Array, axes: str, shape: tuple[int, ...]) -> None:
    """Refuse an array whose shape is not the one that the other arguments ask for."""
    if array.shape != shape:
        raise ValueError(f"{name} has the shape {array.shape}, and should have [{axes}] = {shape}")


def expect_supplied(supplied: dict[str, Any], *names: str) -> None:
    """Refuse to begin before there are the functions that are called."""
    for name in names:
        if name not in supplied:
            raise LookupError(f"the function {name} is to be put into `supplied` first")


def expect_property(name: str, array: Array, kind: str) -> None:
    """Refuse an array that is not what it was declared to be; NaN passes."""
    values = array.real
    if values.size == 0:
        return
    # What holds exactly is settled first: it costs one look at the data.
    if kind in ("positive", "nonnegative"):
        low = np.minimum.reduce(values, axis=None)
        if low > 0 or (low == 0 and kind == "nonnegative"):
            return
    elif kind in ("symmetric", "psd", "spd") and (values == values.swapaxes(-1, -2)).all():
        return
    if kind == "orthogonal":
        # One vector tells: all of Q'Q would cost more than most uses of Q.
        other = np.cos(np.arange(values.shape[-1])).astype(values.dtype)[:, None]
        values = values.swapaxes(-1, -2) @ (values @ other)
    elif kind in ("symmetric", "psd", "spd"):
        other, kind = values.swapaxes(-1, -2), "symmetric"
    elif kind in ("lower", "upper"):
        other = np.tril(values) if kind == "lower" else np.triu(values)
        kind += " triangular"
    elif kind == "diagonal":
        other = values * (np.arange(values.shape[-2])[:, None] == np.arange(values.shape[-1]))
    elif kind in ("positive", "nonnegative"):
        other = np.where(values <= 0 if kind == "positive" else values < 0, np.inf, values)
    else:
        other = np.round(values)
    largest = np.abs(np.where(np.isfinite(values), values, 0)).max()
    same = values == other  # as two infinities may be, which have no difference
    apart = np.abs(np.where(same, 0, values) - np.where(same, 0, other))
    if (apart > np.sqrt(np.finfo(values.dtype).eps) * largest).any():
        raise ValueError(f"{name} was declared {kind}, and is not")
