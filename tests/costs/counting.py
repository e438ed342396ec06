"""Arrays that count the floating-point operations that are done with them.

`Counting` is an array of NumPy's whose every ufunc, reduction, contraction and factorisation is
carried out as ever and counted on the way, by what it is given and what it gives.  A generated
module is run on them with `np` and `linalg` replaced by stand-ins, so that what it allocates
counts too and LAPACK's routines are seen.

The conventions are those of `tcalc.codegen.work`; nothing else is taken from there.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from fractions import Fraction
from math import prod
from types import ModuleType
from typing import Any

import numpy as np
from scipy import linalg, special

from tcalc.codegen.host import q_by_blocks

total = Fraction(0)


def count(operations: Any) -> None:
    global total
    total += operations


class Counting(np.ndarray):
    """An array whose use is counted."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
        plain = [np.asarray(x) if isinstance(x, Counting) else x for x in inputs]
        if out:
            options["out"] = tuple(np.asarray(x) if isinstance(x, Counting) else x for x in out)
        result = getattr(ufunc, method)(*plain, **options)
        _count_ufunc(ufunc, method, plain, result)
        return _wrapped(out[0] if out else result)

    def __array_function__(self, function, types, arguments, options):
        plain = _bare(arguments)
        result = function(*plain, **_bare(options))
        _count_function(function, plain, options, result)
        return _wrapped(result)

    def dot(self, other):
        return np.matmul(self, other)

    def __iadd__(self, other):
        # On a view put back by `x[...] += y` the ufunc writes in place.
        return np.add(self, other, out=(self,))


def _bare(value: Any) -> Any:
    if isinstance(value, Counting):
        return np.asarray(value)
    if isinstance(value, tuple | list):
        return type(value)(map(_bare, value))
    if isinstance(value, dict):
        return {key: _bare(x) for key, x in value.items()}
    return value


def _wrapped(value: Any) -> Any:
    if isinstance(value, np.generic) and value.dtype.kind in "fc":
        return np.asarray(value).view(Counting)
    if isinstance(value, np.ndarray):
        return value.view(Counting)
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(map(_wrapped, value))
    if isinstance(value, tuple):  # the named tuples of np.linalg
        return type(value)(*map(_wrapped, value))
    return value


def _count_ufunc(ufunc: np.ufunc, method: str, inputs: list[Any], result: Any) -> None:
    first = result[0] if isinstance(result, tuple) else result
    if np.asarray(first).dtype.kind not in "fc":
        return
    if ufunc is np.matmul:
        a, b = inputs
        count(_products(np.atleast_2d(a), b if b.ndim > 1 else b[:, None], np.size(result)))
    elif method == "__call__":
        count(np.size(first))
    elif method == "reduce":
        count(np.size(inputs[0]) - np.size(result))
    elif method == "accumulate":
        count(np.size(inputs[0]))
    else:
        raise NotImplementedError(f"{ufunc.__name__}.{method}")


def _products(a: np.ndarray, b: np.ndarray, size: int) -> Fraction:
    """Of a matrix product with so many elements; half where NumPy calls BLAS's syrk."""
    whole = size * (2 * a.shape[-1] - 1)
    same = (
        a.__array_interface__["data"] == b.__array_interface__["data"]
        and a.shape[-2:] == b.shape[-2:][::-1]
        and a.strides[-2:] == b.strides[-2:][::-1]
    )
    if same and a.shape[-2] > 1:
        return Fraction(whole * (a.shape[-2] + 1), 2 * a.shape[-2])
    return Fraction(whole)


def _count_function(function: Any, arguments: tuple[Any, ...], options: Any, result: Any) -> None:
    name = function.__name__
    if name in _FREE:
        return
    if name == "einsum":
        subscripts, *operands = arguments
        _count_einsum(subscripts, operands, result)
    elif name == "tensordot":
        a = arguments[0]
        axes = options["axes"] if "axes" in options else arguments[2]
        summed = np.atleast_1d(axes[0])
        points = np.size(result) * prod(a.shape[k] for k in summed)
        count(2 * points - np.size(result))
    elif name == "cumsum":
        count(np.size(result))
    elif name == "bincount":
        count(np.size(arguments[1]))
    elif name in _REDUCTIONS:
        count(np.size(arguments[0]) - np.size(result))
    elif name in _FACTORISATIONS:
        *batch, m, n = arguments[0].shape
        count(prod(batch) * _FACTORISATIONS[name](m, n, *arguments[1:], **options))
    else:
        raise NotImplementedError(name)


_FREE = {
    "zeros_like", "full_like", "empty_like", "where", "triu", "tril", "broadcast_to", "copy",
    "iscomplexobj", "diagonal", "take_along_axis", "count_nonzero", "ascontiguousarray", "shape",
    "argmax", "nonzero", "swapaxes", "reshape", "transpose", "real", "isfinite", "all", "any",
    "concatenate", "flip", "roll", "moveaxis", "result_type", "take",
}  # fmt: skip
_REDUCTIONS = {"sum", "max", "min", "prod", "amax", "amin"}


def _count_einsum(subscripts: str, operands: list[np.ndarray], result: np.ndarray) -> None:
    rows, output = subscripts.replace("...", "").split("->")
    if len(operands) == 1:
        if set(rows) != set(output):
            count(operands[0].size - np.size(result))  # a trace reads its diagonal only
        return
    sizes: dict[str, int] = {}
    for row, operand in zip(rows.split(","), operands, strict=True):
        sizes.update(zip(row, operand.shape, strict=True))
    points = prod(sizes.values())
    count(2 * points - np.size(result))


def _solve(m: int, n: int, right: np.ndarray) -> Fraction:
    columns = right.shape[-1] if right.ndim > 1 else 1
    return Fraction(2, 3) * n**3 + 2 * n**2 * columns


