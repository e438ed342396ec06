"""Functions of other languages, and what a program has in their place.

These are tables: names stand in small letters and without underscores, as `folded` makes them.
Which of them a hint is taken from is decided in `tcalc.language.habits`.
"""

from __future__ import annotations

from collections.abc import Mapping

from tcalc.language.catalogue import BY_NAME

FUNCTIONS: Mapping[str, str] = {
    "arraydot": "einsum",
    "average": "mean",
    "cat": "concat",
    "cbind": "concat",
    "cdf": "normcdf",
    "cholesky": "chol",
    "columnstack": "concat",
    "concatenate": "concat",
    "conjugatetranspose": "transpose",
    "derivebyarray": "jacobian",
    "determinant": "det",
    "diagm": "diag",
    "diagmatrix": "diag",
    "diagonal": "diag",
    "diagonalizevector": "diag",
    "diagonalmatrix": "diag",
    "eig": "eigh",
    "eigen": "eigh",
    "eigensystem": "eigh",
    "eigenvalues": "eigvalsh",
    "eigvals": "eigvalsh",
    "expit": "sigmoid",
    "fabs": "abs",
    "fmax": "max",
    "fmin": "min",
    "forwardsolve": "trisolve",
    "fro": "norm2",
    "frobenius": "norm2",
    "frobeniusnorm": "norm2",
    "gammaln": "lgamma",
    "ginv": "pinv",
    "grad": "gradient",
    "hadamardproduct": "hadamard",
    "hcat": "concat",
    "heaviside": "step",
    "heavisidetheta": "step",
    "hess": "hessian",
    "horzcat": "concat",
    "hstack": "concat",
    "identity": "eye",
    "identitymatrix": "eye",
    "ifelse": "where",
    "inner": "dot",
    "innerproduct": "dot",
    "inverse": "inv",
    "jac": "jacobian",
    "jacfwd": "jacobian",
    "jacrev": "jacobian",
    "kronecker": "kron",
    "kroneckerproduct": "kron",
    "linearsolve": "solve",
    "linsolve": "solve",
    "ln": "log",
    "logistic": "sigmoid",
    "lse": "logsumexp",
    "matpow": "powm",
    "matrixexp": "expm",
    "matrixinverse": "inv",
    "matrixlog": "logm",
    "matrixpower": "powm",
    "maximum": "max",
    "minimum": "min",
    "mldivide": "solve",
    "multiply": "hadamard",
    "ndtr": "normcdf",
    "norm": "norm2",
    "normfro": "norm2",
    "nuclear": "normnuc",
    "onematrix": "ones",
    "oneslike": "ones",
    "opnorm": "normspec",
    "outerproduct": "outer",
    "plogis": "sigmoid",
    "pmax": "max",
    "pmin": "min",
    "power": "pow",
    "pseudoinverse": "pinv",
    "psi": "digamma",
    "rbind": "concat",
    "reducemax": "max",
    "reducemean": "mean",
    "reduceprod": "prod",
    "reducesum": "sum",
    "sgn": "sign",
    "sigma": "sigmoid",
    "singularvalues": "svdvals",
    "sq": "square",
    "sqr": "square",
    "tensorcontract": "einsum",
    "tensorcontraction": "einsum",
    "tensordot": "einsum",
    "tensorproduct": "outer",
    "total": "sum",
    "trace": "tr",
    "triangularsolve": "trisolve",
    "unitstep": "step",
    "vcat": "concat",
    "vdot": "dot",
    "vertcat": "concat",
    "vstack": "stack",
    "zeromatrix": "zeros",
    "zeroslike": "zeros",
}
"""Functions of other languages, and ours that does the same."""

