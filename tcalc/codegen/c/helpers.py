"""The functions that a C file has beside its own: a few lines each around BLAS and LAPACK.

Matrices are arrays of rows; `L` stands for the letter of the routines of a type, d or s.
"""

from __future__ import annotations

from collections.abc import Iterable

from tcalc.codegen.c.difference_helpers import OF_DIFFERENCES
from tcalc.codegen.c.lapack import Helper
from tcalc.codegen.c.matrix_helpers import OF_MATRICES
from tcalc.codegen.c.special_helpers import OF_NUMBERS
from tcalc.codegen.c.system_helpers import OF_SYSTEMS

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
    "gram": Helper(
        """\
/* c = a a' for an array a of n rows 'N', or c = a' a for one of n columns 'T'. */
static void gram(char of_a, int n, int k, const real *a, int to_next_a, real *c, int to_next_c)
{
    const char of_rows = of_a == 'N' ? 'T' : 'N';
    const real one = 1, zero = 0;
    Lsyrk_("L", &of_rows, &n, &k, &one, a, &to_next_a, &zero, c, &to_next_c);
    /* What is above the diagonal goes below it, block by block, as caches have it. */
    for (int i = 0; i < n; i += 32)
        for (int j = i; j < n; j += 32)
            for (int row = i; row < n && row < i + 32; row++)
                for (int column = j > row ? j : row + 1; column < n && column < j + 32; column++)
                    c[to_next_c * column + row] = c[to_next_c * row + column];
}""",
        ("syrk",),
    ),
    "apply": Helper(
        """\
/* y = scale y + op(a) x for the rows 'N' or the columns 'T' of an array of m rows and n columns. */
static void apply(char of_a, int m, int n, const real *a, int to_next_a, const real *x,
                  int to_next_x, real scale, real *y, int to_next_y)
{
    const char of_rows = of_a == 'N' ? 'T' : 'N';
    const real one = 1;
    Lgemv_(&of_rows, &n, &m, &one, a, &to_next_a, x, &to_next_x, &scale, y, &to_next_y);
}""",
        ("gemv",),
    ),
    "in_range": Helper(
        """\
/* Whether a sum of squares is a normal number, so that those that underflow do no harm in it. */
static int in_range(real sum)
{
    return sum >= (sizeof(real) == 4 ? 1.2e-38 : 2.3e-308) && isfinite(sum);
}"""
    ),
    "decompose_qr": Helper(
        """\
/* Q and R of a matrix of m >= n rows, with a positive diagonal of R; the matrix is destroyed.
   Not 0 unless it has full rank. */
static int decompose_qr(int m, int n, real *a, real *q, real *r, real *room)
{
    const int size = 64 * m;
    real *work = room + n, most = 0;
    int info;
    Lgelqf_(&n, &m, a, &n, room, work, &size, &info);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++)
            r[n * i + j] = j < i ? 0 : a[n * i + j];
        most = fmax(most, fabs(r[n * i + i]));
    }
    for (int i = 0; i < n; i++)
        if (!(fabs(r[n * i + i]) > m * EPSILON * most))
            return 1;
    Lorglq_(&n, &m, &n, a, &n, room, work, &size, &info);
    for (int j = 0; j < n; j++) {
        const real sign = r[n * j + j] < 0 ? -1 : 1;
        for (int i = 0; i < m; i++)
            q[n * i + j] = sign * a[n * i + j];
        for (int i = j; i < n; i++)
            r[n * j + i] *= sign;
    }
    return 0;
}""",
        ("gelqf", "orglq"),
    ),
    "decompose_lq": Helper(
        """\
/* L and Q of a matrix of m <= n rows, with a positive diagonal of L; the matrix is destroyed.
   Not 0 unless it has full rank. */
static int decompose_lq(int m, int n, real *a, real *l, real *q, real *room)
{
    const int size = 64 * n;
    real *work = room + m, most = 0;
    int info;
    Lgeqrf_(&n, &m, a, &n, room, work, &size, &info);
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < m; j++)
            l[m * i + j] = j > i ? 0 : a[n * i + j];
        most = fmax(most, fabs(l[m * i + i]));
    }
    for (int i = 0; i < m; i++)
        if (!(fabs(l[m * i + i]) > n * EPSILON * most))
            return 1;
    Lorgqr_(&n, &m, &m, a, &n, room, work, &size, &info);
    for (int j = 0; j < m; j++) {
        const real sign = l[m * j + j] < 0 ? -1 : 1;
        for (int i = 0; i < n; i++)
            q[n * j + i] = sign * a[n * j + i];
        for (int i = j; i < m; i++)
            l[m * i + j] *= sign;
    }
    return 0;
}""",
        ("geqrf", "orgqr"),
    ),
    "reflectors": Helper(
        """\
/* R, with a positive diagonal and `turned` its transpose, of a matrix of m >= n rows whose columns
   lie one after the other; in its place, and in factors and signs, the reflections that make up Q.
   Not 0 unless the matrix has full rank. */
static int reflectors(int turned, int m, int n, real *v, real *factors, real *signs, real *r,
                      real *room)
{
    const int size = 64 * n;
    real most = 0;
    int info;
    Lgeqrf_(&m, &n, v, &m, factors, room, &size, &info);
    for (int i = 0; i < n; i++)
        most = fmax(most, fabs(v[(m + 1) * i]));
    for (int i = 0; i < n; i++) {
        if (!(fabs(v[(m + 1) * i]) > m * EPSILON * most))
            return 1;
        signs[i] = v[(m + 1) * i] < 0 ? -1 : 1;
        for (int j = 0; j < n; j++)
            r[turned ? n * j + i : n * i + j] = j < i ? 0 : signs[i] * v[m * j + i];
    }
    return 0;
}""",
        ("geqrf",),
    ),
    "reflect": Helper(
        """\
/* y = Q y, or Q' y if `turned`, for a vector of m elements and n reflections. */
static void reflect(int turned, int m, int n, const real *v, const real *factors, real *y)
{
    for (int step = 0; step < n; step++) {
        const int k = turned ? step : n - 1 - step;
        const real *u = v + m * k;
        real sum = y[k];
#pragma omp simd reduction(+:sum)
        for (int i = k + 1; i < m; i++)
            sum += u[i] * y[i];
        sum *= factors[k];
        y[k] -= sum;
#pragma omp simd
        for (int i = k + 1; i < m; i++)
            y[i] -= sum * u[i];
    }
}"""
    ),
    "decompose_symmetric": Helper(
        """\
/* The eigenvalues of a symmetric matrix, which is destroyed, and unless v is 0 the vectors: of each
   the first element of at least 0.7 of the largest is positive.  Not 0 unless all is finite. */
static int decompose_symmetric(int n, real *a, real *w, real *v, real *room)
{
    const int size = 2 * n * n + 6 * n + 1, integers = 5 * n + 3;
    int info;
    for (int i = 0; i < n * n; i++)
        if (!isfinite(a[i]))
            return 1;
    Lsyevd_(v ? "V" : "N", "L", &n, a, &n, w, room, &size, (int *)(room + size), &integers, &info);
    for (int j = 0; v && j < n; j++) {
        real most = 0;
        int first = 0;
        for (int i = 0; i < n; i++)
            most = fmax(most, fabs(a[n * j + i]));
        while (fabs(a[n * j + first]) < (real)0.7 * most)
            first++;
        for (int i = 0; i < n; i++)
            v[n * i + j] = a[n * j + first] < 0 ? -a[n * j + i] : a[n * j + i];
    }
    return info;
}""",
        ("syevd",),
    ),
    "decompose_singular": Helper(
        """\
/* The singular values of a matrix, which is destroyed, and unless u is 0 the vectors: of each on
   the left the first element of at least 0.7 of the largest is positive.  Not 0 unless all is
   finite. */
static int decompose_singular(int m, int n, real *a, real *u, real *s, real *v, real *room)
{
    const int k = m < n ? m : n, size = 5 * k * k + 7 * k + 65 * (m + n);
    real *right = room, *work = room + n * k;
    int info;
    for (int i = 0; i < m * n; i++)
        if (!isfinite(a[i]))
            return 1;
    Lgesdd_(u ? "S" : "N", &n, &m, a, &n, s, right, &n, u ? u : right, &k, work, &size,
            (int *)(work + size), &info);
    for (int j = 0; u && j < k; j++) {
        real most = 0;
        int first = 0;
        for (int i = 0; i < m; i++)
            most = fmax(most, fabs(u[k * i + j]));
        while (fabs(u[k * first + j]) < (real)0.7 * most)
            first++;
        const real sign = u[k * first + j] < 0 ? -1 : 1;
        for (int i = 0; i < m; i++)
            u[k * i + j] *= sign;
        for (int i = 0; i < n; i++)
            v[k * i + j] = sign * right[n * j + i];
    }
    return info;
}""",
        ("gesdd",),
    ),
    "determinant": Helper(
        """\
/* The determinant of a matrix, which is destroyed. */
static int determinant(int n, real *a, real *result, real *pivots)
{
    const int *swaps = (const int *)pivots;
    real product = 1;
    int info;
    Lgetrf_(&n, &n, a, &n, (int *)pivots, &info);
    for (int i = 0; i < n; i++)
        product *= swaps[i] == i + 1 ? a[n * i + i] : -a[n * i + i];
    *result = product;
    return 0;
}""",
        ("getrf",),
    ),
    "cofactors": Helper(
        """\
/* The derivative of order k of the determinant, whose axes are a row and a column k times: the
   determinants of what is left without these rows and columns.  Not 0 unless all is finite. */
static int cofactors(int n, int k, const real *a, real *result, real *room)
{
    const int left = n - k;
    int count = 1;
    for (int i = 0; i < n * n; i++)
        if (!isfinite(a[i]))
            return 1;
    for (int p = 0; p < k; p++)
        count *= n * n;
    for (int at = 0; at < count; at++) {
        int gone[2][16], sign = 1, rest = at, filled = 0;
        real minor = 1;
        for (int p = k - 1; p >= 0; p--)
            for (int side = 1; side >= 0; side--, rest /= n) {
                gone[side][p] = rest % n;
                sign *= gone[side][p] % 2 ? -1 : 1;
                for (int q = p + 1; q < k; q++)
                    sign *= (gone[side][p] < gone[side][q]) - (gone[side][p] > gone[side][q]);
            }
        for (int i = 0; i < n * n; i++) {
            int kept = sign;
            for (int p = 0; p < k; p++)
                kept = kept && i / n != gone[0][p] && i % n != gone[1][p];
            if (kept)
                room[filled++] = a[i];
        }
        if (sign && left > 2)
            determinant(left, room, &minor, room + left * left);
        else if (sign && left > 0)
            minor = left == 1 ? room[0] : room[0] * room[3] - room[1] * room[2];
        result[at] = sign * minor;
    }
    return 0;
}""",
        (),
        ("determinant",),
    ),
    "signed_logarithm": Helper(
        """\
/* The logarithm of the size of the determinant of a matrix, which is destroyed, and unless it is 0
   the sign.  Not 0 unless the matrix is regular beyond rounding. */
static int signed_logarithm(int n, real *a, real *sign, real *logarithm, real *pivots)
{
    const int *swaps = (const int *)pivots;
    real least = INFINITY, most = 0, sum = 0;
    int negative = 0, info;
    Lgetrf_(&n, &n, a, &n, (int *)pivots, &info);
    for (int i = 0; i < n; i++) {
        const real size = fabs(a[n * i + i]);
        least = fmin(least, size);
        most = fmax(most, size);
        sum += log(size);
        negative ^= (a[n * i + i] < 0) ^ (swaps[i] != i + 1);
    }
    if (sign)
        *sign = negative ? -1 : 1;
    *logarithm = sum;
    return !(isfinite(sum) && least > n * EPSILON * most);
}""",
        ("getrf",),
    ),
    "reciprocal_gaps": Helper(
        """\
/* f[j,i] = 1/(w[i] - w[j])^p, and 0 where i = j or the difference is rounding; 1 in its place for
   p > 1, or where it is of values that are to lie apart. */
static int reciprocal_gaps(int n, int p, int apart, const real *w, real *f)
{
    const real least = apart ? pow(EPSILON, 0.75 / (p > 1 ? p : 1.5)) : 4 * n * EPSILON;
    real top = 0;
    for (int i = 0; i < n; i++)
        top = fmax(top, fabs(w[i]));
    for (int j = 0; j < n; j++)
        for (int i = 0; i < n; i++) {
            const real gap = w[i] - w[j];
            const int tied = fabs(gap) <= least * top;
            if (tied && i != j && (p > 1 || apart))
                return 1;
            f[n * j + i] = tied || i == j ? 0 : 1 / pow(gap, p);
        }
    return 0;
}"""
    ),
    "reciprocals": Helper(
        """\
/* The reciprocals of singular values; 1 where one of them is rounding of the largest. */
static int reciprocals(int n, const real *s, real *result)
{
    real top = 0;
    for (int i = 0; i < n; i++)
        top = fmax(top, s[i]);
    for (int i = 0; i < n; i++) {
        if (s[i] <= EPSILON * top)
            return 1;
        result[i] = 1 / s[i];
    }
    return 0;
}"""
    ),
    **OF_SYSTEMS,
    **OF_MATRICES,
    **OF_DIFFERENCES,
    **OF_NUMBERS,
}


def with_needed(helpers: Iterable[str]) -> list[str]:
    """Some helpers, each once and behind those that it calls."""
    found: dict[str, None] = {}
    for name in helpers:
        found.update(dict.fromkeys((*HELPERS[name].helpers, name)))
    return list(found)


def routines_of(helpers: Iterable[str]) -> list[str]:
    """The routines that some helpers call, each once."""
    return list(dict.fromkeys(x for name in helpers for x in HELPERS[name].routines))


def text_of(helper: str, letter: str) -> str:
    """A helper for the type of a letter."""
    text = HELPERS[helper].text
    for routine in HELPERS[helper].routines:
        text = text.replace(f"L{routine}_", f"{letter}{routine}_")
    return text
