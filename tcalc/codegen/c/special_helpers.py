"""The functions that C files have for what the C library lacks; see `tcalc.codegen.c.helpers`.

Formulas are those of the NIST handbook, 5 and 25 for digamma and its derivatives, 7 for the error
function.  All of them compute in double precision, floats too.
"""

from __future__ import annotations

from tcalc.codegen.c.lapack import Helper

OF_NUMBERS = {
    "digamma": Helper(
        """\
/* The logarithmic derivative of the gamma function.  Between 0 and 10 as the difference to its zero
   z, in which the logarithm, 1/x and the asymptotic series have the factor x - z:
   psi(x) = psi(x + 10) - psi(z + 10) + (x - z) (1/(x z) + 1/((x + 1) (z + 1)) + ...). */
static real digamma(double x)
{
    static const double series[] = {1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132,
                                    -691.0 / 32760, 1.0 / 12, -3617.0 / 8160};
    const double pi = 3.141592653589793, zero = 1.4616321449683622;
    double mirrored = 0, d = x - zero;
    if (x == 0)
        return -1 / x;
    if (x < 0) { /* psi(x) = psi(1 - x) - pi cot(pi x) */
        const double r = x - rint(x), size = fabs(r);
        if (!(size > 0))
            return NAN;
        mirrored = size < 0.25 ? 1 / tan(pi * size) : tan(pi * (0.5 - size));
        mirrored *= r < 0 ? pi : -pi;
        d = 1 - zero - x;
        x = 1 - x;
    }
    if (x < 10) {
        const double y = x + 10, z = zero + 10;
        const double s = 1 / (y * y), t = 1 / (z * z);
        double sum = 0, value = 0, slope = 0;
        d -= 9.549995429965697e-17; /* the digits of z behind those of a double */
        for (int k = 7; k >= 0; k--) { /* slope = (P(s) - P(t))/(s - t) */
            slope = slope * t + value;
            value = value * s + series[k];
        }
        slope = slope * t + value;
        for (int k = 9; k >= 0; k--)
            sum += 1 / ((x + k) * (zero + k));
        sum += 1 / (2 * y * z) + (y + z) * s * t * slope;
        return mirrored + (d * sum + log1p(d / z));
    }
    const double t = 1 / (x * x);
    double value = 0;
    for (int k = 7; k >= 0; k--)
        value = (value + series[k]) * t;
    return mirrored + (log(x) - (0.5 / x + value));
}"""
    ),
    "hurwitz_zeta": Helper(
        """\
/* The sum of (q + n)^-s over n = 0, 1, 2, ... for q > 0 and s > 1, by the Euler-Maclaurin formula
   for all but some terms. */
static double hurwitz_zeta(int s, double q)
{
    /* B[2j + 2]/(2j + 2)! divided by B[2j]/(2j)! */
    static const double ratios[] = {
        -1.0 / 60, -1.0 / 42, -1.0 / 40, -5.0 / 198, -691.0 / 27300, -35.0 / 1382,
        -3617.0 / 142800, -219335.0 / 8659098, -1222277.0 / 48253700};
    double sum = 0, w = q, rest = 1;
    for (int n = 1; w < 8 + s; n++) {
        const double term = s == 2 ? 1 / (w * w) : pow(w, -s);
        sum += term;
        if (term * w < 1e-17 * sum)
            return sum;
        w = q + n;
    }
    for (int j = 8; j >= 0; j--)
        rest = 1 + rest * ratios[j] * (s + 2 * j + 1) * (s + 2 * j + 2) / (w * w);
    rest = (0.5 + rest * s / (12 * w)) / w;
    return sum + (s == 2 ? 1 / w : pow(w, 1 - s)) * (1.0 / (s - 1) + rest);
}"""
    ),
    "polygamma": Helper(
        """\
/* The derivative of digamma of order k > 0: (-1)^(k+1) k! times the sum of (x + n)^-(k+1) over
   n = 0, 1, 2, ..., which left of 0 is that of (r + m)^-(k+1) over all integers m without those
   beyond x, for x = r to the nearest integer. */
static real polygamma(int k, double x)
{
    const int s = k + 1, sign = k % 2 ? 1 : -1;
    double factor = sign, sum;
    for (int j = 2; j <= k; j++)
        factor *= j;
    if (x > 0 || x != x)
        return factor * hurwitz_zeta(s, x);
    const double r = x < -9007199254740992 ? 0 : x - rint(x);
    if (r == 0)
        return factor * INFINITY;
    sum = pow(r, -s) + hurwitz_zeta(s, 1 + r);
    if (r != x)
        sum += sign * (hurwitz_zeta(s, 1 - r) - hurwitz_zeta(s, 1 - x));
    return factor * sum;
}""",
        (),
        ("hurwitz_zeta",),
    ),
    "erfcx": Helper(
        """\
/* exp(x^2) erfc(x): x^2 as the square of a number of few digits, which is exact, and the rest; far
   to the right by the asymptotic series. */
static real erfcx(double x)
{
    if (x < 10) {
        const double near = x > -30 ? x : -30, high = (float)near;
        return exp(high * high) * exp((near - high) * (near + high)) * erfc(near);
    }
    const double t = 0.5 / x / x;
    double sum = 1;
    for (int k = 12; k > 0; k--)
        sum = 1 - (2 * k - 1) * t * sum;
    return sum * 0.5641895835477563 / x;
}"""
    ),
}