_SIZE = "the name of a dimension is its size: tensor x[n]; sum(x)/n"
MINIMUM = "a program is a function; tcalc.problem finds its minimum"
_ROUNDED = "it is constant between its jumps: what is rounded is data"
CHOICE = "a choice is where(x > 0, a, b)"
CONDITION = "a condition is one comparison: where(x > 0, where(y > 0, a, b), b)"
DECLARATION = "a declaration is `tensor X[m,n], c`"
DISTANCES = "D[i,j] = sqrt((X[i,k] - Y[j,k])^2)"
BLOCKS = "concat(concat[2](A, B), concat[2](C, D))"
_ARRANGED = "axes are arranged by indices: T[i,j,k] = A[k,i,j]"
_CHOSEN = "rows are chosen by positions that are data, tensor g[n] integer: Y[i,k] = X[g[i],k]"
_DATA = "vectors and matrices of numbers are data: write a name, and give it its value"
_FIXED = "to hold a value fixed, make it a separate variable and give it the same value"
_ROOT = "a step of Newton's method is x - jacobian(F, x) \\ F; tcalc.problem minimises norm2(F)^2"
_SCAN = "a loop is `for t = 1:T`, of any length by tcalc.recurrence"
_SCHEME = "a scheme is a loop, x{t} = x{t-1} + h*f, over `for t = 1:T`"
_TYPES = "numbers have the type that the data have: leave it out"
REPEATED = "a vector is repeated by an outer product, x*ones(n)' or ones(m)*x'"
_AXIS = f"an axis is added by an index, x[i]*y[j], and taken off by a position, A[:,1]; {REPEATED}"
_BATCH = "one more index does it: Z[b,i] = tanh(A[i,j]*X[b,j])"
_PRODUCTS = "products of batches are written with indices: C[b,i,k] = A[b,i,j]*B[b,j,k]"
_REAL = "all numbers are real here"
_RICCATI = "unroll the recurrence in a loop, `for t = 1:T`, or bring it by tcalc.function"
_SHIFTED = "at positions that are sums of indices: y[i] = x[i+k-1]*w[k]"
_SORTED = (
    "nothing is sorted here; the extremes are max(x), min(x), in Einstein notation max[j](X[i,j])"
)
_RANDOM = "nothing is drawn here: make an input of it, tensor M[m,n]; X.*M"
_SYMMETRIC = "a declaration says so, tensor A[n,n] symmetric; the symmetric part is (A + A')/2"

