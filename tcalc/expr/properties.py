"""What a variable can be declared to be, what that implies, and what it asks of axes and data."""

from __future__ import annotations

from collections.abc import Mapping

from tcalc.expr.primitive import Fact

IMPLIED: Mapping[str, tuple[Fact, ...]] = {
    "symmetric": (Fact.SYMMETRIC,),
    "psd": (Fact.PSD, Fact.SYMMETRIC),
    "spd": (Fact.SPD, Fact.PSD, Fact.SYMMETRIC),
    "diagonal": (Fact.DIAGONAL, Fact.SYMMETRIC, Fact.LOWER, Fact.UPPER),
    "lower": (Fact.LOWER,),
    "upper": (Fact.UPPER,),
    "orthogonal": (Fact.ORTHOGONAL,),
    "positive": (Fact.POSITIVE, Fact.NONNEGATIVE),
    "nonnegative": (Fact.NONNEGATIVE,),
    "integer": (Fact.INTEGER,),
    "constant": (Fact.CONSTANT,),
}
"""The facts that follow from each property."""

PROPERTIES = tuple(IMPLIED)
"""All properties, in the order in which they are listed for users."""

SYMMETRIC = frozenset(("symmetric", "psd", "spd"))
"""Those of matrices that equal their transpose, the diagonal ones aside."""

SQUARE = SYMMETRIC | {"diagonal", "orthogonal"}
"""Those of matrices with as many rows as columns."""

OF_MATRICES = SQUARE | {"lower", "upper"}
"""Those that need two axes."""

CHECKED = tuple(word for word in PROPERTIES if word != "constant")
"""Those that data are checked for; ``constant`` speaks of derivatives only."""
