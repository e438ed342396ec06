"""What people write who come from NumPy, MATLAB or LaTeX, and what to write instead.

Nothing here is accepted: each entry turns the habit into the hint of an error.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from tcalc.language.catalogue import BY_NAME

_CLOSE = 0.65
"""How alike two words must be for one to be offered in place of the other."""

FUNCTIONS: Mapping[str, str] = {
    "average": "mean",
    "cat": "concat",
    "cdf": "normcdf",
    "cholesky": "chol",
    "concatenate": "concat",
    "determinant": "det",
    "diagm": "diag",
    "diagonal": "diag",
    "dnorm": "normpdf",
    "eig": "eigh",
    "eigvals": "eigvalsh",
    "expit": "sigmoid",
    "fro": "norm2",
    "frobenius": "norm2",
    "gammaln": "lgamma",
    "grad": "gradient",
    "heaviside": "step",
    "hess": "hessian",
    "horzcat": "concat",
    "hstack": "concat",
    "identity": "eye",
    "inner": "dot",
    "inverse": "inv",
    "jac": "jacobian",
    "linsolve": "solve",
    "ln": "log",
    "logistic": "sigmoid",
    "lse": "logsumexp",
    "maximum": "max",
    "minimum": "min",
    "mldivide": "solve",
    "multiply": "hadamard",
    "ndtr": "normcdf",
    "norm": "norm2",
    "nuclear": "normnuc",
    "pnorm": "normcdf",
    "power": "pow",
    "reducemax": "max",
    "reducemean": "mean",
    "reducesum": "sum",
    "psi": "digamma",
    "sgn": "sign",
    "sigma": "sigmoid",
    "tensordot": "einsum",
    "trace": "tr",
    "vertcat": "concat",
    "vstack": "stack",
}
"""Functions of other languages, and ours that does the same."""

_SIZE = "the name of a dimension is its size: tensor x[n]; sum(x)/n"
_MINIMUM = "a program is a function; tcalc.problem finds its minimum"
_REPEATED = "a vector is repeated by an outer product, x*ones(n)' or ones(m)*x'"

PHRASES: Mapping[str, str] = {
    "argmax": _MINIMUM,
    "argmin": _MINIMUM,
    "bsxfun": _REPEATED,
    "cov": "of the columns: R = X - ones(m)*(ones(m)'*X)/m; R'*R/m",
    "cumsum": "the sums up to each element are tril(ones(n,n))*x",
    "delta": "the unit tensor takes indices, delta[i,j]",
    "diff": "differences are x[2:end] - x[1:end-1], derivatives gradient(f, x)",
    "dims": _SIZE,
    "len": _SIZE,
    "length": _SIZE,
    "matmul": "the product is A*B",
    "norm": "norm2(x), of a matrix Frobenius' norm; or norm1, norminf, normspec, normnuc",
    "numel": _SIZE,
    "phi": "the normal density is normpdf(x), its distribution normcdf(x)",
    "pi": "pi is a number, and takes no argument",
    "repmat": _REPEATED,
    "reshape": "vec(A) makes a vector of a matrix, split(x, m, n) a matrix of a vector",
    "shape": _SIZE,
    "size": _SIZE,
    "repeat": _REPEATED,
    "tile": _REPEATED,
}
"""Functions of other languages for which ours has a formula or a notation."""

FORMULAS: Mapping[str, str] = {
    "beta": "exp(lgamma(a) + lgamma(b) - lgamma(a + b))",
    "bce": "sum(softplus(z) - y.*z)",
    **dict.fromkeys(
        ("binom", "binomial", "choose", "comb", "nchoosek"),
        "exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1))",
    ),
    **dict.fromkeys(("clamp", "clip"), "max(min(x, b), a)"),
    "colmeans": "c[j] = mean[i](X[i,j])",
    "colsums": "c[j] = X[i,j]",
    "cond": "s = svdvals(A); s[1]/s[end]",
    "cot": "1./tan(x)",
    "cross": "stack(x[2]*y[3] - x[3]*y[2], x[3]*y[1] - x[1]*y[3], x[1]*y[2] - x[2]*y[1])",
    "crossentropy": "-y'*logsoftmax(z)",
    "crossprod": "X'*Y",
    "csc": "1./sin(x)",
    **dict.fromkeys(
        ("dmvnorm", "mvnpdf", "logmvnpdf"), "-(logdet(2*pi*S) + (x - m)'*(S \\ (x - m)))/2"
    ),
    "elu": "where(x > 0, x, exp(x) - 1)",
    "entropy": "-sum(xlogx(p))",
    "factorial": "gamma(n + 1)",
    "gelu": "x.*normcdf(x)",
    "hinge": "sum(max(1 - y.*(X*w), 0))",
    "huber": "sum(where(abs(x) < 1, x.^2/2, abs(x) - 1/2))",
    **dict.fromkeys(("kl", "kldiv", "kldivergence"), "sum(p.*log(p./q))"),
    "leakyrelu": "max(x, a*x)",
    "logit": "log(p./(1 - p))",
    "mae": "mean(abs(x - y))",
    "mse": "mean((x - y).^2)",
    "normalize": "x/norm2(x)",
    "quadform": "x'*A*x",
    "rowmeans": "r[i] = mean[j](X[i,j])",
    "rowsums": "r[i] = X[i,j]",
    "sec": "1./cos(x)",
    **dict.fromkeys(("silu", "swish"), "x.*sigmoid(x)"),
    "std": "sqrt(mean((x - mean(x)).^2))",
    "sumsquares": "norm2(x)^2",
    "tcrossprod": "X*Y'",
    "var": "mean((x - mean(x)).^2)",
}
"""Functions of other languages, as formulas."""

_CHOICE = "a choice is where(x > 0, a, b)"
_LOOP = "a loop is `for t = 1:10`, its body on lines of its own, and `end`"
_FORMULA = "a definition is a name and a formula, without parameters: `f = x'*x`"
_DECLARATION = "a declaration is `tensor X[m,n], c`"
_CONDITION = "a condition is one comparison: where(x > 0, where(y > 0, a, b), b)"
_NOTHING = "functions are there without an import"

WORDS: Mapping[str, str] = {
    **dict.fromkeys(("if", "else", "elif", "elseif", "then", "otherwise"), _CHOICE),
    **dict.fromkeys(("while", "do", "in", "range", "repeat", "foreach"), _LOOP),
    **dict.fromkeys(("def", "function", "lambda", "fun", "let", "const", "set"), _FORMULA),
    **dict.fromkeys(
        ("declare", "input", "matrix", "param", "parameter", "scalar"),
        _DECLARATION,
    ),
    **dict.fromkeys(("symbol", "symbols", "syms", "var", "variable", "vector"), _DECLARATION),
    **dict.fromkeys(("and", "or", "not"), _CONDITION),
    **dict.fromkeys(("minimize", "minimise", "maximize", "maximise"), _MINIMUM),
    **dict.fromkeys(("argmin", "argmax", "subject"), _MINIMUM),
    **dict.fromkeys(("import", "from", "using", "include"), _NOTHING),
    **dict.fromkeys(("cdot", "times"), "the product is `*`"),
    "Σ": "a sum is `sum(x)`, or a repeated index",
    "return": "the value of a program is its last bare expression",
    "print": "the value of a program is its last bare expression",
}
"""Words that begin statements or stand between values elsewhere."""

CHARACTERS: Mapping[str, str] = {
    "−": "the minus sign is `-`",
    "–": "the minus sign is `-`",
    "—": "the minus sign is `-`",
    "‐": "the minus sign is `-`",
    "±": "write the two formulas, one with `+` and one with `-`",
    "×": "the product is `*`",
    "·": "the product is `*`",
    "⋅": "the product is `*`",
    "•": "the product is `*`",
    "∗": "the product is `*`",
    "⊗": "the outer product is x*y', that of Kronecker kron(A, B)",
    "∘": "the element-wise product is `.*`",
    "⊙": "the element-wise product is `.*`",
    "⊘": "the element-wise quotient is `./`",
    "÷": "the quotient is `/`",
    "∕": "the quotient is `/`",
    "⁄": "the quotient is `/`",
    "²": "a square is `^2`",
    "³": "a cube is `^3`",
    "⁻": "the inverse is `inv(A)`, a negative power `^-2`",
    "⁺": "the pseudo-inverse is `pinv(A)`",
    "†": "the pseudo-inverse is `pinv(A)`, the transpose `'`",
    **dict.fromkeys("¹⁰⁴⁵⁶⁷⁸⁹ⁿ", "a power is `^`"),
    **dict.fromkeys("₀₁₂₃₄₅₆₇₈₉", "a number in a name is written as it is: `x1` or `x_1`"),
    **dict.fromkeys("ᵢⱼₖₗₘₙ", "an index stands in brackets: `x[i]`"),
    "½": "write 1/2",
    "|": "a norm is `norm2(x)` or `norm1(x)`, an absolute value `abs(a)`",
    "‖": "a norm is `norm2(x)` or `norm1(x)`",
    "∥": "a norm is `norm2(x)` or `norm1(x)`",
    **dict.fromkeys("⟨⟩〈〉", "the scalar product is x'*y"),
    **dict.fromkeys("’‘′`´", "the transpose is `'`"),
    **dict.fromkeys("ᵀᵗ⊤", "the transpose is `'`"),
    "≤": "write `<=`",
    "≥": "write `>=`",
    "≠": "a comparison is one of `< <= > >= ==`",
    "≈": "a comparison is one of `< <= > >= ==`",
    "∈": "a declaration is `tensor X[m,n]`",
    "←": "a definition is `name = formula`",
    "≔": "a definition is `name = formula`",
    "→": "subscripts have the arrow `->`",
    "∞": "a formula has no infinite numbers",
    **dict.fromkeys("“”„«»", 'a text stands between `"`'),
    '"': 'a text ends on its own line, with a second `"`',
    "%": "the product is `*`; a comment starts with `#`",
    "!": "a comparison is one of `< <= > >= ==`",
    "~": "a model is written as its loss, norm2(y - X*w)^2, or as its likelihood",
    "&": _CONDITION,
    "?": _CHOICE,
    "_": "a name begins with a letter",
    "$": "a name begins with a letter",
    "√": "the square root is `sqrt(x)`",
    "∑": "a sum is `sum(x)`, or a repeated index",
    "∏": "a product of all elements is `prod(x)`",
    **dict.fromkeys("∂∇", "a derivative is gradient(f, x), or jacobian(f, x)"),
    ".": "a number is `0.5`, element-wise operators are `.*`, `./`, `.^`; behind a name only `.T`",
}
"""Characters that no token begins with."""

_PLAIN = {
    **dict.fromkeys("−–—‐", "-"),
    **dict.fromkeys("×·⋅•∗", "*"),
    **dict.fromkeys("∘⊙", ".*"),
    **dict.fromkeys("÷∕⁄", "/"),
    **dict.fromkeys("’‘′`´ᵀᵗ⊤", "'"),
    "⊘": "./",
    "½": "1/2",
    "≤": "<=",
    "≥": ">=",
}
"""What is meant by characters that mean one thing wherever they stand."""

_COPIED = 120
"""The most characters of a line that a hint repeats."""

_DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "-01234567890123456789")

MODULES = frozenset(
    (
        *("F", "cp", "cupy", "jax", "jnp", "linalg", "math", "nn", "np", "numpy", "scipy", "sp"),
        *("special", "sympy", "tcalc", "tf", "torch"),
    )
)
"""Names before which a point stands elsewhere."""

_REDUCED = ("sum", "prod", "max", "min", "mean", "softmax", "logsoftmax", "logsumexp")
"""Functions that take an index in brackets."""

PROPERTIES: Mapping[str, str] = {
    "definite": "spd",
    "orthonormal": "orthogonal",
    "pd": "spd",
    "posdef": "spd",
    "semidefinite": "psd",
    "sym": "symmetric",
    "unitary": "orthogonal",
}
"""Properties of matrices under other names."""


def meant(name: str) -> str:
    """The function that a name of a function means, in whatever language; empty if none.

    >>> meant("Trace"), meant("exp"), meant("x")
    ('tr', 'exp', '')
    """
    folded = name.lower().replace("_", "")
    return folded if folded in BY_NAME else FUNCTIONS.get(folded, "")


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


def character_hint(text: str, at: int) -> str:
    """What to write in place of a character that no token begins with.

    >>> character_hint("np.exp(x)", 2)
    'functions stand without a module: `exp(...)`'
    """
    character = text[at]
    if character == "." and (found := _point_hint(text, at)):
        return found
    if character == "_" and at and text[at - 1].isdigit():
        return "digits are written without separators"
    if character == "_" and at and text[at - 1] == ")":
        return "an index stands in brackets, `(A*B)[i,j]`; norms are norm1(x), norm2(x), norminf(x)"
    if character == "!" and text[at + 1 : at + 2] != "=":
        return "a factorial is gamma(n + 1); there is no negation, but where(a > b, x, y)"
    if unicodedata.category(character) in ("Cc", "Cf", "Zs"):
        return "no such blanks are read, nor characters that cannot be seen: remove it"
    hint = CHARACTERS.get(character, "the language has no such character")
    start = text.rfind("\n", 0, at) + 1
    plain = _in_plain_characters(text[start:].partition("\n")[0].strip())
    return f"{hint}; the line in plain characters: `{plain}`" if plain else hint


def _in_plain_characters(line: str) -> str:
    """A line that was copied from a paper as it is typed; empty where more than that is wrong.

    >>> _in_plain_characters("xᵀ·A⁻¹·x − ½·b²"), _in_plain_characters("∑ − ×")
    ("x'*A^-1*x - 1/2*b^2", '')
    """
    strange = [x for x in line if x in CHARACTERS and not x.isascii()]
    if len(set(strange)) < 2 or len(line) > _COPIED:
        return ""
    plain = re.sub("⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda digits: "^" + digits[0].translate(_DIGITS), line)
    plain = re.sub("[₀₁₂₃₄₅₆₇₈₉]+", lambda digits: "_" + digits[0].translate(_DIGITS), plain)
    plain = "".join(_PLAIN.get(x, x) for x in plain)
    return "" if any(x in CHARACTERS and not x.isascii() for x in plain) else plain


def _point_hint(text: str, at: int) -> str | None:
    following = text[at + 1 : at + 2]
    if following == ".":
        more = "a range is `1:3`, a whole axis `:`"
        return f"a formula goes on over several lines inside parentheses; {more}"
    if following in ("+", "-"):
        return f"sums are element by element as they are: `{following}`"
    if following in ("<", ">", "="):
        return f"comparisons are element by element as they are: `{following}`"
    if text.startswith(".'", at):
        return "the transpose is `'`"
    before = re.search(r"[^\W\d]\w*\Z", text[max(0, at - 200) : at])
    owner = before.group() if before else "..."
    if following == "(":
        return f"functions are element by element as they are: `{owner}(...)`"
    found = re.compile(r"(?:\.[^\W\d]\w*)+").match(text, at)
    if found is None:
        return None
    *_, last = found.group().split(".")
    called = text[found.end() : found.end() + 1] == "("
    function = meant(last)
    if owner in MODULES and called:
        return f"functions stand without a module: `{function or last}(...)`"
    if owner in MODULES:
        return f"names stand without a module: `{last}`"
    match last:
        case "shape" | "size":
            return PHRASES["shape"]
        case "I":
            return f"the inverse is `inv({owner})`"
        case "H" | "mT":
            return f"the transpose is `{owner}'`"
        case "dot" | "mm" | "matmul":
            return "the product is `*`"
    if called and function:
        return f"a function stands before its argument: `{function}({owner})`"
    if called and (last in FORMULAS or last in PHRASES):
        return FORMULAS.get(last) or PHRASES[last]
    return None


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


TEX: Mapping[str, str] = {
    "|": "a norm is `norm2(x)` or `norm1(x)`",
    "Vert": "a norm is `norm2(x)` or `norm1(x)`",
    "cdot": "the product is `*`",
    "circ": "the element-wise product is `.*`",
    "dfrac": "a fraction is `a/b`",
    "frac": "a fraction is `a/b`",
    "lVert": "a norm is `norm2(x)` or `norm1(x)`",
    "langle": "the scalar product is x'*y",
    "left": "parentheses are written as they are",
    **dict.fromkeys(
        ("boldsymbol", "bm", "hat", "mathbf", "mathcal", "mathrm", "operatorname", "text"),
        "names are written as they are",
    ),
    "nabla": CHARACTERS["∇"],
    "odot": "the element-wise product is `.*`",
    "otimes": CHARACTERS["⊗"],
    "partial": CHARACTERS["∂"],
    "tfrac": "a fraction is `a/b`",
    "times": "the product is `*`",
    "top": "the transpose is `'`",
}
"""Commands of TeX."""


def tex_hint(rest: str) -> str:
    """What to write for a command of TeX, or a backslash, before the `rest` of the text.

    >>> tex_hint("log(x)"), tex_hint("frac12")
    ('functions are written without a backslash: `log(...)`', 'a fraction is `a/b`')
    """
    found = re.match(r"[A-Za-z]+|\|", rest)
    command = found.group() if found else ""
    if command in TEX:
        return TEX[command]
    if function := meant(command):
        return f"functions are written without a backslash: `{function}(...)`"
    return "a solve is `A \\ b`; Greek letters are written `alpha` or `α`"


def power_hint(before: str) -> str:
    """What to write for a call of what is no function, behind a text: ``sin^2`` before ``(x)``.

    >>> power_hint("1 + sin^2")
    "the power of a function's value is `sin(...)^2`"
    """
    found = re.search(r"([A-Za-z]\w*)\s*(\^[0-9]+)\Z", before)
    if found and found.group(1) in BY_NAME:
        return f"the power of a function's value is `{found.group(1)}(...){found.group(2)}`"
    return "a product needs its operator: write `*` before the parenthesis"