PHRASES: Mapping[str, str] = {
    "addmm": "the product is A*B, and the sum C + A*B",
    **dict.fromkeys(("all", "any", "logicand", "logicnot", "logicor"), CONDITION),
    **dict.fromkeys(("apply", "map", "mapreduce", "sapply", "vmap"), _BATCH),
    **dict.fromkeys(
        ("applyfunc", "elementwiseapplyfunction", "vectorize"),
        "functions are element by element as they are, sin(A)",
    ),
    **dict.fromkeys(("arange", "linspace"), _DATA),
    "argmax": MINIMUM,
    "argmin": MINIMUM,
    **dict.fromkeys(
        ("arraysymbol", "dmatrix", "dscalar", "dvector", "matrixsymbol", "vectorsymbol"),
        DECLARATION,
    ),
    "backsolve": "with R declared upper, tensor R[n,n] upper, it is R \\ b",
    **dict.fromkeys(("baddbmm", "batcheddot", "batchmatmul", "bmm"), _PRODUCTS),
    **dict.fromkeys(
        ("airyai", "besseli", "besselj", "besselk"),
        "tcalc.elementwise brings functions of SymPy",
    ),
    **dict.fromkeys(
        ("blockdiag", "blockdiagmatrix", "diagcat"),
        "concat(concat[2](A, zeros(m,q)), concat[2](zeros(p,n), B)), with A[m,n], B[p,q]",
    ),
    "bsxfun": REPEATED,
    **dict.fromkeys(
        ("checkpoint", "remat"),
        "tcalc.recurrence stores the steps of a loop, without recomputation",
    ),
    **dict.fromkeys(("conditional", "piecewise", "select", "switch"), CHOICE),
    **dict.fromkeys(("care", "dare", "lqr"), _RICCATI),
    **dict.fromkeys(
        ("ceil", "fix", "floor", "int", "mod", "rem", "rint", "round", "trunc"), _ROUNDED
    ),
    **dict.fromkeys(("conj", "conjugate", "im", "imag", "re", "real"), _REAL),
    **dict.fromkeys(("conv", "conv1d", "convolve", "correlate"), _SHIFTED),
    "conv2d": "Y[s,o,i,j] = X[s,c,i+k-1,j+l-1]*W[o,c,k,l]",
    "hankel": "H[i,j] = c[i+j-1]",
    "toeplitz": "T[i,j] = c[i-j+n], of c[2*n-1]",
    "cov": "of the columns: R = X - ones(m)*(ones(m)'*X)/m; R'*R/m",
    "cumprod": "of positive numbers exp(cumsum(log(x)))",
    **dict.fromkeys(
        ("cse", "expand", "factor", "simplify"), "formulas are simplified by themselves"
    ),
    **dict.fromkeys(
        ("customjvp", "customvjp"), "tcalc.function brings a function with a derivative of its own"
    ),
    **dict.fromkeys(("delta", "kroneckerdelta"), "the unit tensor takes indices, delta[i,j]"),
    "diff": "differences are x[2:end] - x[1:end-1], derivatives gradient(f, x)",
    **dict.fromkeys(("detach", "disconnectedgrad", "nograd", "stopgradient"), _FIXED),
    **dict.fromkeys(("dim", "dims", "len", "length", "ncol", "ncols", "ndims"), _SIZE),
    "dlyap": "split((eye(n^2) - kron(A, A)) \\ vec(Q), n, n), of a symmetric Q",
    "dnorm": "the standard normal density is `normpdf(x)`; with others normpdf((x - a)/b)/b",
    "dropout": _RANDOM,
    **dict.fromkeys(
        ("dft", "fft", "ifft"), f"{_REAL}; parts of a transform are products with data"
    ),
    **dict.fromkeys(("embedding", "gather", "indexselect", "take", "takealongaxis"), _CHOSEN),
    **dict.fromkeys(("expanddims", "squeeze", "unsqueeze"), _AXIS),
    **dict.fromkeys(("flip", "fliplr", "flipud", "reverse"), "z[i] = x[end+1-i] runs backwards"),
    **dict.fromkeys(("findroot", "fsolve", "rootfinder"), _ROOT),
    **dict.fromkeys(("float", "double", "astype", "cast"), _TYPES),
    **dict.fromkeys(("foriloop", "scan", "whileloop"), _SCAN),
    **dict.fromkeys(("full", "fulllike"), "zeros(m, n), ones(m, n), or c*ones(m, n)"),
    **dict.fromkeys(("hvp", "hessp"), "gradient(gradient(f, x)'*v, x), or tcalc.hvp in Python"),
    **dict.fromkeys(
        ("integral", "integrate", "quad"),
        "write an integral as a sum with quadrature weights, which are data: w'*f",
    ),
    **dict.fromkeys(("integrator", "odeint", "solveivp"), _SCHEME),
    **dict.fromkeys(
        ("erfinv", "interp", "interp1d", "interpolant", "lambertw", "norminv", "zeta"),
        "tcalc.function brings code and its derivative",
    ),
    "jit": "tcalc.compile compiles a program, which needs no decorator",
    **dict.fromkeys(
        ("jtimes", "jvp", "pushforward", "rop"),
        "jacobian(F, x)*v, or tcalc.jvp in Python, which never forms the Jacobian",
    ),
    **dict.fromkeys(("levicivita", "levicivitatensor"), "give it as data: tensor epsilon[3,3,3]"),
    "lu": "a solve is A \\ b; factorisations are chol, qr, lq, eigh and svd",
    "valueandgrad": "gradient(f, x) is an expression too; tcalc.compile takes several",
    **dict.fromkeys(("lop", "pullback", "vjp"), "gradient(u'*F, x), or tcalc.vjp in Python"),
    **dict.fromkeys(("matmul", "mm", "mtimes", "mv"), "the product is A*B"),
    **dict.fromkeys(("median", "percentile", "quantile", "sort"), _SORTED),
    "norm": "norm2(x), of a matrix Frobenius' norm; or norm1, norminf, normspec, normnuc",
    "nlpsol": MINIMUM,
    **dict.fromkeys(("nrow", "nrows", "numel"), _SIZE),
    **dict.fromkeys(
        ("dimshuffle", "moveaxis", "permute", "permutedims", "rearrange", "swapaxes"), _ARRANGED
    ),
    "phi": "the normal density is normpdf(x), its distribution normcdf(x)",
    "pi": "pi is a number, and takes no argument",
    "pnorm": "the standard normal one is `normcdf(x)`; with mean and deviation normcdf((x - a)/b)",
    **dict.fromkeys(("rand", "randn", "rnorm", "runif"), _RANDOM),
    "repmat": REPEATED,
    "rational": "a fraction is 1/2",
    "reduce": "a reduction takes the index that it consumes in brackets: r[b] = mean[h](X[b,h])",
    "reshape": "vec(A) makes a vector of a matrix, split(x, m, n) a matrix of a vector",
    "shape": _SIZE,
    **dict.fromkeys(("shared", "sym"), DECLARATION),
    "subjectto": "constraints are given beside the function, to tcalc.problem",
    **dict.fromkeys(
        ("subs", "substitute"), "a definition before the formula gives the value: `x = ...`"
    ),
    "size": _SIZE,
    **dict.fromkeys(("rep", "repeat", "tile"), REPEATED),
    **dict.fromkeys(("symmetric", "symmetrize", "symmetrise", "vech"), _SYMMETRIC),
}
"""Functions of other languages for which ours has a formula or a notation."""

