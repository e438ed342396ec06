"""Characters and commands from elsewhere that no token of the language begins with.

Copied from papers, or typed by habit, each becomes the hint of an error.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from tcalc.language.elsewhere import CHOICE, CONDITION, PHRASES, meant
from tcalc.language.habits import said_elsewhere

_WIDE = {chr(0xFEE0 + code): chr(code) for code in range(ord("!"), ord("~") + 1)}
"""The characters of ASCII in the width of Chinese ones, as keyboards for these write them."""

CHARACTERS: Mapping[str, str] = {
    **{wide: f"write `{plain}`" for wide, plain in _WIDE.items() if not plain.isalpha()},
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
    **dict.fromkeys("ˆ¹⁰⁴⁵⁶⁷⁸⁹ⁿ", "a power is `^`"),
    **dict.fromkeys("₀₁₂₃₄₅₆₇₈₉", "a number in a name is written as it is: `x1` or `x_1`"),
    **dict.fromkeys("ᵢⱼₖₗₘₙ", "an index stands in brackets: `x[i]`"),
    "½": "write 1/2",
    "|": "a norm is `norm2(x)` or `norm1(x)`, an absolute value `abs(a)`, a determinant `det(A)`",
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
    "&": CONDITION,
    "?": CHOICE,
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
    **_WIDE,
    "ˆ": "^",
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

_UNPACKED = "several results are names of their own: `U, s, V = svd(A)`, `w, V = eigh(A)`"

_RESULTS = frozenset(
    ("D", "L", "Q", "R", "S", "U", "V", "Vh", "Vt", "d", "u", "v", "values", "vectors")
)
"""Parts of factorisations, behind a point or a dollar sign elsewhere."""

_METHODS: Mapping[str, str] = {
    **dict.fromkeys(("mT", "H", "adjoint", "conj", "ctranspose", "t"), "the transpose is `{0}'`"),
    **dict.fromkeys(("dot", "matmul", "mm", "mv"), "the product is `*`"),
    "pow": "powers element by element are `{0}.^2`",
    "I": "the inverse is `inv({0})`",
    **dict.fromkeys(("shape", "size"), PHRASES["shape"]),
    **dict.fromkeys(("flatten", "ravel", "reshape", "view"), PHRASES["reshape"]),
    **dict.fromkeys(("expand", "squeeze", "unsqueeze"), PHRASES["repeat"]),
    **dict.fromkeys(
        ("backward", "clone", "copy", "cuda", "doit", "evalf", "item", "numpy", "to"),
        "a program is a formula alone: leave it out",
    ),
    **dict.fromkeys(("eval", "run", "simplify"), "a program is a formula alone: leave it out"),
    **dict.fromkeys(
        ("requires_grad", "requires_grad_"), "every variable of a program can be differentiated by"
    ),
    "grad": "a derivative is gradient(f, {0})",
    "at": "elements cannot be replaced: build a new tensor, such as concat(x[1:2], y)",
}
"""What stands behind a point elsewhere, and what to write for it; `{0}` is what is before."""

_NAMED_OPERATORS: Mapping[str, str] = {
    "%*%": "the product is `*`",
    "%o%": "the outer product is x*y'",
    "%x%": "the product of Kronecker is kron(A, B)",
    "%in%": CHOICE,
    "%%": "there is no remainder",
    "%/%": "there is no remainder",
}
"""Operators of R between per cents."""

MODULES = frozenset(
    (
        *("F", "autograd", "ca", "casadi", "cp", "cupy", "func", "functional", "jax", "jnp", "lax"),
        *("linalg", "math", "nlinalg", "nn", "nnet", "np", "numpy", "pt", "pytensor", "scipy"),
        *("slinalg", "sp", "special", "sympy", "tcalc", "tensor", "tf", "theano", "torch", "tt"),
    )
)
"""Names before which a point stands elsewhere."""


_CLASSES = frozenset(("DM", "MX", "SX"))
"""CasADi's, before whose functions a point stands."""


