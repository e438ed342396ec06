"""Formulas for people: matrix and Einstein notation, as text, LaTeX and MathML.

A tensor is simplified, written as a formula tree in one of the notations, and rendered.  The text
output is the language itself: it parses to the same tensor.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias, TypedDict, Unpack

from tcalc.expr.collector import collector_paused
from tcalc.expr.index_names import IndexNames
from tcalc.expr.nodes import Node
from tcalc.printing.indices import letters
from tcalc.printing.latex import program_latex
from tcalc.printing.mathml import program_mathml
from tcalc.printing.operator import factored_form, operator_form
from tcalc.printing.program import Cse, Notation, Wishes, statements
from tcalc.printing.text import statement_text

__all__ = [
    "Cse",
    "Medium",
    "Notation",
    "ProgramStyle",
    "assigned",
    "factored_form",
    "letters",
    "operator_form",
    "to_latex",
    "to_mathml",
    "to_text",
]


Medium: TypeAlias = Literal["text", "latex", "mathml"]
"""What formulas are set in."""


class ProgramStyle(TypedDict, total=False):
    """What a program has to say of how its results are written; see `to_text`."""

    order: Sequence[str]
    neighbours: Collection[tuple[str, str]]
    names: Sequence[str]
    index_names: IndexNames


class Options(ProgramStyle, total=False):
    """How a result is to be written; see `to_text`."""

    notation: Notation
    cse: Cse
    called: str
    simplify: bool


@collector_paused()
def to_text(node: Node | Sequence[Node], **options: Unpack[Options]) -> str:
    """One or several tensors as a program of the language, a statement to a line.

    `order` are the variables in the order of the user's program, which factors and terms follow,
    and `neighbours` those that follow each other in its products, as `c` and `x` in ``c'*x``;
    `names` are further names to avoid, as those of the program's sizes; `called` is the name of the
    result where it needs one, or is wanted; `index_names` are names of indices to prefer, by the
    axes of tensors; `simplify` says whether the tensors are simplified first.

    >>> from tcalc.expr import build, shape
    >>> X, w = build.var("X", shape("m", "n")), build.var("w", shape("n"))
    >>> to_text(build.einsum([X, w], "ij,j->i"))
    'X*w'
    >>> to_text(build.einsum([X, w], "ij,j->i"), notation="einstein")
    'X[i,j]*w[j]'
    >>> to_text(
    ...     build.einsum([X, w], "ij,j->i"), notation="einstein", index_names={X: (("n",), ("d",))}
    ... )
    'X[n,d]*w[d]'
    """
    return "\n".join(map(statement_text, statements(_roots(node), Wishes(**options))))


@collector_paused()
def to_latex(node: Node | Sequence[Node], **options: Unpack[Options]) -> str:
    r"""The same in LaTeX, for math mode with amsmath.

    >>> from tcalc.expr import build, shape
    >>> X, w = build.var("X", shape("m", "n")), build.var("w", shape("m"))
    >>> to_latex(build.einsum([X, w], "ij,i->j"))
    'X^\\top w'
    """
    return program_latex(statements(_roots(node), Wishes(**options)))


@collector_paused()
def to_mathml(node: Node | Sequence[Node], **options: Unpack[Options]) -> str:
    """The same in MathML Core: one ``<math>`` element."""
    return program_mathml(statements(_roots(node), Wishes(**options)))


@collector_paused()
def assigned(
    targets: Sequence[tuple[str, str]],
    nodes: Sequence[Node],
    medium: Medium = "text",
    **options: Unpack[Options],
) -> str:
    """Tensors as what stands behind a name and a sign, ``A_bar += ...``, after definitions.

    >>> from tcalc.expr import build, shape
    >>> X, w = build.var("X", shape("m", "n")), build.var("w{t}", shape("n"))
    >>> assigned([("s", "+=")], [build.einsum([X, w], "ij,j->i")])
    's += X*w{t}'
    >>> print(assigned([("s_bar{t-1}", "=")], [build.einsum([X, w], "ij,j->i")], "latex"))
    \\bar{s}_{t - 1} = X w_t
    """
    found = statements(nodes, Wishes(**options))
    count = len(found) - len(targets)
    named = [
        replace(statement, names=(name,), positions=(), sign=sign)
        for (name, sign), statement in zip(targets, found[count:], strict=True)
    ]
    whole = [*found[:count], *named]
    match medium:
        case "text":
            return "\n".join(map(statement_text, whole))
        case "latex":
            return program_latex(whole)
        case "mathml":
            return program_mathml(whole)


def _roots(node: Node | Sequence[Node]) -> list[Node]:
    return [node] if isinstance(node, Node) else list(node)
