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
/* x with a x + x b = c in the place of c, by the Schur forms of a and of b, or, where `turned` is
   'T', of the transpose of b; with room for 2 m n elements (Bartels & Stewart 1972). */
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
    "add_product": Helper(
        """\
/* c = kept c + scale a b for matrices of n rows and columns. */
static void add_product(int n, real scale, const real *a, const real *b, real kept, real *c)
{
    Lgemm_("N", "N", &n, &n, &n, &scale, b, &n, a, &n, &kept, c, &n);
}""",
        ("gemm",),
    ),
    "multiply_parts": Helper(
        """\
/* z = x y for matrices with parts: part s is the sum of x[t] y[s - t] over the subsets t of s, sets
   being numbers in binary. */
static void multiply_parts(int n, int parts, const real *x, const real *y, real *z)
{
    for (int s = 0; s < parts; s++)
        for (int t = 0; t <= s; t++)
            if ((s | t) == s)
                add_product(n, 1, x + n * n * t, y + n * n * (s - t), t > 0, z + n * n * s);
}""",
        (),
        ("add_product",),
    ),
    "column_norm": Helper(
        """\
/* The largest sum of sizes in a column; not finite where an element is not. */
static real column_norm(int n, const real *a)
{
    real most = 0;
    for (int j = 0; j < n; j++) {
        real sum = 0;
        for (int i = 0; i < n; i++)
            sum += fabs(a[n * i + j]);
        if (!isfinite(sum))
            return sum;
        most = fmax(most, sum);
    }
    return most;
}"""
    ),
    "even_powers": Helper(
        """\
/* z = c[0] + c[2] x^2 + .. + c[12] x^12 for a matrix with parts, by the powers x^2, x^4 and x^6;
   with room for one such matrix. */
static void even_powers(int n, int parts, const real *c, const real *powers, real *z, real *room)
{
    const int size = n * n * parts;
    const real *x2 = powers, *x4 = x2 + size, *x6 = x4 + size;
    for (int i = 0; i < size; i++)
        room[i] = c[12] * x6[i] + c[10] * x4[i] + c[8] * x2[i];
    multiply_parts(n, parts, x6, room, z);
    for (int i = 0; i < size; i++)
        z[i] += c[6] * x6[i] + c[4] * x4[i] + c[2] * x2[i];
    for (int i = 0; i < n; i++)
        z[(n + 1) * i] += c[0];
}""",
        (),
        ("add_product", "multiply_parts"),
    ),
    "divide_parts": Helper(
        """\
/* y = y inv(d) for matrices with parts, where d is destroyed; with room for n integers.
   Not 0 where d is singular. */
static int divide_parts(int n, int parts, real *d, real *y, int *pivots)
{
    int info;
    Lgetrf_(&n, &n, d, &n, pivots, &info);
    if (info)
        return 1;
    for (int s = 0; s < parts; s++) {
        for (int t = 1; t <= s; t++)
            if ((s | t) == s)
                add_product(n, -1, y + n * n * (s - t), d + n * n * t, 1, y + n * n * s);
        Lgetrs_("N", &n, &n, d, &n, pivots, y + n * n * s, &n, &info);
    }
    return 0;
}""",
        ("getrf", "getrs"),
        ("add_product",),
    ),
    "balance": Helper(
        """\
/* Powers of two for which a[i,j] d[j]/d[i] has rows and columns of like sums (Osborne 1960), but
   for what is below one and does not matter to an exponential; ones where that is of no use. */
static void balance(int n, const real *a, real *d)
{
    real before = 0, after = 0;
    const real most = ldexp(1, sizeof(real) == 4 ? 32 : 256);
    int moved = 1;
    for (int i = 0; i < n; i++)
        d[i] = 1;
    for (int sweep = 0; moved && sweep < 20; sweep++) {
        moved = 0;
        for (int i = 0; i < n; i++) {
            real row = 1, column = 1;
            for (int j = 0; j < n; j++) {
                row += fabs(a[n * i + j]) * (d[j] / d[i]);
                column += fabs(a[n * j + i]) * (d[i] / d[j]);
            }
            const real f = ldexp(d[i], (int)floor(log2(row / column) / 2 + 0.5));
            if (fabs(log2(row / column)) > 2 && f < most && f > 1 / most) {
                d[i] = f;
                moved = 1;
            }
        }
    }
    for (int j = 0; j < n; j++) {
        real was = 0, is = 0;
        for (int i = 0; i < n; i++) {
            was += fabs(a[n * i + j]);
            is += fabs(a[n * i + j]) * (d[j] / d[i]);
        }
        before = fmax(before, was);
        after = fmax(after, is);
    }
    for (int i = 0; i < n && after >= before / 2; i++)
        d[i] = 1;
}"""
    ),
    "exponential": Helper(
        """\
/* The exponential of a matrix, or its derivative in k directions that lie behind it, by scaling,
   a Pade approximant of degree 13, and squaring (Higham 2005).  With directions, taken of norm 1,
   a matrix has a part for each set of them, where these occur once each (Higham & Relton 2014).
   Not 0 unless all is finite. */
static int exponential(int n, int k, const real *a, real *result, real *room)
{
    const int parts = 1 << k, size = n * n * parts;
    real *x = room, *powers = x + size, *p = powers + 3 * size, *q = p + size, *d = q + size + n;
    real norm = column_norm(n, a), factor = 1, scale = 1, c[14] = {1};
    int steps = 0;

    for (int i = 0; i < 13; i++)
        c[i + 1] = c[i] * (13 - i) / ((26 - i) * (i + 1));
    if (!isfinite(norm))
        return 1;
    for (int i = 0; i < n; i++)
        d[i] = 1;
    if (norm > 64)
        balance(n, a, d);
    for (int s = 0; s < parts; s++) {
        /* Of the parts, the matrix and its directions are given. */
        const int given = (s & (s - 1)) == 0;
        int place = 0;
        for (int t = s; t > 0; t /= 2)
            place++;
        for (int i = 0; i < n * n; i++)
            x[n * n * s + i] = given ? a[n * n * place + i] * (d[i % n] / d[i / n]) : 0;
        if (!given)
            continue;
        const real length = column_norm(n, x + n * n * s), unit = length > 0 ? length : 1;
        if (!isfinite(length))
            return 1;
        for (int i = 0; i < n * n && s > 0; i++)
            x[n * n * s + i] /= unit;
        factor *= s > 0 ? unit : 1;
        norm = s > 0 ? norm : length + k;
    }
    for (; norm > 4; norm /= 2, scale /= 2)
        steps++;
    for (int i = 0; i < size; i++)
        x[i] *= scale;

    multiply_parts(n, parts, x, x, powers);
    multiply_parts(n, parts, powers, powers, powers + size);
    multiply_parts(n, parts, powers + size, powers, powers + 2 * size);
    /* With p the terms of odd degree, and q those of even: inv(q - p) (q + p), which commute. */
    even_powers(n, parts, c + 1, powers, q, p);
    multiply_parts(n, parts, x, q, p);
    even_powers(n, parts, c, powers, q, x);
    for (int i = 0; i < size; i++) {
        x[i] = q[i] - p[i];
        p[i] += q[i];
    }
    if (divide_parts(n, parts, x, p, (int *)(q + size)))
        return 1;
    for (; steps > 0; steps--) {
        real *const root = p;
        multiply_parts(n, parts, root, root, q);
        p = q;
        q = root;
    }
    for (int i = 0; i < n * n; i++)
        result[i] = factor * (p[size - n * n + i] * (d[i / n] / d[i % n]));
    return 0;
}""",
        (),
        ("balance", "column_norm", "add_product", "multiply_parts", "even_powers", "divide_parts"),
    ),
    "pseudo_inverse": Helper(
        """\
/* The Moore-Penrose inverse of a matrix, which is destroyed.  Singular values that are rounding of
   the largest count as 0.  Not 0 unless all is finite. */
static int pseudo_inverse(int m, int n, real *a, real *result, real *room)
{
    const int k = m < n ? m : n;
    real *u = room, *s = u + m * k, *v = s + k;
    if (decompose_singular(m, n, a, u, s, v, v + n * k))
        return 1;
    const real least = (m > n ? m : n) * EPSILON * s[0];
    for (int j = 0; j < k; j++)
        for (int i = 0; i < n; i++)
            v[k * i + j] = s[j] > least ? v[k * i + j] / s[j] : 0;
    multiply('N', 'T', n, m, k, v, k, u, k, result, m);
    return 0;
}""",
        (),
        ("multiply", "decompose_singular"),
    ),
    "polar_factor": Helper(
        """\
/* The factor u v' of a matrix u diag(s) v', which is destroyed.
   Not 0 unless it has full rank beyond doubt. */
static int polar_factor(int m, int n, real *a, real *result, real *room)
{
    const int k = m < n ? m : n;
    real *u = room, *s = u + m * k, *v = s + k;
    if (decompose_singular(m, n, a, u, s, v, v + n * k))
        return 1;
    multiply('N', 'T', m, n, k, u, k, v, k, result, n);
    return !(s[k - 1] > 4 * (m > n ? m : n) * EPSILON * s[0]);
}""",
        (),
        ("multiply", "decompose_singular"),
    ),
    "nuclear_norm": Helper(
        """\
/* The sum of the singular values of a matrix, which is destroyed.  Not 0 unless all is finite. */
static int nuclear_norm(int m, int n, real *a, real *result, real *room)
{
    const int k = m < n ? m : n;
    real sum = 0;
    if (decompose_singular(m, n, a, 0, room, 0, room + k))
        return 1;
    for (int i = 0; i < k; i++)
        sum += room[i];
    *result = sum;
    return 0;
}""",
        (),
        ("decompose_singular",),
    ),
    "square_root_symmetric": Helper(
        """\
/* The square root of a symmetric matrix, which is destroyed.  Not 0 unless it is positive
   semidefinite, up to rounding. */
static int square_root_symmetric(int n, real *a, real *result, real *room)
{
    real *v = room, *w = v + n * n;
    for (int i = 0; i < n * n; i++)
        v[i] = a[i];
    if (spectral_form(n, v, w + n))
        return 1;
    if (w[0] < (real)-0.25 * n * EPSILON * fmax(fabs(w[0]), fabs(w[n - 1])))
        return 1;
    for (int k = 0; k < n; k++)
        for (int i = 0; i < n; i++)
            a[n * k + i] = sqrt(fmax(w[k], 0)) * v[n * k + i];
    multiply('T', 'N', n, n, n, v, n, a, n, result, n);
    return 0;
}""",
        (),
        ("spectral_form", "multiply"),
    ),
    "square_root": Helper(
        """\
/* The principal square root of a matrix, which is destroyed, by the scaled product iteration of
   Denman and Beavers (Higham, Functions of Matrices, 6.29): a tends to 1, and result to the root.
   Not 0 unless that is soon; if a is symmetric, unless it is positive definite beyond doubt. */
static int square_root(int n, real *a, real *result, real *room)
{
    const int size = 64 * n;
    real *y = room, *next = y + n * n, *work = next + n * n;
    int *pivots = (int *)(work + size), symmetric = 1, info;

    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            symmetric &= a[n * i + j] == a[n * j + i];
    if (symmetric) {
        const real *w = room + n * n;
        return square_root_symmetric(n, a, result, room) || !(w[0] > 4 * n * EPSILON * w[n - 1]);
    }
    for (int i = 0; i < n * n; i++)
        result[i] = a[i];
    for (int step = 0; step < 20; step++) {
        real logarithm = 0;
        int close = 1;
        for (int i = 0; i < n * n; i++)
            y[i] = a[i];
        Lgetrf_(&n, &n, y, &n, pivots, &info);
        if (info)
            return 1;
        for (int i = 0; i < n; i++)
            logarithm += log(fabs(y[(n + 1) * i]));
        Lgetri_(&n, y, &n, pivots, work, &size, &info);
        /* At first a is scaled to a determinant of size 1. */
        const real scale = step < 6 ? exp(-logarithm / (2 * n)) : 1, square = scale * scale;
        for (int i = 0; i < n * n; i++) {
            y[i] /= square;
            a[i] = (square * a[i] + y[i]) / 4;
        }
        for (int i = 0; i < n; i++) {
            y[(n + 1) * i] += 1;
            a[(n + 1) * i] += (real)0.5;
        }
        multiply('N', 'N', n, n, n, result, n, y, n, next, n);
        for (int i = 0; i < n * n; i++) {
            result[i] = scale / 2 * next[i];
            close &= fabs(a[i] - (i % (n + 1) == 0)) <= 4 * n * EPSILON;
        }
        if (close)
            return 0;
    }
    return 1;
}""",
        ("getrf", "getri"),
        ("spectral_form", "multiply", "square_root_symmetric"),
    ),
    "positive_values": Helper(
        """\
/* A copy of n eigenvalues; 1 unless all are positive. */
static int positive_values(int n, const real *w, real *result)
{
    for (int i = 0; i < n; i++) {
        if (!(w[i] > 0))
            return 1;
        result[i] = w[i];
    }
    return 0;
}"""
    ),
}