def character_hint(text: str, at: int) -> str:
    """What to write in place of a character that no token begins with.

    >>> character_hint("np.exp(x)", 2)
    'functions stand without a module: `exp(...)`'
    """
    character = text[at]
    if character == "." and (found := _point_hint(text, at)):
        return found
    if character in "%$~|" and (found := _special_hint(text, at)):
        return found
    if character == "_" and at and text[at - 1].isdigit():
        return "digits are written without separators"
    if character == "_" and at and text[at - 1] == ")":
        return "an index stands in brackets, `(A*B)[i,j]`; norms are norm1(x), norm2(x), norminf(x)"
    if character == "!" and text[at + 1 : at + 2] != "=":
        return "a factorial is gamma(n + 1); there is no negation, but where(a > b, x, y)"
    if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Zs"):
        return "no such blanks are read, nor characters that cannot be seen: remove it"
    plain = unicodedata.normalize("NFKC", character)
    unknown = "the language has no such character"
    if unicodedata.category(character).startswith("L"):
        unknown = "names are of Latin and Greek letters"
        unknown += f": write it as `{plain}`" if plain != character else ""
    hint = CHARACTERS.get(character, unknown)
    start = text.rfind("\n", 0, at) + 1
    line = _in_plain_characters(text[start:].partition("\n")[0].strip())
    return f"{hint}; the line in plain characters: `{line}`" if line else hint


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


def _special_hint(text: str, at: int) -> str | None:
    """What to write for a character that means several things elsewhere.

    >>> _special_hint("X %*% w", 2), _special_hint("x |> sum", 2)
    ('the product is `*`', 'a function stands before its argument: `sum(x)`')
    """
    before = text[text.rfind("\n", 0, at) + 1 : at].rstrip()
    rest = text[at:]
    if rest.startswith("%"):
        if not before or before.endswith(";"):
            return "a comment starts with `#`"
        return next((hint for key, hint in _NAMED_OPERATORS.items() if rest.startswith(key)), None)
    if rest.startswith("$") and re.match(r"\$[^\W\d]", rest) and re.search(r"[\w)\]]\Z", before):
        return _UNPACKED if before.endswith(")") else f"a name has no `$`: {_JOINED}"
    if rest.startswith("$"):
        return "formulas stand without `$`"
    if rest.startswith("|>"):
        found = re.match(r"\|>\s*(\w+)", rest)
        function = meant(found.group(1)) if found else ""
        return f"a function stands before its argument: `{function or 'f'}(x)`"
    if rest.startswith("~="):
        return CHARACTERS["≠"]
    if rest.startswith("~") and not before:
        return "there is no negation, but where(a > b, x, y)"
    return None


def _without_module(function: str) -> str:
    return f"functions stand without a module: `{function}(...)`"


_JOINED = "words of one name are joined by `_`, as in `beta_hat`"


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
    if at and text[at - 1].isspace() and following.isspace():
        return "the product is `*`, the scalar product x'*y"
    before = re.search(r"[^\W\d]\w*\Z", text[max(0, at - 200) : at])
    owner = before.group() if before else "..."
    if following == "(":
        return f"functions are element by element as they are: `{owner}(...)`"
    if owner == "s" and text.startswith(".t.", at):
        return "constraints are given beside the function, to tcalc.problem"
    found = re.compile(r"(?:\.[^\W\d]\w*)+").match(text, at)
    if found is None:
        return None
    *chain, last = found.group().split(".")[1:]
    called = text[found.end() : found.end() + 1] == "("
    function = meant(last)
    of_module = bool(MODULES & {owner, *chain}) or owner in _CLASSES
    if of_module and called and not function:
        return said_elsewhere(last) or _without_module(last)
    if of_module and called:
        return _without_module(function)
    if of_module:
        return f"names stand without a module: `{last}`"
    if text[at - 1 : at] == ")" and last in _RESULTS:
        return _UNPACKED
    if last in _METHODS:
        return _METHODS[last].format(owner)
    if called and function:
        return f"a function stands before its argument: `{function}({owner})`"
    if called and (said := said_elsewhere(last)):
        return said
    if before and not called:
        product = owner + found.group().replace(".", "*")
        return f"behind a name only `.T`: a product is `{product}`; {_JOINED}"
    if not called and text[at - 1 : at] in (")", "]"):
        return "behind a value only `.T`; a product is `*`"
    if called:
        return "there are no methods: a function stands before its argument, `exp(x)`"
    return None


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
