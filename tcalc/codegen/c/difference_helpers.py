"""The functions that C files have for divided differences; see `tcalc.codegen.c.helpers`."""

from __future__ import annotations

from tcalc.codegen.c.lapack import Helper

OF_DIFFERENCES = {
    "in_order": Helper(
        """\
/* The k + 1 indices of an element of a tensor with axes of length n, in ascending order. */
static void in_order(int n, int k, int element, int *order)
{
    for (int count = 0; count <= k; count++) {
        const int index = element % n;
        int at = count;
        for (; at > 0 && order[at - 1] > index; at--)
            order[at] = order[at - 1];
        order[at] = index;
        element /= n;
    }
}"""
    ),
    "gauss_rule": Helper(
        """\
/* Nodes and weights of Gauss's rule of a few points on the interval from 0 to 1: the zeros of a
   polynomial of Legendre, by Newton's method. */
static void gauss_rule(int count, real *nodes, real *weights)
{
    for (int node = 0; node < count; node++) {
        double x = cos(3.141592653589793 * (node + 0.75) / (count + 0.5)), slope = 1;
        for (int step = 0; step < 5; step++) {
            double value = x, before = 1;
            for (int degree = 2; degree <= count; degree++) {
                const double next = ((2 * degree - 1) * x * value - (degree - 1) * before) / degree;
                before = value;
                value = next;
            }
            slope = count * (x * value - before) / (x * x - 1);
            x -= value / slope;
        }
        nodes[node] = (1 - x) / 2;
        weights[node] = 1 / ((1 - x * x) * slope * slope);
    }
}"""
    ),
    "simplex_points": Helper(
        """\
/* The points between any k + 1 of n ascending values that belong to Gauss's rule on a simplex. */
static void simplex_points(int n, int k, int count, const real *w, real *points)
{
    int elements = n, samples = 1, order[32];
    real nodes[8], weights[8];
    gauss_rule(count, nodes, weights);
    for (int axis = 0; axis < k; axis++) {
        elements *= n;
        samples *= count;
    }
    for (int element = 0; element < elements; element++) {
        in_order(n, k, element, order);
        const real low = w[order[0]], high = w[order[k]];
        for (int sample = 0; sample < samples; sample++) {
            real point = 0, left = 1;
            for (int axis = 0, part = samples / count; axis < k; axis++, part /= count) {
                const real next = left * nodes[sample / part % count];
                point += (left - next) * w[order[axis]];
                left = next;
            }
            /* Rounding must not leave the interval: a function may end there. */
            *points++ = fmin(fmax(point + left * high, low), high);
        }
    }
}""",
        (),
        ("in_order", "gauss_rule"),
    ),
    "next_differences": Helper(
        """\
/* Divided differences of order k at n ascending values, and bounds of their rounding, by those of
   order k - 1, and by samples of the derivative of order k at the points of Gauss's rule.  The mean
   of the samples is taken where it agrees with the quotient to the rounding that this suffers. */
static void next_differences(int n, int k, int count, const real *w, const real *before,
                             const real *bounds, const real *samples, real *differences,
                             real *next_bounds)
{
    int elements = n, points = 1, order[32];
    real nodes[8], weights[8];
    gauss_rule(count, nodes, weights);
    for (int axis = 0; axis < k; axis++) {
        elements *= n;
        points *= count;
    }
    for (int element = 0; element < elements; element++) {
        in_order(n, k, element, order);
        int low = 0, high = 0;
        for (int axis = 0; axis < k; axis++) {
            low = n * low + order[axis];
            high = n * high + order[axis + 1];
        }
        real mean = 0;
        for (int point = 0; point < points; point++) {
            real weight = 1;
            for (int axis = 0, part = points / count; axis < k; axis++, part /= count) {
                const int node = point / part % count;
                weight *= weights[node] * pow(nodes[node], k - 1 - axis);
            }
            mean += weight * *samples++;
        }
        const real spread = w[order[k]] - w[order[0]];
        const real quotient = (before[high] - before[low]) / spread;
        const real rounding = (bounds[high] + bounds[low]) / spread + EPSILON * fabs(quotient);
        const int close = !(spread > 0) || fabs(mean - quotient) <= 16 * rounding;
        differences[element] = close ? mean : quotient;
        next_bounds[element] = close ? 8 * EPSILON * fabs(mean) : rounding;
    }
}""",
        (),
        ("in_order", "gauss_rule"),
    ),
}
