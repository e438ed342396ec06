"""Arrays as a compiled function takes them: converted, measured, and refused with a reason."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from tcalc.codegen.checks import as_arrays_and_integers, as_integers, expect_property
from tcalc.codegen.signature import Signature, describe
from tcalc.errors import ArgumentError, suggestion
from tcalc.expr.nodes import Var
from tcalc.expr.properties import CHECKED
from tcalc.interpret import plain, reshaped
from tcalc.primitives.arrays import linalg

FEW = 1 << 13
"""The elements up to which the place of the least is found sooner than the least itself."""

ROWS = 64
"""The rows from which on SciPy's routines for the structure of a matrix are worth their import."""

NUMBERS = frozenset((float, int, complex, np.float64, np.float32, np.complex128))
"""The types of numbers whose conversion depends on the type alone."""

PLAIN = frozenset((float, int, bool))
"""The types of numbers that follow the arrays beside them."""

_FLOAT = np.dtype(float)
_NATIVE = (np.dtype(np.float64), np.dtype(np.float32), np.dtype(np.complex128))


def ordered(signature: Signature, given: Mapping[str, Any]) -> list[Any]:
    """The needed arguments in order; raises `ArgumentError` for missing and unknown ones."""
    try:
        values = [given[name] for name in signature.names]
    except KeyError:
        missing = [x for x in signature.arguments if x.name not in given]
        for name in given:
            if name not in signature.dims:
                raise _unknown(signature, name, [x.name for x in missing]) from None
        raise ArgumentError(
            f"the argument {missing[0].name} is missing, which should be {_wanted(missing[0])}",
            hint=f"it takes {signature}",
        ) from None
    if len(given) > len(values):
        refuse_unknown(signature, given)
    return values


def refuse_unknown(signature: Signature, given: Mapping[str, Any]) -> None:
    """Refuse what is none of the function's inputs, and inputs it does not need that do not fit.

    Those are accepted, and their types and shapes are looked at as those of all others.
    """
    some = tuple([x for x in signature.arguments if x.name in given])
    beside = tuple([x for x in signature.unused if x.name in given])
    if len(some) + len(beside) < len(given):
        known = signature.dims
        raise _unknown(signature, next(name for name in given if name not in known), known)
    if beside:
        together = (*some, *beside)
        _require_fit(together, tuple([_shape(x, given[x.name]) for x in together]))


def _unknown(signature: Signature, name: str, meant: Iterable[str]) -> ArgumentError:
    hint = suggestion(name, meant, otherwise=f"it takes {signature}")
    return ArgumentError(f"there is no argument {name!r}", hint=hint)


def refuse_positions(given: Sequence[object], names: Iterable[str]) -> None:
    """Refuse arguments without names."""
    if given:
        example = ", ".join(f"{name}=..." for name in names)
        raise ArgumentError("arguments are given by name", hint=f"write {example}")


def _shape(argument: Var, value: Any) -> tuple[int, ...]:
    """The shape of what is given for an argument, which must be an array of numbers."""
    if getattr(getattr(value, "dtype", None), "kind", "") not in ("f", "c", "i", "u", "b"):
        (value,) = converted(Signature.of([argument], ()), [value])
    return tuple(value.shape)


@lru_cache(maxsize=256)
def _require_fit(arguments: tuple[Var, ...], shapes: tuple[tuple[int, ...], ...]) -> None:
    _agree(Signature.of(arguments, ()), [np.broadcast_to(0.0, shape) for shape in shapes])


def converted(signature: Signature, values: Sequence[Any]) -> list[Any]:
    """The arguments as arrays of one floating-point type."""
    first = getattr(values[0], "dtype", None) if values else None
    if first in _NATIVE and all(type(x) is np.ndarray and x.dtype == first for x in values):
        return [x if x.ndim else x[()] for x in values]
    # A sparse matrix stands for its type only, until the common one is known.
    dense = [np.empty(0, x.dtype) if is_sparse(x) else _plain(x) for x in values]
    pairs = zip(signature.arguments, values, strict=True)
    declared = [f"_{x.name}" for x, value in pairs if is_integer(x) and not is_sparse(value)]
    try:
        arrays: list[Any] = as_arrays_and_integers(
            *declared, **{f"_{name}": x for name, x in zip(signature.names, dense, strict=True)}
        )
    except (TypeError, RuntimeError) as error:  # the latter by arrays of other libraries
        raise ArgumentError(str(error).removeprefix("_")) from None
    for place, value in enumerate(values):
        if is_sparse(value):
            from scipy import sparse

            if len(value.shape) > 2:
                name = signature.names[place]
                raise ArgumentError(
                    f"{name} is a sparse array with {len(value.shape)} axes, and may have two",
                    hint=f"give a dense array: {name}.toarray()",
                )
            arrays[place] = sparse.csr_array(value).astype(arrays[place].dtype)
    return arrays


