"""Names and words that people write who come from elsewhere, and what to write instead.

Nothing here is accepted: each entry turns the habit into the hint of an error.  Characters and
commands of TeX are in `tcalc.language.marks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from tcalc.expr.properties import PROPERTIES as KNOWN_PROPERTIES
from tcalc.language.catalogue import BY_NAME

_CLOSE = 0.65
"""How alike two words must be for one to be offered in place of the other."""

FUNCTIONS: Mapping[str, str] = {
    "average": "mean",
    "cat": "concat",
    "cbind": "concat",
    "cdf": "normcdf",
    "cholesky": "chol",
    "concatenate": "concat",
    "columnstack": "concat",
    "determinant": "det",
    "diagm": "diag",
    "diagonal": "diag",
    "diagonalmatrix": "diag",
    "eig": "eigh",
    "eigen": "eigh",
    "eigensystem": "eigh",
    "eigenvalues": "eigvalsh",
    "eigvals": "eigvalsh",
    "expit": "sigmoid",
    "forwardsolve": "trisolve",
    "fro": "norm2",
    "frobenius": "norm2",
    "gammaln": "lgamma",
    "ginv": "pinv",
    "grad": "gradient",
    "hadamardproduct": "hadamard",
    "hcat": "concat",
    "heaviside": "step",
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
    "kronecker": "kron",
    "kroneckerproduct": "kron",
    "linearsolve": "solve",
    "linsolve": "solve",
    "ln": "log",
    "logistic": "sigmoid",
    "lse": "logsumexp",
    "matrixexp": "expm",
    "matrixlog": "logm",
    "matrixpower": "powm",
    "maximum": "max",
    "minimum": "min",
    "mldivide": "solve",
    "multiply": "hadamard",
    "ndtr": "normcdf",
    "norm": "norm2",
    "nuclear": "normnuc",
    "opnorm": "normspec",
    "outerproduct": "outer",
    "plogis": "sigmoid",
    "pmax": "max",
    "pmin": "min",
    "power": "pow",
    "pseudoinverse": "pinv",
    "rbind": "concat",
    "reducemax": "max",
    "reducemean": "mean",
    "reducesum": "sum",
    "psi": "digamma",
    "sgn": "sign",
    "sigma": "sigmoid",
    "singularvalues": "svdvals",
    "tensordot": "einsum",
    "total": "sum",
    "trace": "tr",
    "triangularsolve": "trisolve",
    "vcat": "concat",
    "vertcat": "concat",
    "vstack": "stack",
}
"""Functions of other languages, and ours that does the same."""

_SIZE = "the name of a dimension is its size: tensor x[n]; sum(x)/n"
_MINIMUM = "a program is a function; tcalc.problem finds its minimum"
_ROUNDED = "it is constant between its jumps: what is rounded is data"
_REPEATED = "a vector is repeated by an outer product, x*ones(n)' or ones(m)*x'"
_BATCH = "one more index does it: Z[b,i] = tanh(A[i,j]*X[b,j])"
_PRODUCTS = "products of batches are written with indices: C[b,i,k] = A[b,i,j]*B[b,j,k]"
_REAL = "all numbers are real here"
_RICCATI = "unroll the recurrence in a loop, `for t = 1:T`, or bring it by tcalc.function"
_SHIFTED = "a matrix times x, or a sum of slices: a*x[1:end-1] + b*x[2:end]"
_SORTED = (
    "nothing is sorted here; the extremes are max(x), min(x), in Einstein notation max[j](X[i,j])"
)
_RANDOM = "nothing is drawn here: make an input of it, tensor M[m,n]; X.*M"
_SYMMETRIC = "a declaration says so, tensor A[n,n] symmetric; the symmetric part is (A + A')/2"

PHRASES: Mapping[str, str] = {
    **dict.fromkeys(("apply", "map", "mapreduce", "sapply", "vmap"), _BATCH),
    "argmax": _MINIMUM,
    "argmin": _MINIMUM,
    "backsolve": "with R declared upper, tensor R[n,n] upper, it is R \\ b",
    **dict.fromkeys(("batchmatmul", "bmm"), _PRODUCTS),
    **dict.fromkeys(
        ("besseli", "besselj", "besselk"), "tcalc.elementwise brings functions of SymPy"
    ),
    "bsxfun": _REPEATED,
    **dict.fromkeys(("care", "dare", "lqr"), _RICCATI),
    **dict.fromkeys(("ceil", "fix", "floor", "mod", "rem", "rint", "round", "trunc"), _ROUNDED),
    **dict.fromkeys(("conj", "conjugate", "im", "imag", "re", "real"), _REAL),
    **dict.fromkeys(("conv", "conv1d", "conv2d", "convolve"), _SHIFTED),
    "cov": "of the columns: R = X - ones(m)*(ones(m)'*X)/m; R'*R/m",
    "cumprod": "of positive numbers exp(tril(ones(n,n))*log(x))",
    "cumsum": "the sums up to each element are tril(ones(n,n))*x",
    "delta": "the unit tensor takes indices, delta[i,j]",
    "diff": "differences are x[2:end] - x[1:end-1], derivatives gradient(f, x)",
    **dict.fromkeys(("dim", "dims", "len", "length", "ncol", "ncols", "ndims"), _SIZE),
    "dlyap": "split((eye(n^2) - kron(A, A)) \\ vec(Q), n, n), of a symmetric Q",
    "dnorm": "the standard normal density is `normpdf(x)`; with others normpdf((x - a)/b)/b",
    "dropout": _RANDOM,
    **dict.fromkeys(
        ("dft", "fft", "ifft"), f"{_REAL}; parts of a transform are products with data"
    ),
    **dict.fromkeys(("levicivita", "levicivitatensor"), "give it as data: tensor epsilon[3,3,3]"),
    "lu": "a solve is A \\ b; factorisations are chol, qr, lq, eigh and svd",
    **dict.fromkeys(("matmul", "mtimes"), "the product is A*B"),
    **dict.fromkeys(("median", "percentile", "quantile", "sort"), _SORTED),
    "norm": "norm2(x), of a matrix Frobenius' norm; or norm1, norminf, normspec, normnuc",
    **dict.fromkeys(("nrow", "nrows", "numel"), _SIZE),
    "phi": "the normal density is normpdf(x), its distribution normcdf(x)",
    "pi": "pi is a number, and takes no argument",
    "pnorm": "the standard normal one is `normcdf(x)`; with mean and deviation normcdf((x - a)/b)",
    **dict.fromkeys(("rand", "randn", "rnorm", "runif"), _RANDOM),
    "repmat": _REPEATED,
    "reshape": "vec(A) makes a vector of a matrix, split(x, m, n) a matrix of a vector",
    "shape": _SIZE,
    "size": _SIZE,
    **dict.fromkeys(("rep", "repeat", "tile"), _REPEATED),
    **dict.fromkeys(("symmetric", "symmetrize", "symmetrise", "vech"), _SYMMETRIC),
}
"""Functions of other languages for which ours has a formula or a notation."""

FORMULAS: Mapping[str, str] = {
    "abs2": "x.^2",
    "beta": "exp(lgamma(a) + lgamma(b) - lgamma(a + b))",
    "bce": "sum(softplus(z) - y.*z)",
    **dict.fromkeys(
        ("binom", "binomial", "choose", "comb", "nchoosek"),
        "exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1))",
    ),
    "chol2inv": "inv(A)",
    "circshift": "concat(x[end:end], x[1:end-1])",
    **dict.fromkeys(("clamp", "clip"), "max(min(x, b), a)"),
    "colmeans": "c[j] = mean[i](X[i,j])",
    "colsums": "c[j] = X[i,j]",
    **dict.fromkeys(
        ("cor", "corr", "corrcoef"),
        "(x - mean(x))'*(y - mean(y))/(norm2(x - mean(x))*norm2(y - mean(y)))",
    ),
    "cond": "s = svdvals(A); s[1]/s[end]",
    "cot": "1./tan(x)",
    "cross": "stack(x[2]*y[3] - x[3]*y[2], x[3]*y[1] - x[1]*y[3], x[1]*y[2] - x[2]*y[1])",
    **dict.fromkeys(("crossentropy", "crossentropyloss"), "-y'*logsoftmax(z)"),
    "crossprod": "X'*Y",
    "csc": "1./sin(x)",
    **dict.fromkeys(
        ("dmvnorm", "mvnpdf", "logmvnpdf"), "-(logdet(2*pi*S) + (x - m)'*(S \\ (x - m)))/2"
    ),
    "dexp": "c*exp(-c*x)",
    "dpois": "exp(x*log(c) - c - lgamma(x + 1))",
    "elu": "where(x > 0, x, exp(x) - 1)",
    "entropy": "-sum(xlogx(p))",
    "factorial": "gamma(n + 1)",
    "gelu": "x.*normcdf(x)",
    "hinge": "sum(max(1 - y.*(X*w), 0))",
    "huber": "sum(where(abs(x) < 1, x.^2/2, abs(x) - 1/2))",
    **dict.fromkeys(("kl", "kldiv", "kldivergence"), "sum(p.*log(p./q))"),
    "layernorm": "(x - mean(x))/sqrt(mean((x - mean(x)).^2) + c)",
    "lbeta": "lgamma(a) + lgamma(b) - lgamma(a + b)",
    "lchoose": "lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)",
    "leakyrelu": "max(x, a*x)",
    **dict.fromkeys(("logit", "qlogis"), "log(p./(1 - p))"),
    **dict.fromkeys(("l1loss", "mae"), "mean(abs(x - y))"),
    "mahalanobis": "(x - m)'*(S \\ (x - m))",
    **dict.fromkeys(("mse", "mseloss"), "mean((x - y).^2)"),
    "normalize": "x/norm2(x)",
    "quadform": "x'*A*x",
    "rowmeans": "r[i] = mean[j](X[i,j])",
    "rowsums": "r[i] = X[i,j]",
    "sec": "1./cos(x)",
    **dict.fromkeys(("silu", "swish"), "x.*sigmoid(x)"),
    "roll": "concat(x[end:end], x[1:end-1])",
    **dict.fromkeys(("sd", "std"), "sqrt(mean((x - mean(x)).^2))"),
    **dict.fromkeys(
        ("scale", "standardize", "zscore"), "(x - mean(x))/sqrt(mean((x - mean(x)).^2))"
    ),
    "sumsquares": "norm2(x)^2",
    "tcrossprod": "X*Y'",
    "trigamma": "polygamma(1, x)",
    "var": "mean((x - mean(x)).^2)",
}
"""Functions of other languages, as formulas."""

CHOICE = "a choice is where(x > 0, a, b)"
_LOOP = "a loop is `for t = 1:10`, its body on lines of its own, and `end`"
_FORMULA = "a definition is a name and a formula, without parameters: `f = x'*x`"
_DECLARATION = "a declaration is `tensor X[m,n], c`"
CONDITION = "a condition is one comparison: where(x > 0, where(y > 0, a, b), b)"
_NOTHING = "functions are there without an import"

WORDS: Mapping[str, str] = {
    **dict.fromkeys(("if", "else", "elif", "elseif", "then", "otherwise"), CHOICE),
    **dict.fromkeys(("while", "do", "in", "range", "repeat", "foreach"), _LOOP),
    **dict.fromkeys(("def", "function", "lambda", "fun", "let", "const", "set"), _FORMULA),
    **dict.fromkeys(
        ("declare", "input", "matrix", "param", "parameter", "scalar"),
        _DECLARATION,
    ),
    **dict.fromkeys(("symbol", "symbols", "syms", "var", "variable", "vector"), _DECLARATION),
    **dict.fromkeys(("and", "or", "not"), CONDITION),
    **dict.fromkeys(("minimize", "minimise", "maximize", "maximise"), _MINIMUM),
    **dict.fromkeys(("argmin", "argmax", "subject"), _MINIMUM),
    **dict.fromkeys(("import", "from", "using", "include"), _NOTHING),
    **dict.fromkeys(("cdot", "times"), "the product is `*`"),
    "Σ": "a sum is `sum(x)`, or a repeated index",
    "return": "the value of a program is its last bare expression",
    "print": "the value of a program is its last bare expression",
}
"""Words that begin statements or stand between values elsewhere."""

_REDUCED = ("sum", "prod", "max", "min", "mean", "softmax", "logsoftmax", "logsumexp")
"""Functions that take an index in brackets."""

PROPERTIES: Mapping[str, str] = {
    "covariance": "spd",
    "data": "constant",
    "definite": "spd",
    "diag": "diagonal",
    "hermitian": "symmetric",
    "lowertriangular": "lower",
    "nonneg": "nonnegative",
    "orthonormal": "orthogonal",
    "pd": "spd",
    "pos": "positive",
    "posdef": "spd",
    "positivedefinite": "spd",
    "positivesemidefinite": "psd",
    "selfadjoint": "symmetric",
    "semidefinite": "psd",
    "sym": "symmetric",
    "tril": "lower",
    "triu": "upper",
    "unitary": "orthogonal",
    "uppertriangular": "upper",
}
"""Properties of matrices under other names."""

_UNSAID: Mapping[str, str] = {
    "real": "all numbers are real: leave it out",
    "float": "numbers have the type that the data have: leave it out",
    "sparse": "data may be sparse or dense, and nothing declares it: leave it out",
    **dict.fromkeys(("scalar", "number"), "a name without brackets is a number: leave it out"),
    **dict.fromkeys(
        ("column", "matrix", "square", "tensor", "vector"), "the brackets say it: leave it out"
    ),
    **dict.fromkeys(
        ("fullrank", "invertible", "nonsingular", "regular"),
        "what is inverted has to have an inverse: leave it out",
    ),
}
"""What needs no declaration."""


def property_hint(word: str) -> str:
    """What to write for a word behind the brackets of a declaration that is no property.

    >>> property_hint("SPD"), property_hint("real")
    ('did you mean `spd`?', 'all numbers are real: leave it out')
    """
    folded = word.lower().replace("_", "")
    if folded in _UNSAID:
        return _UNSAID[folded]
    meant = PROPERTIES.get(folded)
    near = [meant] if meant else get_close_matches(folded, KNOWN_PROPERTIES, 1)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"one of {', '.join(KNOWN_PROPERTIES)}; declarations are separated by commas"


_INFINITE = "a formula has no infinite numbers, and none that are not; where(a > b, x, y) chooses"
_TRUTH = "there are no truth values; where(a > b, x, y) chooses"

VALUES: Mapping[str, str] = {
    **dict.fromkeys(("Inf", "Infinity", "inf", "infinity", "infty"), _INFINITE),
    **dict.fromkeys(("NaN", "nan"), _INFINITE),
    **dict.fromkeys(("FALSE", "False", "TRUE", "True", "false", "true"), _TRUTH),
    **dict.fromkeys(("None", "NULL", "newaxis"), "a program has numbers and tensors only"),
}
"""Names of constants elsewhere, which nobody means as variables unless a declaration says so."""

INDICES: Mapping[str, str] = {
    **dict.fromkeys(("None", "newaxis"), f"an axis is added by an index, x[i]*y[j]; {_REPEATED}"),
    "begin": "the first element is x[1], the last x[end]",
}
"""Names in brackets that are no indices elsewhere."""


def meant(name: str) -> str:
    """The function that a name of a function means, in whatever language; empty if none.

    >>> meant("Trace"), meant("exp"), meant("x")
    ('tr', 'exp', '')
    """
    folded = name.lower().replace("_", "")
    return folded if folded in BY_NAME else FUNCTIONS.get(folded, "")


def names_elsewhere(function: str) -> tuple[str, ...]:
    """What a function of ours is called in other languages, but not here; `meant` undoes it.

    >>> names_elsewhere("eigvalsh")
    ('eigenvalues', 'eigvals')
    """
    return tuple(name for name, ours in FUNCTIONS.items() if ours == function)


def function_hint(name: str, known: Iterable[str]) -> str:
    """What to write for a function that does not exist, of those that are `known`.

    >>> function_hint("Trace", ["tr", "exp"]), function_hint("std", [])
    ('did you mean `tr`?', 'sqrt(mean((x - mean(x)).^2))')
    """
    folded = name.lower().replace("_", "")
    stem, underscore, index = name.partition("_")
    if underscore and stem in _REDUCED and index.isalpha():
        return f"the index of `{stem}` stands in brackets: `{stem}[{index}](...)`"
    if folded in FORMULAS or folded in PHRASES:
        return FORMULAS.get(folded) or PHRASES[folded]
    words = list(known)
    near = [FUNCTIONS[folded]] if folded in FUNCTIONS else get_close_matches(name, words, 1, _CLOSE)
    near = near or get_close_matches(folded, words, 1, _CLOSE)
    return f"did you mean `{near[0]}`?" if near else "`tcalc functions` lists all functions"


def word_hint(word: str) -> str | None:
    """What to write for a word before a value, or between two, if it is a word of elsewhere.

    >>> word_hint("sin"), word_hint("else")
    ('a function takes its argument in parentheses: `sin(...)`', 'a choice is where(x > 0, a, b)')
    """
    if word in WORDS:
        return WORDS[word]
    stem, underscore, index = word.partition("_")
    if underscore and stem in (*_REDUCED, "Σ"):
        function = "sum" if stem == "Σ" else stem
        return f"the index of `{function}` stands in brackets: `{function}[{index or 'i'}](...)`"
    if underscore and stem in WORDS:
        return WORDS[stem]
    function = "" if word in ("gamma", "phi", "psi", "sigma") else meant(word)
    return f"a function takes its argument in parentheses: `{function}(...)`" if function else None


def arguments_hint(function: str, given: int) -> str:
    """What to write for a call with as many arguments as the function takes elsewhere, or empty.

    >>> arguments_hint("solve", 1)
    'the inverse is inv(A), a solve A \\\\ b'
    """
    return _OTHER_ARGUMENTS.get((function, given), "")


_OTHER_ARGUMENTS: Mapping[tuple[str, int], str] = {
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


def attribute_hint(name: str) -> str:
    """What to write for a name that a module or an object has elsewhere, as the end of a message.

    >>> attribute_hint("grad"), attribute_hint("exp"), attribute_hint("foo")
    (': tcalc.gradient', ": a function of the language, tcalc.combine('exp(x)', x=x)", '')
    """
    if name.startswith("_"):
        return ""
    if name in _ATTRIBUTES:
        return f": {_ATTRIBUTES[name]}"
    function = meant(name)
    if function in ("gradient", "hessian", "jacobian"):
        return f": tcalc.{function}"
    example = f"tcalc.combine('{function}(x)', x=x)"
    return f": a function of the language, {example}" if function else ""


_ATTRIBUTES: Mapping[str, str] = {
    **dict.fromkeys(("backward", "diff"), "tcalc.gradient, tcalc.jacobian, tcalc.derivative"),
    **dict.fromkeys(("evalf", "eval"), "tcalc.evaluate, or a function by tcalc.compile"),
    **dict.fromkeys(("jacfwd", "jacrev"), "tcalc.jacobian"),
    **dict.fromkeys(("jit", "lambdify"), "tcalc.compile"),
    **dict.fromkeys(("minimise", "minimize"), "tcalc.problem(f, 'x', data).minimize()"),
    "ndim": "len(f.shape)",
    "subs": "tcalc.combine puts expressions into a formula, what tcalc.compile makes takes arrays",
    "value_and_grad": "tcalc.compile([f, tcalc.gradient(f, 'x')])",
    "vmap": "one more index, z[b,i] = A[i,j]*x[b,j], or `several` of tcalc.jvp, vjp and hvp",
}
"""Functions and methods of other packages."""


def power_hint(before: str) -> str:
    """What to write for a call of what is no function, behind a text: ``sin^2`` before ``(x)``.

    >>> power_hint("1 + sin^2")
    "the power of a function's value is `sin(...)^2`"
    """
    if re.search(r"\b[^\W\d]\w*'\Z", before):
        return "a derivative is gradient(f, x); a product needs its operator `*`"
    found = re.search(r"([A-Za-z]\w*)\s*(\^[0-9]+)\Z", before)
    if found and found.group(1) in BY_NAME:
        return f"the power of a function's value is `{found.group(1)}(...){found.group(2)}`"
    return "a product needs its operator: write `*` before the parenthesis"
