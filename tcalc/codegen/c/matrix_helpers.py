"""The functions that C files have for functions of matrices; see `tcalc.codegen.c.helpers`."""

from __future__ import annotations

from tcalc.codegen.c.lapack import Helper

OF_MATRICES = {
    "schur_form": Helper(
        """\
/* The real Schur form of a matrix, as LAPACK sees it, in its place; behind it, in room for
   n (n + 2) elements, the vectors, and real and imaginary parts of the eigenvalues.
   Not 0 unless all is finite. */
static int schur_form(int n, real *a, real *room)
{
    const int size = 64 * n;
    real *vectors = a + n * n, *values = vectors + n * n;
    int ordered, info;
    for (int i = 0; i < n * n; i++)
        if (!isfinite(a[i]))
            return 1;
    Lgees_("V", "N", 0, &n, a, &n, &ordered, values, values + n, vectors, &n, room, &size, 0,
           &info);
    return info;
}""",
        ("gees",),
    ),
    "are_apart": Helper(
        """\
/* Whether a and -b, of which there are Schur forms, have no eigenvalue in common beyond doubt. */
static int are_apart(int m, int n, const real *a, const real *b)
{
    const real *r = a + 2 * m * m, *s = b + 2 * n * n;
    real least = INFINITY, most_r = 0, most_s = 0;
    for (int j = 0; j < n; j++)
        most_s = fmax(most_s, hypot(s[j], s[n + j]));
    for (int i = 0; i < m; i++) {
        most_r = fmax(most_r, hypot(r[i], r[m + i]));
        for (int j = 0; j < n; j++)
            least = fmin(least, hypot(r[i] + s[j], r[m + i] + s[n + j]));
    }
    return least > 4 * (m + n) * EPSILON * (most_r + most_s);
}"""
    ),
    "solve_sylvester": Helper(
        """\
/* x with a x + x b = c in the place of c, by the Schur forms of a and of b, or where `turned` is 'T'
   of the transpose of b; with room for 2 m n elements (Bartels & Stewart 1972). */
static int solve_sylvester(char turned, int m, int n, const real *a, const real *b, real *x,
                           real *room)
{
    const real *u = a + m * m, *v = b + n * n;
    const int plus = 1;
    real *y = room, *z = room + m * n, scale;
    int info;
    multiply('N', 'N', m, n, m, u, m, x, n, z, n);
    multiply('N', 'T', m, n, n, z, n, v, n, y, n);
    Ltrsyl_(&turned, "N", &plus, &n, &m, b, &n, a, &m, y, &n, &scale, &info);
    multiply('T', 'N', m, n, m, u, m, y, n, z, n);
    multiply('N', 'N', m, n, n, z, n, v, n, x, n);
    for (int i = 0; i < m * n; i++)
        x[i] /= scale;
    return info;
}""",
        ("trsyl",),
        ("multiply",),
    ),
    "spectral_form": Helper(
        """\
/* The eigenvectors of a symmetric matrix, each a row, in its place, and behind it, in room for n
   elements, the eigenvalues.  Not 0 unless all is finite. */
static int spectral_form(int n, real *a, real *room)
{
    const int size = 2 * n * n + 6 * n + 1, integers = 5 * n + 3;
    int info;
    for (int i = 0; i < n * n; i++)
        if (!isfinite(a[i]))
            return 1;
    Lsyevd_("V", "L", &n, a, &n, a + n * n, room, &size, (int *)(room + size), &integers, &info);
    return info;
}""",
        ("syevd",),
    ),
    "solve_symmetric_sylvester": Helper(
        """\
/* x with a x + x b = c in the place of c, by the spectral forms of a and b; with room for 2 m n
   elements.  Not 0 unless a and -b have no eigenvalue in common beyond doubt. */
static int solve_symmetric_sylvester(int m, int n, const real *a, const real *b, real *x,
                                     real *room)
{
    const real *r = a + m * m, *s = b + n * n;
    const real size = fmax(fabs(r[0]), fabs(r[m - 1])) + fmax(fabs(s[0]), fabs(s[n - 1]));
    real *y = room, *z = room + m * n;
    multiply('N', 'N', m, n, m, a, m, x, n, z, n);
    multiply('N', 'T', m, n, n, z, n, b, n, y, n);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            const real sum = r[i] + s[j];
            if (!(fabs(sum) > 4 * EPSILON * size))
                return 1;
            y[n * i + j] /= sum;
        }
    multiply('T', 'N', m, n, m, a, m, y, n, z, n);
    multiply('N', 'N', m, n, n, z, n, b, n, x, n);
    return 0;
}""",
        (),
        ("multiply",),
    ),
}