class CallSignature:
    """What `inspect.signature` tells of a function of arrays, and notebooks complete names by.

    It has the arguments that are not given yet, with their dimensions; those that the results do
    not depend on, and names that Python keeps to itself, are among ``**others``.
    """

    def __get__(self, function: Any, owner: type | None = None) -> Any:
        if function is None:  # the class itself is called otherwise
            raise AttributeError("__signature__")
        import inspect
        from keyword import iskeyword

        signature: Signature = function.signature
        parameters = [
            inspect.Parameter(x.name, inspect.Parameter.KEYWORD_ONLY, annotation=_wanted(x))
            for x in signature.arguments
            if x.name not in function.bound and not iskeyword(x.name)
        ]
        if signature.unused or any(iskeyword(x.name) for x in signature.arguments):
            parameters.append(inspect.Parameter("others", inspect.Parameter.VAR_KEYWORD))
        return inspect.Signature(parameters)


def is_integer(argument: Var) -> bool:
    """Whether integers that are given for an argument take the type of the others."""
    return "integer" in argument.properties


def tells_no_type(argument: Var, value: Any) -> bool:
    """Whether what is given for an argument follows the other arguments."""
    if type(value) in PLAIN:
        return True
    return is_integer(argument) and not is_sparse(value) and _type_of(value).kind in "biu"


def _type_of(value: Any) -> np.dtype[Any]:
    found = getattr(value, "dtype", None)
    return found if isinstance(found, np.dtype) else np.asarray(value).dtype


def common_type(signature: Signature, arguments: Mapping[str, Any]) -> np.dtype[Any]:
    """The floating-point type of results for certain arguments, without a look at what is in them.

    Plain numbers follow the arrays, as integers do that are declared so; all else that is no array
    of floats counts as float64.
    """
    types = [
        dtype if (dtype := getattr(arguments[x.name], "dtype", _FLOAT)).kind in "fc" else _FLOAT
        for x in (*signature.arguments, *signature.unused)
        if x.name in arguments and not tells_no_type(x, arguments[x.name])
    ]
    wide = np.result_type(np.float32, *types) if types else np.dtype(float)
    return min(wide, np.dtype(complex if wide.kind == "c" else float), key=lambda x: x.itemsize)


def _plain(value: Any) -> Any:
    """An exact number as a float: a fraction, or an integer beyond those of NumPy.

    CasADi's matrices have `toarray` as sparse ones have, and become arrays.
    """
    if type(value) is not np.ndarray and hasattr(value, "toarray"):
        return np.asarray(value)
    return plain(value)


def _rounded(kind: Callable[[Any], Any], value: int) -> Any:
    return kind(plain(value))


def of_type(argument: Var, dtype: np.dtype[Any], array: Any) -> Any:
    """An array in the type of the others, which has all integers that are declared so."""
    if not is_integer(argument):
        return np.asarray(array, dtype)[()]
    try:
        return as_integers(argument.name, np.asarray(array), dtype)[()]
    except TypeError as error:
        raise ArgumentError(str(error)) from None


def conversions(
    variables: Sequence[Var], given: Sequence[Any], arrays: Sequence[Any]
) -> Iterator[tuple[int, Callable[[Any], Any]]]:
    """For the arguments that had to be converted, by their places, how that is done again."""
    for place, (argument, array) in enumerate(zip(given, arrays, strict=True)):
        if is_sparse(array):
            continue
        if type(array) is not np.ndarray:
            if type(argument) is int:  # another one may be beyond the range of doubles
                yield place, partial(_rounded, array.dtype.type)
            elif type(argument) is not type(array):
                yield place, array.dtype.type
        elif argument is not array and tells_no_type(variables[place], argument):
            yield place, partial(of_type, variables[place], array.dtype)
        elif argument is not array:
            yield place, partial(np.asarray, dtype=array.dtype)


def looks(arguments: Mapping[str, Any]) -> tuple[Any, ...]:
    """What of some arguments decides what a call does: names, types and shapes."""
    found: list[Any] = [*arguments]
    for x in arguments.values():
        if type(x) is np.ndarray:
            found.append(x.shape)
            found.append(x.dtype)
        else:
            found.append(type(x))
    return tuple(found)


def looks_tell(arguments: Mapping[str, Any]) -> bool:
    """Whether `looks` tells all that decides what a call does: not of lists, nor sparse arrays."""
    return all(type(x) is np.ndarray or type(x) in NUMBERS for x in arguments.values())


def is_sparse(array: Any) -> bool:
    """Whether an argument is one of SciPy's sparse matrices; CasADi's have no type of entries."""
    return type(array) is not np.ndarray and hasattr(array, "toarray") and hasattr(array, "dtype")


def consistent(signature: Signature, given: Mapping[str, Any]) -> None:
    """Refuse arguments, not necessarily all, whose shapes do not fit or contradict each other."""
    part = Signature.of([x for x in signature.arguments if x.name in given], ())
    _agree(part, converted(part, [given[name] for name in part.names]))


