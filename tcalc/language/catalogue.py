"""All functions of the language, as `tcalc functions` tells of them.

Those of `tcalc.primitives` describe themselves.  Those that take more than tensors, as sizes,
comparisons, texts or names of variables, are forms of the language, and described here.
"""

from __future__ import annotations

from tcalc.primitives import FUNCTIONS as REGISTERED
from tcalc.primitives.function import Function

CONSTANT = "0"
LINEAR = "itself (linear)"

FORMS: tuple[Function, ...] = (
    Function("ones", (), "ones(m, n), a tensor of ones; sizes can be inferred", "sizes", CONSTANT),
    Function("zeros", (), "zeros(m, n), a tensor of zeros", "sizes", CONSTANT),
    Function("eye", (), "eye(n), the unit matrix; eye where n is inferred", "sizes", CONSTANT),
    Function("vector", (), "vector(s), all entries s, its size inferred", "scalars", LINEAR),
    Function("matrix", (), "matrix(s), all entries s, its sizes inferred", "scalars", LINEAR),
    Function(
        "where",
        (),
        "where(x < y, a, b): a where the comparison holds, else b",
        "a comparison and two tensors",
        "that of the branch taken",
        "0 by the two sides of the comparison",
    ),
    Function(
        "einsum",
        (),
        'einsum("ij,jk->ik", A, B), the generic product; also #("ij,jk->ik", A, B)',
        "subscripts and tensors",
        "the product of the other tensors",
    ),
    Function(
        "stack",
        (),
        "stack(x, y), tensors as slices along a new axis, given by number or index",
        "tensors of one shape",
        LINEAR,
    ),
    Function(
        "concat",
        (),
        "concat(x, y), tensors joined along an axis, given by number or index",
        "tensors that differ only in that axis",
        LINEAR,
    ),
    Function(
        "onehot",
        (),
        "onehot(g, m), for each position in g a row of m zeros with a 1 there; X[g[i],k] uses it",
        "integers from 1 to m",
        "0",
    ),
    Function(
        "split",
        (),
        "split(x, m, n), the last axis split in two, n varying fastest; more pairs split more axes",
        "a tensor and sizes",
        LINEAR,
    ),
    Function(
        "merge",
        (),
        "merge(A), the last two axes made one, the last varying fastest; undoes split",
        "at least two axes",
        LINEAR,
    ),
    Function(
        "merge2",
        (),
        "merge2(T), the last two pairs of axes, each made one",
        "at least four axes",
        LINEAR,
    ),
    Function(
        "skew",
        (),
        "skew(x), the matrix of the cross product with x: skew(x)*y is cross(x, y)",
        "vectors of three elements, along the last axis",
        LINEAR,
    ),
    Function(
        "cross",
        (),
        "cross(x, y), the cross product; of matrices, of row and row",
        "vectors of three elements, along the last axis",
        "-skew(y) by x and skew(x) by y",
    ),
    Function(
        "gradient",
        (),
        "gradient(f, w), the derivative of a scalar by a variable",
        "a scalar and a variable",
        "the Hessian",
    ),
    Function(
        "jacobian",
        (),
        "jacobian(F, w), the derivative of a tensor: axes of F, then of w",
        "a tensor and a variable",
        "the second derivative",
    ),
    Function(
        "hessian",
        (),
        "hessian(f, w), or hessian(f, v, w), the second derivative of a scalar",
        "a scalar and variables",
        "the third derivative",
    ),
    Function(
        "derivative",
        (),
        "derivative(F, v, w, ...), the derivative by one variable after the other",
        "a tensor and variables",
        "the derivative of one order more",
    ),
)
"""The functions that the registry of primitives cannot describe."""

FUNCTIONS: tuple[Function, ...] = (*REGISTERED, *FORMS)
"""Every function of the language."""

BY_NAME: dict[str, Function] = {
    name: function for function in FUNCTIONS for name in (function.name, *function.aliases)
}
"""From a name in the language, aliases included, to the function."""
