"""What there is to choose from: the model programs, and the words of the language."""

from __future__ import annotations

from typing import Final

import tcalc
from tcalc import gallery

from . import schemas

MATRIX_CALCULUS: Final = "MatrixCalculus.org"


def examples() -> schemas.Examples:
    """The gallery, with the declarations of each program apart from its formula."""
    return schemas.Examples(examples=list(map(_example, gallery.models())))


def _example(model: gallery.Model) -> schemas.Example:
    lines = model.program.splitlines()
    declared = [line.removeprefix("tensor ") for line in lines if line.startswith("tensor ")]
    rest = "\n".join(line for line in lines if not line.startswith("tensor "))
    return schemas.Example(
        name=model.name,
        title=model.title,
        about=model.about,
        source=model.source,
        group=MATRIX_CALCULUS if model.source == MATRIX_CALCULUS else "Models",
        formula=rest.strip(),
        declarations=", ".join(declared),
        wrt=list(model.wrt),
    )


def language() -> schemas.Language:
    """The functions, and the properties that a variable can have."""
    functions = [
        schemas.Function(
            name=entry.name,
            aliases=list(entry.aliases),
            elsewhere=list(entry.elsewhere),
            summary=entry.summary,
            domain=entry.domain,
            derivative=entry.derivative,
            kinks=entry.kinks,
            source=entry.source,
        )
        for entry in tcalc.functions().values()
    ]
    return schemas.Language(functions=functions, properties=list(tcalc.properties()))