def _agree(part: Signature, arrays: Sequence[Any]) -> None:
    """Compare the arrays all of whose sizes are told by one of them."""
    known = set(part.sizes)
    dims = [{name for dim in x.dims for name in dim.names()} for x in part.arguments]
    measured(part, arrays, [k for k, names in enumerate(dims) if names <= known])


def measured(
    signature: Signature, arrays: Sequence[Any], places: Collection[int] | None = None
) -> dict[str, int]:
    """The sizes that the arrays say; raises `ArgumentError` where they do not agree.

    Only the arrays at some places are compared, if these are given.
    """
    for argument, array in zip(signature.arguments, arrays, strict=True):
        if array.ndim != argument.order:
            raise ArgumentError(
                f"{argument.name} has the shape {array.shape}, and should be {_wanted(argument)}",
                hint=reshaped(argument, array.shape),
            )
    sizes = signature.measure([array.shape for array in arrays])
    for place, (argument, array) in enumerate(zip(signature.arguments, arrays, strict=True)):
        if places is not None and place not in places:
            continue
        try:
            shape = tuple(dim.evaluate(sizes) for dim in argument.dims)
        except KeyError as error:
            raise ArgumentError(
                f"{argument.name}: the size {error.args[0]} is not that of any axis"
            ) from None
        if shape != array.shape:
            raise _clash(signature, argument, array.shape, shape)
    return sizes


def verify(arguments: Sequence[Var], arrays: Sequence[Any], check_finite: bool) -> None:
    """Refuse data that are not what they were declared, or not finite where that is asked."""
    for argument, array in zip(arguments, arrays, strict=True):
        if not (check_finite or argument.properties):
            continue
        values = array.data if is_sparse(array) else array
        if check_finite and not np.isfinite(values).all():
            raise ArgumentError(f"{argument.name} has values that are infinite or not a number")
        for kind in argument.properties:
            if kind in CHECKED and not _seen_at_once(kind, array):
                whole = is_sparse(array) and kind not in ("nonnegative", "integer")
                try:
                    expect_property(argument.name, array.toarray() if whole else values, kind)
                except ValueError as error:
                    raise ArgumentError(
                        str(error), hint=f"declare it without {kind!r}, or correct the data"
                    ) from None


def _seen_at_once(kind: str, array: Any) -> bool:
    """Whether one look at its elements shows a matrix to be what it was declared, to the digit."""
    if type(array) is not np.ndarray or array.ndim != 2 or len(array) < ROWS:
        return False
    match kind:
        case "lower":
            return linalg.bandwidth(array)[1] == 0
        case "upper":
            return linalg.bandwidth(array)[0] == 0
        case "diagonal":
            return linalg.bandwidth(array) == (0, 0)
        case "symmetric" | "psd" | "spd":
            return linalg.issymmetric(array)
        case _:
            return False


def to_be_verified(arguments: Sequence[Var], strict: bool) -> list[tuple[int, Var, bool | None]]:
    """The arguments that each call looks at, with their places and what `at_sight` takes."""
    return [
        (place, x, None if strict else sign_of(x))
        for place, x in enumerate(arguments)
        if strict or any(kind in CHECKED for kind in x.properties)
    ]


def at_sight(positive: bool | None, array: Any) -> bool:
    """Whether the least element shows that all are positive, or not negative, as was declared.

    Of other properties, for which `positive` is None, nothing is seen.
    """
    if positive is None:
        return False
    try:
        # The first that is not a number is the least; of complex numbers none is.
        few = array.size <= FEW
        low = array.item(array.argmin()) if few else np.minimum.reduce(array, None)
        return bool(low > 0) if positive else bool(low >= 0)
    except (AttributeError, TypeError, ValueError):
        return False  # a sparse matrix, complex numbers, or nothing at all


def sign_of(argument: Var) -> bool | None:
    """Whether an argument was declared positive, or nonnegative (False), and nothing else."""
    checked = [kind for kind in argument.properties if kind in CHECKED]
    return {"positive": True, "nonnegative": False}.get(checked[0]) if len(checked) == 1 else None


def _wanted(argument: Var) -> str:
    if not argument.dims:
        return "a number"
    return describe(argument).removeprefix(argument.name) or "a number"


def _clash(
    signature: Signature, argument: Var, shape: tuple[int, ...], due: tuple[int, ...]
) -> ArgumentError:
    """The error for a shape that others contradict, with the one that set the size."""
    axis = next(k for k, (a, b) in enumerate(zip(shape, due, strict=True)) if a != b)
    setters = sorted(
        signature.arguments[source.argument].name
        for source in signature.sources
        if source.name in argument.dims[axis].names()
        and signature.arguments[source.argument] is not argument
    )
    hint = (
        f"{argument.dims[axis]} = {due[axis]} is what {', '.join(setters)} says"
        if setters
        else None
    )
    return ArgumentError(
        f"{argument.name} has the shape {shape}, and should be {_wanted(argument)} = {due}",
        hint=hint,
    )
