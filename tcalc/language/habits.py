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
from tcalc.language.elsewhere import (
    ATTRIBUTES,
    CHOICE,
    CONDITION,
    DECLARATION,
    FORMULAS,
    FUNCTIONS,
    MINIMUM,
    OTHER_ARGUMENTS,
    PHRASES,
    REPEATED,
    folded,
    meant,
)

_CLOSE = 0.65
"""How alike two words must be for one to be offered in place of the other."""

_LOOP = "a loop is `for t = 1:10` or `for t = 10:-1:1`, its body on lines of its own, and `end`"
_FORMULA = "a definition is a name and a formula, without parameters: `f = x'*x`"
_NOTHING = "functions are there without an import"

WORDS: Mapping[str, str] = {
    **dict.fromkeys(("if", "else", "elif", "elseif", "then", "otherwise"), CHOICE),
    **dict.fromkeys(("while", "do", "in", "range", "repeat", "foreach"), _LOOP),
    **dict.fromkeys(("def", "function", "lambda", "fun", "let", "const", "set"), _FORMULA),
    **dict.fromkeys(
        ("declare", "input", "matrix", "param", "parameter", "scalar"),
        DECLARATION,
    ),
    **dict.fromkeys(("symbol", "symbols", "syms", "var", "variable", "vector"), DECLARATION),
    **dict.fromkeys(("and", "or", "not"), CONDITION),
    **dict.fromkeys(("minimize", "minimise", "maximize", "maximise"), MINIMUM),
    **dict.fromkeys(("argmin", "argmax", "subject"), MINIMUM),
    **dict.fromkeys(("import", "from", "using", "include"), _NOTHING),
    **dict.fromkeys(("cdot", "times"), "the product is `*`"),
    "Σ": "a sum is `sum(x)`, or a repeated index",
    "return": "the value of a program is its last bare expression",
    "print": "the value of a program is its last bare expression",
}
"""Words that begin statements or stand between values elsewhere."""

REDUCED = (
    *("sum", "prod", "max", "min", "mean"),
    *("softmax", "logsoftmax", "logsumexp", "cumsum"),
)
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
    plain = folded(word)
    if plain in _UNSAID:
        return _UNSAID[plain]
    ours = PROPERTIES.get(plain)
    near = [ours] if ours else get_close_matches(plain, KNOWN_PROPERTIES, 1)
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
    **dict.fromkeys(("None", "newaxis"), f"an axis is added by an index, x[i]*y[j]; {REPEATED}"),
    "begin": "the first element is x[1], the last x[end]",
}
"""Names in brackets that are no indices elsewhere."""


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
    stem, underscore, index = name.partition("_")
    if underscore and stem in REDUCED and index.isalpha():
        return f"the index of `{stem}` stands in brackets: `{stem}[{index}](...)`"
    if said := said_elsewhere(name):
        return said
    word, words = folded(name), list(known)
    near = [FUNCTIONS[word]] if word in FUNCTIONS else get_close_matches(name, words, 1, _CLOSE)
    near = near or get_close_matches(word, words, 1, _CLOSE)
    return f"did you mean `{near[0]}`?" if near else "`tcalc functions` lists all functions"


def said_elsewhere(name: str) -> str:
    """The formula or the phrase for a function that has no name of its own here, or empty.

    >>> said_elsewhere("quad_form"), said_elsewhere("exp")
    ("x'*A*x", '')
    """
    word = folded(name)
    return FORMULAS.get(word) or PHRASES.get(word) or WORDS.get(word) or ""


def word_hint(word: str) -> str | None:
    """What to write for a word before a value, or between two, if it is a word of elsewhere.

    >>> word_hint("sin"), word_hint("else")
    ('a function takes its argument in parentheses: `sin(...)`', 'a choice is where(x > 0, a, b)')
    """
    if word in WORDS:
        return WORDS[word]
    stem, underscore, index = word.partition("_")
    if underscore and stem in (*REDUCED, "Σ"):
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
    return OTHER_ARGUMENTS.get((function, given), "")


def _derivative(function: str) -> str:
    """A call of the derivative that a function is elsewhere; empty for other functions.

    >>> _derivative("jacrev"), _derivative("exp")
    ('jacobian(f, x)', '')
    """
    ours = meant(function)
    return f"{ours}(f, x)" if ours in ("gradient", "hessian", "jacobian") else ""


def attribute_hint(name: str) -> str:
    """What to write for a name that a module or an object has elsewhere, as the end of a message.

    >>> attribute_hint("grad"), attribute_hint("exp"), attribute_hint("foo")
    (': tcalc.gradient', ": a function of the language, tcalc.combine('exp(x)', x=x)", '')
    """
    if name.startswith("_"):
        return ""
    if name in ATTRIBUTES:
        return f": {ATTRIBUTES[name]}"
    function = meant(name)
    if function in ("gradient", "hessian", "jacobian"):
        return f": tcalc.{function}"
    return f": a function of the language, {combining(function)}" if function else ""


def combining(function: str) -> str:
    """A call of `tcalc.combine` for a function of the language, with as many operands as it takes.

    >>> combining("outer"), combining("zeros")
    ("tcalc.combine('outer(x, y)', x=x, y=y)", "tcalc.parse('zeros(3, 2)')")
    """
    entry = BY_NAME[function]
    if entry.forms:
        operands = list("xyzuvw"[: entry.forms[0].arity])
        call = f"{function}({', '.join(operands)})"
    else:
        call = entry.summary[: entry.summary.index(")") + 1]
        operands = list(dict.fromkeys(re.findall(r"\w+", re.sub(r'".*"', "", call))[1:]))
    if not entry.forms and entry.domain.startswith("sizes"):
        sizes = {"m": "3", "n": "2"}
        filled = re.sub(r"\b[mn]\b", lambda name: sizes[name[0]], call)
        return f"tcalc.parse('{filled}')"
    return f"tcalc.combine('{call}', {', '.join(f'{x}={x}' for x in operands)})"


def power_hint(before: str) -> str:
    """What to write for a call of what is no function, behind a text: ``sin^2`` before ``(x)``.

    >>> power_hint("1 + sin^2")
    "the power of a function's value is `sin(...)^2`"
    """
    called = re.search(r"([^\W\d]\w*)\([^()]*(?:\([^()]*\))*[^()]*\)\Z", before)
    if called and (derivative := _derivative(called[1])):
        return f"a derivative is an expression itself: {derivative}"
    if called and (said := said_elsewhere(called[1])):
        return said
    if re.search(r"\b[^\W\d]\w*'\Z", before):
        return "a derivative is gradient(f, x); a product needs its operator `*`"
    found = re.search(r"([A-Za-z]\w*)\s*(\^[0-9]+)\Z", before)
    if found and found.group(1) in BY_NAME:
        return f"the power of a function's value is `{found.group(1)}(...){found.group(2)}`"
    return "a product needs its operator: write `*` before the parenthesis"
