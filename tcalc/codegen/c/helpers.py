"""The functions that a C file has beside its own: a few lines each around BLAS and LAPACK.

Matrices are arrays of rows; `L` stands for the letter of the routines of a type, d or s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ROUTINES = {
    "gemm": "const char *, const char *, const int *, const int *, const int *, const real *, "
    "const real *, const int *, const real *, const int *, const real *, real *, const int *",
    "trsm": "const char *, const char *, const char *, const char *, const int *, const int *, "
    "const real *, const real *, const int *, real *, const int *",
    "potrf": "const char *, const int *, real *, const int *, int *",
    "potri": "const char *, const int *, real *, const int *, int *",
    "getrf": "const int *, const int *, real *, const int *, int *, int *",
    "getrs": "const char *, const int *, const int *, const real *, const int *, const int *, "
    "real *, const int *, int *",
    "getri": "const int *, real *, const int *, const int *, real *, const int *, int *",
    "trtri": "const char *, const char *, const int *, real *, const int *, int *",
}
"""The parameters of the routines of BLAS and LAPACK."""
OF_BLAS = frozenset({"gemm", "trsm"})


@dataclass(frozen=True, slots=True)
class Helper:
    """A function: its text, and the routines that it calls."""

    text: str
    routines: tuple[str, ...] = ()


HELPERS = {
    "multiply": Helper(
        """\
/* c = op(a) op(b) for matrices of m and of k rows, each the rows 'N' or the columns 'T' of one. */
static void multiply(char of_a, char of_b, int m, int n, int k, const real *a, int to_next_a,
                     const real *b, int to_next_b, real *c, int to_next_c)
{
    const real one = 1, zero = 0;
    Lgemm_(&of_b, &of_a, &n, &m, &k, &one, b, &to_next_b, a, &to_next_a, &zero, c, &to_next_c);
}""",
        ("gemm",),
    ),
    "factor_spd": Helper(
        """\
/* The lower Cholesky factor in the place of a matrix, with room for n elements behind it.
   Not 0 unless the matrix is positive definite beyond doubt. */
static int factor_spd(int n, real *a)
{
    real *squares = a + n * n;
    int info;
    for (int i = 0; i < n; i++)
        squares[i] = a[n * i + i];
    Lpotrf_("U", &n, a, &n, &info);
    if (info)
        return 1;
    for (int i = 0; i < n; i++) {
        if (!(a[n * i + i] * a[n * i + i] > CLEARLY_DEFINITE * squares[i]))
            return 1;
        for (int j = i + 1; j < n; j++)
            a[n * i + j] = 0;
    }
    return 0;
}""",
        ("potrf",),
    ),
    "factor_general": Helper(
        """\
/* The LU factors of the transpose in the place of a matrix, and the pivots behind it.
   Not 0 unless the matrix is regular beyond doubt. */
static int factor_general(int n, real *a)
{
    int info;
    Lgetrf_(&n, &n, a, &n, (int *)(a + n * n), &info);
    if (info)
        return 1;
    real least = INFINITY, most = 0;
    for (int i = 0; i < n; i++) {
        const real size = fabs(a[n * i + i]);
        least = size < least ? size : least;
        most = size > most ? size : most;
    }
    return !(least > CLEARLY_REGULAR * most && most < INFINITY);
}""",
        ("getrf",),
    ),
    "solve_spd": Helper(
        """\
/* b = inv(a) b for k columns, by the lower Cholesky factor l of a. */
static void solve_spd(int n, int k, const real *l, real *b)
{
    const real one = 1;
    Ltrsm_("R", "U", "N", "N", &k, &n, &one, l, &n, b, &k);
    Ltrsm_("R", "U", "T", "N", &k, &n, &one, l, &n, b, &k);
}""",
        ("trsm",),
    ),
    "solve_general": Helper(
        """\
/* b = inv(a) b, or of the transpose of a, for k right sides one after the other. */
static void solve_general(char of_transpose, int n, int k, const real *lu, real *b)
{
    int info;
    Lgetrs_(&of_transpose, &n, &k, lu, &n, (const int *)(lu + n * n), b, &n, &info);
}""",
        ("getrs",),
    ),
    "solve_triangle": Helper(
        """\
/* b = inv(t) b for k columns, by a triangle as LAPACK sees it, or its transpose; 1 if singular. */
static int solve_triangle(char side, char turned, int n, int k, const real *t, int to_next, real *b)
{
    const real one = 1;
    for (int i = 0; i < n; i++)
        if (t[(to_next + 1) * i] == 0)
            return 1;
    Ltrsm_("R", &side, &turned, "N", &k, &n, &one, t, &to_next, b, &k);
    return 0;
}""",
        ("trsm",),
    ),
    "invert_spd": Helper(
        """\
/* The inverse in the place of a lower Cholesky factor. */
static int invert_spd(int n, real *l)
{
    int info;
    Lpotri_("U", &n, l, &n, &info);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            l[n * j + i] = l[n * i + j];
    return info;
}""",
        ("potri",),
    ),
    "invert_general": Helper(
        """\
/* The inverse in the place of LU factors, with room for 64 n elements. */
static int invert_general(int n, real *lu, const real *pivots, real *room)
{
    const int size = 64 * n;
    int info;
    Lgetri_(&n, lu, &n, (const int *)pivots, room, &size, &info);
    return info;
}""",
        ("getri",),
    ),
    "invert_triangle": Helper(
        """\
/* The inverse in the place of a triangle as LAPACK sees it; 1 if singular. */
static int invert_triangle(char side, int n, real *t)
{
    int info;
    Ltrtri_(&side, "N", &n, t, &n, &info);
    return info;
}""",
        ("trtri",),
    ),
    "logdet_spd": Helper(
        """\
/* The logarithm of the determinant, by the Cholesky factor. */
static int logdet_spd(int n, const real *l, real *result)
{
    real sum = 0;
    for (int i = 0; i < n; i++)
        sum += log(l[n * i + i]);
    *result = 2 * sum;
    return 0;
}"""
    ),
    "logdet_general": Helper(
        """\
/* The logarithm of the determinant, by LU factors; 1 unless that is positive. */
static int logdet_general(int n, const real *lu, real *result)
{
    const int *pivots = (const int *)(lu + n * n);
    real sum = 0;
    int negative = 0;
    for (int i = 0; i < n; i++) {
        sum += log(fabs(lu[n * i + i]));
        negative ^= (lu[n * i + i] < 0) ^ (pivots[i] != i + 1);
    }
    *result = sum;
    return negative;
}"""
    ),
}


def routines_of(helpers: Iterable[str]) -> list[str]:
    """The routines that some helpers call, each once."""
    return list(dict.fromkeys(x for name in helpers for x in HELPERS[name].routines))


def text_of(helper: str, letter: str) -> str:
    """A helper for the type of a letter."""
    text = HELPERS[helper].text
    for routine in HELPERS[helper].routines:
        text = text.replace(f"L{routine}_", f"{letter}{routine}_")
    return text
