"""The functions that C files have for systems by their factors; see `tcalc.codegen.c.helpers`.

What pivots leave in doubt is decided by an estimate of the condition number, as in NumPy's code,
but so that what is returned has digits in common with what that would compute.
"""

from __future__ import annotations

from tcalc.codegen.c.lapack import Helper

OF_SYSTEMS = {
    "is_definite": Helper(
        """\
/* Whether a matrix has an inverse to a quarter of all digits, by its Cholesky factor, in units in
   which its diagonal is of ones, and by an estimate of the norm; in room for n (n + 4) elements. */
static int is_definite(int n, const real *l, real *room)
{
    const real one = 1;
    real *work = room + n * n, condition;
    int info;
    for (int i = 0; i < n; i++) {
        real squares = 0;
        for (int j = 0; j <= i; j++)
            squares += l[n * i + j] * l[n * i + j];
        if (!(squares > 0 && squares < INFINITY))
            return 0;
        for (int j = 0; j <= i; j++)
            room[n * i + j] = l[n * i + j] / sqrt(squares);
    }
    Lpocon_("U", &n, room, &n, &one, &condition, work, (int *)(work + 3 * n), &info);
    return condition > pow(EPSILON, 0.75);
}""",
        ("pocon",),
    ),
    "factor_spd": Helper(
        """\
/* The lower Cholesky factor in the place of a matrix, with room for n elements behind it, and
   n (n + 4) elsewhere.  Not 0 unless the matrix is positive definite beyond doubt. */
static int factor_spd(int n, real *a, real *room)
{
    real *squares = a + n * n;
    int info, clearly = 1;
    for (int i = 0; i < n; i++)
        squares[i] = a[n * i + i];
    Lpotrf_("U", &n, a, &n, &info);
    if (info)
        return 1;
    for (int i = 0; i < n; i++) {
        clearly &= a[n * i + i] * a[n * i + i] > CLEARLY_DEFINITE * squares[i];
        for (int j = i + 1; j < n; j++)
            a[n * i + j] = 0;
    }
    return !(clearly || is_definite(n, a, room));
}""",
        ("potrf",),
        ("is_definite",),
    ),
    "is_regular": Helper(
        """\
/* Whether a matrix has an inverse to a quarter of all digits, by its LU factors, in units in which
   |L| |U| has a norm near 1, and by an estimate of the norm; in room for n (n + 6) elements. */
static int is_regular(int n, const real *lu, real *room)
{
    const real one = 1;
    real *rows = room + n * n, *work = rows + n, condition;
    int info;
    for (int i = 0; i < n; i++) {
        work[i] = 0;
        for (int j = i; j < n; j++)
            work[i] += fabs(lu[n * j + i]);
        rows[i] = work[i];
        for (int j = 0; j < i; j++)
            rows[i] += fabs(lu[n * j + i]) * work[j];
    }
    for (int j = 0; j < n; j++) {
        work[j] = 1;
        for (int i = 0; i < n; i++)
            room[n * j + i] = lu[n * j + i] / rows[i] * (i > j ? rows[j] : 1);
        for (int i = j + 1; i < n; i++)
            work[j] += fabs(room[n * j + i]);
    }
    for (int j = 0; j < n; j++) {
        real sum = 0;
        for (int i = 0; i <= j; i++)
            sum += work[i] * fabs(room[n * j + i]);
        if (!(sum > 0 && sum < INFINITY))
            return 0;
        for (int i = 0; i <= j; i++)
            room[n * j + i] /= sum;
    }
    Lgecon_("1", &n, room, &n, &one, &condition, work, (int *)(work + 4 * n), &info);
    return condition > pow(EPSILON, 0.75);
}""",
        ("gecon",),
    ),
    "factor_general": Helper(
        """\
/* The LU factors of the transpose in the place of a matrix, and the pivots behind it, with room for
   n (n + 6) elements elsewhere.  Not 0 unless the matrix is regular beyond doubt. */
static int factor_general(int n, real *a, real *room)
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
    return !(most < INFINITY && (least > CLEARLY_REGULAR * most || is_regular(n, a, room)));
}""",
        ("getrf",),
        ("is_regular",),
    ),
    "solve_spd": Helper(
        """\
/* b = inv(a) b for k columns, by the lower Cholesky factor l of a. */
static void solve_spd(int n, int k, const real *l, real *b)
{
    const real one = 1;
    if (k == 1) { /* for which trsm takes up to four times as long as trsv */
        Ltrsv_("U", "T", "N", &n, l, &n, b, &k);
        Ltrsv_("U", "N", "N", &n, l, &n, b, &k);
        return;
    }
    Ltrsm_("R", "U", "N", "N", &k, &n, &one, l, &n, b, &k);
    Ltrsm_("R", "U", "T", "N", &k, &n, &one, l, &n, b, &k);
}""",
        ("trsm", "trsv"),
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
    if (k == 1)
        Ltrsv_(&side, turned == 'N' ? "T" : "N", "N", &n, t, &to_next, b, &k);
    else
        Ltrsm_("R", &side, &turned, "N", &k, &n, &one, t, &to_next, b, &k);
    return 0;
}""",
        ("trsm", "trsv"),
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