def _svd(m: int, n: int, full_matrices: bool = True, compute_uv: bool = True) -> Fraction:
    p, q = min(m, n), max(m, n)
    return (
        Fraction(14 * q * p**2 + 8 * p**3) if compute_uv else 4 * q * p**2 - Fraction(4, 3) * p**3
    )


# Golub and Van Loan, Matrix Computations, 3rd edition, sections 3.2, 4.2, 5.2, 5.4 and 8.3.
_FACTORISATIONS = {
    "cholesky": lambda m, n: Fraction(n**3, 3),
    "inv": lambda m, n: Fraction(2 * n**3),
    "slogdet": lambda m, n: Fraction(2 * n**3, 3),
    "det": lambda m, n: Fraction(2 * n**3, 3),
    "solve": _solve,
    "eigh": lambda m, n: Fraction(9 * n**3),
    "eigvalsh": lambda m, n: Fraction(4 * n**3, 3),
    "svd": _svd,
    "qr": lambda m, n: 4 * max(m, n) * min(m, n) ** 2 - Fraction(4, 3) * min(m, n) ** 3,
}


class _Arrays(ModuleType):
    """NumPy, whose functions give arrays that count."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name)
        if isinstance(found, np.ufunc | type) or not callable(found):
            return found
        return lambda *arguments, **options: _wrapped(found(*arguments, **options))


class _Linalg(ModuleType):
    """scipy.linalg, whose routines of LAPACK, and the solves of BLAS, are counted."""

    @property
    def lapack(self) -> _Lapack:
        return _Lapack("lapack")

    @property
    def blas(self) -> _Blas:
        return _Blas("blas")

    def get_lapack_funcs(self, name: str, arrays: Any) -> Any:
        return _counted(name, linalg.get_lapack_funcs(name, _bare(arrays)))


class _Lapack(ModuleType):
    """scipy.linalg.lapack: ``dpotrf`` is the potrf for doubles."""

    def dgeqrt(self, size: int, a: Any) -> Any:
        count(_orthogonal(*a.shape))
        return _wrapped(linalg.lapack.dgeqrt(size, *_bare((a,))))

    def dormqr(self, side: str, trans: str, a: Any, t: Any, c: Any, *flags: Any) -> Any:
        m, n = a.shape
        count((4 * m - 2 * n) * n * _columns(c))
        return _wrapped(linalg.lapack.dormqr(side, trans, *_bare((a, t, c)), *flags))

    def __getattr__(self, name: str) -> Any:
        return _counted(name[1:], getattr(linalg.lapack, name))


class _Blas(ModuleType):
    """scipy.linalg.blas, of which modules call a solve with a triangle."""

    def dtrsm(self, scale: float, a: Any, b: Any, *flags: Any) -> Any:
        count(b.size * len(a))
        return _wrapped(linalg.blas.dtrsm(scale, *_bare((a, b)), *flags))


def _counted(name: str, routine: Any) -> Any:
    def counted(a: Any, *arguments: Any, **options: Any) -> Any:
        count(_LAPACK[name](np.shape(a), arguments))
        return _wrapped(routine(*_bare((a, *arguments)), **options))

    return counted


def _q_by_blocks(*arguments: Any) -> Any:
    """As orgqr, which goes by blocks too: what both do more than the textbook is not counted."""
    packed, *others = _bare(arguments)
    count(_orthogonal(*packed.shape))
    return _wrapped(q_by_blocks(packed, *others))


def _columns(b: Any) -> int:
    return b.shape[1] if b.ndim > 1 else 1


def _orthogonal(m: int, n: int) -> Fraction:
    """Of Householder's triangularisation of a tall matrix, and of Q with as many columns."""
    return 2 * m * n**2 - Fraction(2 * n**3, 3)


# LAPACK Working Note 41, "Installation Guide for LAPACK", appendix C, leading terms.
_LAPACK: dict[str, Callable[[tuple[int, ...], Any], Fraction | int]] = {
    "geqrf": lambda shape, _: _orthogonal(*shape),
    "geqrfp": lambda shape, _: _orthogonal(*shape),
    "orgqr": lambda shape, _: _orthogonal(*shape),
    "potrf": lambda shape, _: Fraction(shape[0] ** 3, 3),
    "potri": lambda shape, _: Fraction(2 * shape[0] ** 3, 3),
    "potrs": lambda shape, rest: 2 * shape[0] ** 2 * _columns(rest[0]),
    "getrf": lambda shape, _: Fraction(2 * shape[0] ** 3, 3),
    "getri": lambda shape, _: Fraction(4 * shape[0] ** 3, 3),
    "getrs": lambda shape, rest: 2 * shape[0] ** 2 * _columns(rest[1]),
    "trtri": lambda shape, _: Fraction(shape[0] ** 3, 3),
    "trtrs": lambda shape, rest: shape[0] ** 2 * _columns(rest[0]),
}


def operations(source: str, arguments: dict[str, Any]) -> tuple[float, Any]:
    """The operations of one run of a generated module, and its results.

    >>> operations("def compute(x):\\n    return x * x + x", {"x": np.ones(5)})[0]
    10.0
    """
    global total
    namespace: dict[str, Any] = {"__name__": "counted"}
    exec(builtins.compile(source, "<counted>", "exec"), namespace)
    namespace.update(np=_Arrays("np"), linalg=_Linalg("linalg"), special=special)
    namespace["q_by_blocks"] = _q_by_blocks
    given = {name: np.array(x, dtype=float).view(Counting) for name, x in arguments.items()}
    total = Fraction(0)
    results = namespace["compute"](**given)
    return float(total), _bare(results)