FORMULAS: Mapping[str, str] = {
    "abs2": "x.^2",
    "beta": "exp(lgamma(a) + lgamma(b) - lgamma(a + b))",
    **dict.fromkeys(
        ("bce", "bcewithlogits", "binarycrossentropywithlogits"), "sum(softplus(z) - y.*z)"
    ),
    "bilin": "x'*A*y",
    "binarycrossentropy": "-sum(xlogy(y, p) + xlogy(1 - y, 1 - p))",
    **dict.fromkeys(
        ("binom", "binomial", "choose", "comb", "nchoosek"),
        "exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1))",
    ),
    **dict.fromkeys(("blockcat", "blockmatrix", "bmat"), BLOCKS),
    "categoricalcrossentropy": "-y'*log(p)",
    "cbrt": "sign(x).*abs(x).^(1/3)",
    **dict.fromkeys(("cdist", "pairwisedistance", "pairwisedistances"), DISTANCES),
    "chol2inv": "inv(A)",
    "circshift": "concat(x[end:end], x[1:end-1])",
    **dict.fromkeys(("clamp", "clip"), "max(min(x, b), a)"),
    "colmeans": "c[j] = mean[i](X[i,j])",
    "colsums": "c[j] = X[i,j]",
    **dict.fromkeys(
        ("cor", "corr", "corrcoef"),
        "(x - mean(x))'*(y - mean(y))/(norm2(x - mean(x))*norm2(y - mean(y)))",
    ),
    "commutator": "A*B - B*A",
    "cond": "s = svdvals(A); s[1]/s[end]",
    **dict.fromkeys(("cosinesimilarity", "cosinesim"), "x'*y/(norm2(x)*norm2(y))"),
    "cot": "1./tan(x)",
    **dict.fromkeys(("crossentropy", "crossentropyloss"), "-y'*logsoftmax(z)"),
    "crossprod": "X'*Y",
    "csc": "1./sin(x)",
    **dict.fromkeys(
        ("dmvnorm", "mvnpdf", "logmvnpdf"), "-(logdet(2*pi*S) + (x - m)'*(S \\ (x - m)))/2"
    ),
    "dexp": "c*exp(-c*x)",
    "dpois": "exp(x*log(c) - c - lgamma(x + 1))",
    **dict.fromkeys(("celu", "elu"), "where(x > 0, x, exp(x) - 1)"),
    "entropy": "-sum(xlogx(p))",
    "exp2": "2.^x",
    "factorial": "gamma(n + 1)",
    "gelu": "x.*normcdf(x)",
    **dict.fromkeys(("hardtanh", "htanh"), "max(min(x, 1), -1)"),
    "hinge": "sum(max(1 - y.*(X*w), 0))",
    **dict.fromkeys(
        ("huber", "huberloss", "smoothl1loss"), "sum(where(abs(x) < 1, x.^2/2, abs(x) - 1/2))"
    ),
    "hypot": "sqrt(x.^2 + y.^2)",
    **dict.fromkeys(("kl", "kldiv", "kldivergence"), "sum(p.*log(p./q))"),
    "layernorm": "(x - mean(x))/sqrt(mean((x - mean(x)).^2) + c)",
    "lbeta": "lgamma(a) + lgamma(b) - lgamma(a + b)",
    "lchoose": "lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)",
    "leakyrelu": "max(x, a*x)",
    "lerp": "x + c*(y - x)",
    "linear": "X*W' + ones*v'",
    "logcumsumexp": "log(cumsum(exp(x)))",
    **dict.fromkeys(("logit", "qlogis"), "log(p./(1 - p))"),
    **dict.fromkeys(("l1loss", "mae"), "mean(abs(x - y))"),
    "logsigmoid": "log(sigmoid(x))",
    "mahalanobis": "(x - m)'*(S \\ (x - m))",
    **dict.fromkeys(("matadd", "add"), "A + B"),
    "mish": "x.*tanh(softplus(x))",
    **dict.fromkeys(("mse", "mseloss"), "mean((x - y).^2)"),
    "nllloss": "-y'*logsoftmax(z)",
    "normalize": "x/norm2(x)",
    "polyval": "c[1]*x.^2 + c[2]*x + c[3]",
    "quadform": "x'*A*x",
    "rank1": "A + c*x*y'",
    "relu6": "max(min(x, 6), 0)",
    "rmsnorm": "x/sqrt(mean(x.^2) + c)",
    "rowmeans": "r[i] = mean[j](X[i,j])",
    "rowsums": "r[i] = X[i,j]",
    "rsqrt": "1./sqrt(x)",
    "sec": "1./cos(x)",
    **dict.fromkeys(("silu", "swish"), "x.*sigmoid(x)"),
    "roll": "concat(x[end:end], x[1:end-1])",
    "sinc": "sin(pi*x)./(pi*x)",
    "softmin": "softmax(-x)",
    "softsign": "x./(1 + abs(x))",
    "softthreshold": "sign(x).*max(abs(x) - c, 0)",
    "squareddistance": "norm2(x - y)^2",
    **dict.fromkeys(("sd", "std"), "sqrt(mean((x - mean(x)).^2))"),
    **dict.fromkeys(
        ("scale", "standardize", "zscore"), "(x - mean(x))/sqrt(mean((x - mean(x)).^2))"
    ),
    **dict.fromkeys(("sumsqr", "sumsquares", "squarednorm"), "norm2(x)^2"),
    "tcrossprod": "X*Y'",
    "trapz": "c*(sum(x) - (x[1] + x[end])/2)",
    "trigamma": "polygamma(1, x)",
    "var": "mean((x - mean(x)).^2)",
}
"""Functions of other languages, as formulas."""

