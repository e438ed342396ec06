"""The reference evaluator: plain NumPy, slow and obvious, the oracle of the tests.

Every node is computed by the definition of its kind and nothing is optimised: unit tensors are
formed, inverses are inverses.  Compiled code must agree with it.

>>> import numpy as np
>>> from tcalc.expr import build, shape
>>> X, w = build.var("X", shape("m", "n")), build.var("w", shape("n"))
>>> y = build.einsum([X, w], "ij,j->i")
>>> evaluate([y], {"X": np.eye(2), "w": np.array([3.0, 4.0])})[0]
array([3., 4.])
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, assert_never

import numpy as np

from tcalc.errors import ArgumentError, DomainError, LimitError, suggestion
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.primitive import Labels
from tcalc.expr.traverse import postorder, variables
from tcalc.primitives.arrays import NumPyArray as Array
from tcalc.primitives.messages import described
from tcalc.primitives.onehot import advice, is_onehot
from tcalc.primitives.selection import UnitVector, Window


def evaluate(
    roots: Sequence[Node],
    values: Mapping[str, Any],
    sizes: Mapping[str, int] | None = None,
    *,
    disturb: Callable[[Array], Array] | None = None,
) -> list[Array]:
    """The values of the roots for given inputs.

    `values` maps the names of variables to arrays; `sizes` gives dimensions that no variable has.
    What is computed on the way passes through `disturb`, which shows what rounding does.
    Raises `ArgumentError` for arrays that do not fit, and what the primitives raise where they
    have no value.
    """
    arrays = {name: _floating(value) for name, value in values.items()}
    known = {**(sizes or {}), **measure(variables(roots), arrays, sizes)}
    results: dict[Node, Any] = {}
    outputs: dict[tuple[Any, ...], Any] = {}
    for node in postorder(roots):
        match node:
            case Var(name=name):
                results[node] = arrays[name]
            case Const(value=value):
                results[node] = np.full(numbers(node.dims, known), _double(value))
            case Delta():
                results[node] = np.eye(node.dims[0].evaluate(known))
            case Add(terms=terms):
                results[node] = sum(_double(c) * results[term] for c, term in terms)
            case Einsum():
                results[node] = _contract(node, [results[f] for f in node.factors], known)
            case Apply(primitive=primitive, args=args, output=output):
                key = (primitive, args)
                if key not in outputs:
                    if args:
                        outputs[key] = _applied(node, [results[x] for x in args])
                    else:
                        outputs[key] = primitive.constant(node.dims, known)
                value = outputs[key]
                results[node] = value[output] if primitive.outputs > 1 else value
            case _:
                assert_never(node)
        if disturb is not None and node.operands:
            results[node] = disturb(results[node])
    return [np.asarray(results[root]) for root in roots]


def _applied(node: Apply, arrays: Sequence[Array]) -> Any:
    """The value of a primitive; its complaint of a matrix names the argument too."""
    try:
        return node.primitive.evaluate(*arrays)
    except np.linalg.LinAlgError as error:
        _, _, fact = str(error).partition(": ")
        raise np.linalg.LinAlgError(f"{described(node)}: {fact or error}") from error
    except IndexError as error:
        raise IndexError(f"{described(node)}: {error}") from error


def evaluate_data(
    roots: Sequence[Node],
    data: Mapping[str, Any],
    inputs: Sequence[Var],
    sizes: Mapping[str, int] | None = None,
) -> list[Array]:
    """The same on data of a user's, for some or all `inputs` of a program.

    Raises `ArgumentError` for data that are missing or unknown, no numbers, or of the wrong
    shape, `DomainError` where a function has no value, `LimitError` for what memory cannot hold.
    """
    require_names(data, inputs, [node.name for node in variables(roots)])
    arrays = {name: numbers_of(name, value) for name, value in data.items()}
    present = [x for x in inputs if x.name in arrays]
    known = {**(sizes or {}), **measure(present, arrays, sizes)}
    try:
        return evaluate(roots, arrays, known)
    except KeyError as error:
        raise ArgumentError(
            f"the size {error.args[0]} of a result is not known", hint="give all arguments"
        ) from error
    except LimitError:
        raise
    except TypeError as error:
        if (refused := of_real_numbers(error, arrays.values())) is None:
            raise
        raise refused from error
    except IndexError as error:
        raise ArgumentError(str(error), hint=advice(error)) from error
    except ValueError as error:
        raise DomainError(complaint(error)) from error
    except MemoryError as error:
        raise LimitError(
            "a result on the way does not fit into memory",
            hint="tcalc.compile forms fewer and smaller ones",
        ) from error


def complaint(error: ValueError) -> str:
    """What NumPy says of arrays, in words for those who have not called it.

    >>> complaint(ValueError("zero-size array to reduction operation maximum which has no ..."))
    'there is no maximum of no numbers'
    """
    found = re.match(r"zero-size array to reduction operation (\w+)", str(error))
    return f"there is no {found[1]} of no numbers" if found else str(error)


def require_names(data: Iterable[str], inputs: Iterable[Var], needed: Iterable[str]) -> None:
    """Raise `ArgumentError` for names that no input has, and then for needed values not given."""
    given = set(data)
    known = {node.name: f"{node.name}{_axes(node)}" for node in inputs}
    takes = f"it takes {', '.join(known.values()) or 'nothing'}"
    for name in data:
        if name not in known:
            hint = suggestion(name, known.keys() - given, otherwise=takes)
            raise ArgumentError(f"there is no argument {name!r}", hint=hint)
    missing = [name for name in needed if name not in given]
    if missing:
        raise ArgumentError(f"no value for {', '.join(missing)}", hint=takes)


def _double(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        raise LimitError("a number of the program is beyond the range of doubles") from None


def numbers_of(name: str, value: Any) -> Array:
    """What is given under a name as an array of floats; raises `ArgumentError` for all else."""
    if hasattr(value, "toarray") and hasattr(value, "dtype"):
        raise ArgumentError(
            f"{name} is a sparse matrix, which compiled functions take, and problems as data",
            hint=f"give a dense array: {name}.toarray()",
        )
    if np.ma.is_masked(value):
        raise ArgumentError(f"{name} has masked entries, which have no value: fill or drop them")
    try:
        array = _floating(plain(value))
    except ValueError as error:
        raise ArgumentError(f"{name} is not an array of numbers: {error}") from None
    if array.dtype.kind not in "fc":
        raise ArgumentError(f"{name} has the type {array.dtype}, and should have numbers")
    return array


def plain(value: Any) -> Any:
    """An exact number as a float: a fraction, or an integer beyond those of NumPy.

    Raises `ArgumentError` where it is beyond the range of doubles.
    """
    if isinstance(value, Fraction) or (type(value) is int and value.bit_length() > 63):
        try:
            return float(value)
        except OverflowError:
            raise ArgumentError("a number is beyond the range of doubles") from None
    return value


def of_real_numbers(error: Exception, arrays: Iterable[Any]) -> ArgumentError | None:
    """What a `TypeError` of NumPy means where arrays are complex; None where they are not."""
    if "ufunc" not in str(error) or not any(map(np.iscomplexobj, arrays)):
        return None
    return ArgumentError(
        "the arguments are complex, and a function of the program takes real numbers",
        hint=str(error).partition(",")[0],
    )


def _floating(value: Any) -> Array:
    """An array of which powers and quotients are those of numbers, not of integers."""
    array = np.asarray(value)
    return array.astype(float) if array.dtype.kind in "biu" else array


def numbers(dims: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """A shape in numbers."""
    return tuple(dim.evaluate(sizes) for dim in dims)


def measure(
    inputs: Sequence[Var], arrays: Mapping[str, Array], beside: Mapping[str, int] | None = None
) -> dict[str, int]:
    """The sizes of named dimensions, read off the arrays; every array must agree with them.

    `beside` has sizes that arrays need not tell.
    """
    given = beside or {}
    sizes: dict[str, int] = {}
    for node in inputs:
        array = arrays[node.name]
        if array.ndim != node.order:
            raise _misfit(node, array)
        for dim, number in zip(node.dims, array.shape, strict=True):
            if dim.is_name:
                sizes.setdefault(str(dim), number)
    for node in inputs:
        for dim, number in zip(node.dims, arrays[node.name].shape, strict=True):
            _solve(dim, number, sizes)
    for node in inputs:
        unknown = sorted({name for dim in node.dims for name in dim.names()} - set(sizes))
        sizes |= {name: given[name] for name in unknown if name in given}
        unknown = [name for name in unknown if name not in sizes]
        if unknown:
            raise ArgumentError(
                f"the size {unknown[0]} cannot be told from the shape of {node.name}",
                hint="declare an input that has it as an axis",
            )
        if numbers(node.dims, sizes) != arrays[node.name].shape:
            raise _clash(node, inputs, arrays[node.name].shape, numbers(node.dims, sizes))
    return sizes


def _solve(dim: Dim, number: int, sizes: dict[str, int]) -> None:
    """The one unknown size in a dimension that is linear in it, as in ``2*n + 1``."""
    unknown = sorted(dim.names() - set(sizes))
    if len(unknown) != 1:
        return
    (name,) = unknown
    low, middle, high = (dim.evaluate({**sizes, name: size}) for size in (0, 1, 2))
    slope = middle - low
    if high - middle == slope != 0 and (number - low) % slope == 0:
        size = (number - low) // slope
        if size >= 0:
            sizes[name] = size


def _misfit(node: Var, array: Array) -> ArgumentError:
    wanted = _axes(node) or "a number"
    return ArgumentError(
        f"{node.name} has the shape {array.shape}, and should be {wanted}",
        hint=reshaped(node, array.shape),
    )


def _clash(
    node: Var, inputs: Sequence[Var], shape: tuple[int, ...], due: tuple[int, ...]
) -> ArgumentError:
    """The error for an array whose shape does not agree with those of others."""
    pairs = zip(node.dims, shape, due, strict=True)
    dim, size = next((dim, wanted) for dim, has, wanted in pairs if has != wanted)
    says = next((other.name for other in inputs if other is not node and dim in other.dims), None)
    return ArgumentError(
        f"{node.name} has the shape {shape}, and should be {_axes(node)} = {due}",
        hint=None if says is None else f"{dim} = {size} is what {says} says",
    )


def reshaped(node: Var, shape: tuple[int, ...]) -> str | None:
    """How an array of another number of axes is made one that fits; None where that is not plain.

    >>> from tcalc.expr import build, shape
    >>> reshaped(build.var("w", shape("n")), (5, 1))
    'a vector has one axis: w.ravel()'
    """
    match node.order:
        case 0 if math.prod(shape) == 1:
            return f"a number has no axes: {node.name}.item()"
        case 1 if len(shape) > 1 and shape.count(1) >= len(shape) - 1:
            return f"a vector has one axis: {node.name}.ravel()"
        case 2 if len(shape) == 1:
            column, row = f"{node.name}[:, None]", f"{node.name}[None, :]"
            return f"a matrix has two axes: {column} is a column, {row} a row"
    if len(shape) == node.order + 1 and node.order:
        return f"a batch is one more index in the program, {node.name}[{_batched(node.order)}]"
    return None


def _batched(order: int) -> str:
    """Indices for an axis of a batch and those of one of its tensors."""
    return ",".join("bijklmnopq"[: order + 1])


def _axes(node: Var) -> str:
    return f"[{', '.join(map(str, node.dims))}]" if node.dims else ""


def _contract(node: Einsum, arrays: Sequence[Array], sizes: Mapping[str, int]) -> Array:
    """The sum of products, label by label; output labels that no factor has get a ones vector.

    A unit tensor puts the others on a diagonal, which is 0 beside it also where they are infinite.
    What a slice leaves out is not seen, be it infinite.
    """
    tied: dict[int, int] = {}
    others: list[tuple[Array, Labels]] = []
    selecting: list[int] = []
    for factor, array, labels in zip(node.factors, arrays, node.subscripts, strict=True):
        if isinstance(factor, Delta) and set(labels) <= set(node.output):
            first, second = (tied.get(label, label) for label in labels)
            tied = {label: first if to == second else to for label, to in tied.items()}
            tied[second] = first
        else:
            kept = {*node.output, *labels[:-1]}
            if _selects(factor) and labels[-1] not in kept and array.shape[-1]:
                selecting.append(len(others))
            others.append((array, labels))
    operands: list[Any] = []
    for array, labels in _selected(others, selecting):
        operands += [array, [tied.get(label, label) for label in labels]]
    output = [tied.get(label, label) for label in node.output]
    carried = {label for row in operands[1::2] for label in row}
    shape = numbers(node.dims, sizes)
    for label, size in dict(zip(output, shape, strict=True)).items():
        if label not in carried:
            operands += [np.ones(size), [label]]
    distinct = list(dict.fromkeys(output))
    found = np.asarray(np.einsum(*operands, distinct, optimize=len(operands) > 4))
    if not tied:
        return found
    result = np.zeros(shape, found.dtype)
    np.einsum(result, output, distinct)[...] = found
    return result


def _selects(node: Node) -> bool:
    """Whether a tensor has a single one along its last axis, and else zeros."""
    return isinstance(node, Apply) and (
        isinstance(node.primitive, UnitVector | Window) or is_onehot(node)
    )


def _selected(
    factors: Sequence[tuple[Array, Labels]], selecting: Sequence[int]
) -> list[tuple[Array, Labels]]:
    """The factors of a product, where those that select have taken the elements of the others."""
    found = list(factors)
    done: set[int] = set()
    # What is taken from one along its last axis does not have a single one there any longer.
    taken_from: set[int] = set()
    for k in selecting:
        if k in taken_from:
            continue
        ones, (*rows, long) = found[k]
        users = [j for j, (_, row) in enumerate(found) if long in row and j not in {k, *done}]
        if not users or any(found[j][1].count(long) > 1 for j in users):
            continue
        for j in users:
            array, row = found[j]
            at = row.index(long)
            taken = np.take(array, ones.argmax(axis=-1), axis=at)
            found[j] = taken, (*row[:at], *rows, *row[at + 1 :])
            if at == len(row) - 1:
                taken_from.add(j)
        done.add(k)
    return [factor for k, factor in enumerate(found) if k not in done]
