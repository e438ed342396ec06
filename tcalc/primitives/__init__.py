"""The primitives: one file per primitive or close family, and one line for it here.

A file contains everything about its primitives: shape, facts, local Jacobian with its source,
evaluation, notation, routine, and the entries in the language.  To add one, write the file and
add its `FUNCTIONS` to the list below; the language, the printers, the code generator and the
tests of laws find it there.
"""

from __future__ import annotations

from collections.abc import Callable

from tcalc.primitives import (
    cholesky,
    determinant,
    divided_differences,
    eigh,
    entropy,
    expm,
    exponential,
    gamma,
    hyperbolic,
    inverse,
    kron,
    logdet,
    matrices,
    normal,
    norms,
    piecewise,
    pinv,
    polar,
    power,
    qr,
    reductions,
    slogdet,
    softmax,
    spectral,
    sqrtm,
    svd,
    sylvester,
    trigonometric,
)
from tcalc.primitives.constants import CONSTANTS
from tcalc.primitives.function import Form, Function, Kind, Pattern, Signature

FUNCTIONS: tuple[Function, ...] = (
    *exponential.FUNCTIONS,
    *power.FUNCTIONS,
    *piecewise.FUNCTIONS,
    *trigonometric.FUNCTIONS,
    *hyperbolic.FUNCTIONS,
    *normal.FUNCTIONS,
    *gamma.FUNCTIONS,
    *entropy.FUNCTIONS,
    *reductions.FUNCTIONS,
    *norms.FUNCTIONS,
    *softmax.FUNCTIONS,
    *matrices.FUNCTIONS,
    *inverse.FUNCTIONS,
    *determinant.FUNCTIONS,
    *cholesky.FUNCTIONS,
    *logdet.FUNCTIONS,
    *pinv.FUNCTIONS,
    *slogdet.FUNCTIONS,
    *qr.FUNCTIONS,
    *eigh.FUNCTIONS,
    *svd.FUNCTIONS,
    *polar.FUNCTIONS,
    *expm.FUNCTIONS,
    *sqrtm.FUNCTIONS,
    *spectral.FUNCTIONS,
    *divided_differences.FUNCTIONS,
    *sylvester.FUNCTIONS,
    *kron.FUNCTIONS,
)
"""Every function of the language, each described once."""

REGISTRY: dict[str, Function] = {
    name: function for function in FUNCTIONS for name in (function.name, *function.aliases)
}
"""From a name in the language, aliases included, to the function."""

FAMILIES: dict[str, Callable[[int], Function]] = {
    **determinant.FAMILIES,
    **divided_differences.FAMILIES,
    **eigh.FAMILIES,
    **inverse.FAMILIES,
}
"""From a stem to the functions named by it and a number: derivatives bring in ever higher ones."""

LARGEST_MEMBER = 8


def lookup(name: str) -> Function | None:
    """The function of that name, listed or a further member of a family; None if there is none.

    >>> lookup("exp").name, lookup("cofactors5").name, lookup("cofactors99")
    ('exp', 'cofactors5', None)
    """
    stem = name.rstrip("0123456789")
    number = name[len(stem) :]
    if name in REGISTRY or stem not in FAMILIES or not number or number[0] == "0":
        return REGISTRY.get(name)
    return FAMILIES[stem](int(number)) if 2 < int(number[:4]) <= LARGEST_MEMBER else None


__all__ = [
    "CONSTANTS",
    "FAMILIES",
    "FUNCTIONS",
    "REGISTRY",
    "Form",
    "Function",
    "Kind",
    "Pattern",
    "Signature",
    "lookup",
]
