"""Which shapes functions of matrices take: two axes at least, and as square ones equal axes."""

from __future__ import annotations

from tcalc.expr.dims import Shape


def check_matrix(name: str, a: Shape) -> None:
    """Raise `ValueError` unless there are two axes at least.

    >>> from tcalc.expr import shape
    >>> check_matrix("pinv", shape("m"))
    Traceback (most recent call last):
    ValueError: pinv needs a matrix, not [m]
    """
    if len(a) < 2:
        raise ValueError(f"{name} needs a matrix, not [{','.join(map(str, a))}]")


def check_square(name: str, a: Shape) -> None:
    """Raise `ValueError` unless the last two axes are a square matrix.

    >>> from tcalc.expr import shape
    >>> check_square("inv", shape("m", "n"))
    Traceback (most recent call last):
    ValueError: inv needs a square matrix, not [m,n]
    """
    if len(a) < 2 or a[-1] != a[-2]:
        raise ValueError(f"{name} needs a square matrix, not [{','.join(map(str, a))}]")