OTHER_ARGUMENTS: Mapping[tuple[str, int], str] = {
    ("cumsum", 2): "it acts along the last axis, as cumsum[j](X[i,j]) does",
    ("diag", 2): "a vector on the diagonal is diag(x), a diagonal diag(A)",
    ("dot", 3): "x'*A*y",
    ("logsoftmax", 2): "it acts along the last axis, as logsoftmax[j](X[i,j]) does",
    **dict.fromkeys((("matrix", 2), ("matrix", 3)), "zeros(m, n), ones(m, n), or c*ones(m, n)"),
    **dict.fromkeys((("vector", 2), ("vector", 3)), "zeros(n), ones(n), or c*ones(n)"),
    ("softmax", 2): "it acts along the last axis, as softmax[j](X[i,j]) does",
    ("solve", 1): "the inverse is inv(A), a solve A \\ b",
    ("sum", 2): "over rows and columns: sum[i](X[i,j]), sum[j](X[i,j]); of a function, sum(x.^2)",
    ("transpose", 2): "axes are arranged by indices: T[i,j,k] = A[k,i,j]",
    ("transpose", 3): "axes are arranged by indices: T[i,j,k] = A[k,i,j]",
    ("where", 1): "where(x < y, a, b) takes a where x < y, else b",
}
"""Hints for functions that take another number of arguments elsewhere."""


