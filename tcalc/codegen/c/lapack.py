"""The routines of BLAS and LAPACK that C files call, and functions that are written around them."""

from __future__ import annotations

from tcalc.records import dataclass

ROUTINES = {
    "gemm": "const char *, const char *, const int *, const int *, const int *, const real *, "
    "const real *, const int *, const real *, const int *, const real *, real *, const int *",
    "gemv": "const char *, const int *, const int *, const real *, const real *, const int *, "
    "const real *, const int *, const real *, real *, const int *",
    "syrk": "const char *, const char *, const int *, const int *, const real *, const real *, "
    "const int *, const real *, real *, const int *",
    "trsm": "const char *, const char *, const char *, const char *, const int *, const int *, "
    "const real *, const real *, const int *, real *, const int *",
    "trsv": "const char *, const char *, const char *, const int *, const real *, const int *, "
    "real *, const int *",
    "potrf": "const char *, const int *, real *, const int *, int *",
    "potri": "const char *, const int *, real *, const int *, int *",
    "getrf": "const int *, const int *, real *, const int *, int *, int *",
    "getrs": "const char *, const int *, const int *, const real *, const int *, const int *, "
    "real *, const int *, int *",
    "getri": "const int *, real *, const int *, const int *, real *, const int *, int *",
    "gecon": "const char *, const int *, const real *, const int *, const real *, real *, real *, "
    "int *, int *",
    "pocon": "const char *, const int *, const real *, const int *, const real *, real *, real *, "
    "int *, int *",
    "trtri": "const char *, const char *, const int *, real *, const int *, int *",
    "geqrf": "const int *, const int *, real *, const int *, real *, real *, const int *, int *",
    "gelqf": "const int *, const int *, real *, const int *, real *, real *, const int *, int *",
    "orgqr": "const int *, const int *, const int *, real *, const int *, const real *, real *, "
    "const int *, int *",
    "orglq": "const int *, const int *, const int *, real *, const int *, const real *, real *, "
    "const int *, int *",
    "gees": "const char *, const char *, int (*)(const real *, const real *), const int *, real *, "
    "const int *, int *, real *, real *, real *, const int *, real *, const int *, int *, int *",
    "trsyl": "const char *, const char *, const int *, const int *, const int *, const real *, "
    "const int *, const real *, const int *, real *, const int *, real *, int *",
    "syevd": "const char *, const char *, const int *, real *, const int *, real *, real *, "
    "const int *, int *, const int *, int *",
    "gesdd": "const char *, const int *, const int *, real *, const int *, real *, real *, "
    "const int *, real *, const int *, real *, const int *, int *, int *",
}
"""The parameters of the routines of BLAS and LAPACK."""
BLOCK = 64
"""The columns that LAPACK works on at a time, for which it is given room: the 64 of helpers."""
OF_BLAS = frozenset({"gemm", "gemv", "syrk", "trsm", "trsv"})


@dataclass(frozen=True, slots=True)
class Helper:
    """A function: its text, and the routines and the helpers that it calls."""

    text: str
    routines: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()