ATTRIBUTES: Mapping[str, str] = {
    **dict.fromkeys(("backward", "diff"), "tcalc.gradient, tcalc.jacobian, tcalc.derivative"),
    **{
        name: f"tcalc.{name}"
        for name in (
            *("check", "compile", "cost", "derivative", "draw", "evaluate", "explain", "hvp"),
            *("jvp", "linearize", "problem", "to_sympy", "vjp"),
        )
    },
    **dict.fromkeys(("array", "tensor"), "data are arrays, given to what tcalc.compile makes"),
    **dict.fromkeys(("custom_jvp", "custom_vjp"), "tcalc.function, with a derivative of its own"),
    **dict.fromkeys(
        ("detach", "stop_gradient"),
        "to hold a value fixed, make it a separate input with the same value",
    ),
    **dict.fromkeys(("evalf", "eval"), "tcalc.evaluate, or a function by tcalc.compile"),
    **dict.fromkeys(("expand", "simplify"), "expressions are simplified by themselves"),
    **dict.fromkeys(("fori_loop", "scan", "while_loop"), "tcalc.recurrence"),
    **dict.fromkeys(("free_symbols", "args"), "f.variables"),
    **dict.fromkeys(("jit", "lambdify"), "tcalc.compile"),
    **dict.fromkeys(("jtimes", "Rop", "rop"), "tcalc.jvp"),
    **dict.fromkeys(("Lop", "lop"), "tcalc.vjp"),
    "latex": "f.latex()",
    **dict.fromkeys(("minimise", "minimize", "Opti"), "tcalc.problem(f, 'x', data).minimize()"),
    **dict.fromkeys(
        (
            *("ArraySymbol", "MatrixSymbol", "MX", "SX", "Symbol", "VectorSymbol", "symbol"),
            *("var", "variable"),
        ),
        "tcalc.symbols('A[m,n], x[n]')",
    ),
    "ndim": "len(f.shape)",
    **dict.fromkeys(("python", "source"), "tcalc.compile(f).source"),
    "subs": "tcalc.combine puts expressions into a formula, what tcalc.compile makes takes arrays",
    "value_and_grad": "tcalc.compile([f, tcalc.gradient(f, 'x')])",
    "vmap": "one more index, z[b,i] = A[i,j]*x[b,j], or `several` of tcalc.jvp, vjp and hvp",
}
"""Functions and methods of other packages."""


def folded(name: str) -> str:
    """A name as it stands in the tables.

    >>> folded("Log_Det")
    'logdet'
    """
    return name.lower().replace("_", "")


def meant(name: str) -> str:
    """The function that a name of a function means, in whatever language; empty if none.

    >>> meant("Trace"), meant("exp"), meant("x")
    ('tr', 'exp', '')
    """
    word = folded(name)
    return word if word in BY_NAME else FUNCTIONS.get(word, "")
