"""Model programs with seeded data, which the command line offers as examples and the tests use.

A model is a file ``name.tc``, a program of the language under a comment that says what it is::

    # Title
    #
    # What it computes, in a sentence or two.
    #
    # source: where it comes from
    # wrt: the variables to differentiate by, the usual one first
    # small: m=7, n=4                (sizes at which its tests run)
    # medium: m=2000, n=100          (sizes at which its benchmarks run)
    # kinks: where it is not differentiable, and what tcalc does there (only if anywhere)

`make_data` makes the data, the same for the same seed.  A new model needs its file and one function
of the same name in `tcalc.gallery.data`.  (`tcalc.examples`, by contrast, solves complete problems:
each is a Python function with data and a known result.)

>>> model = load("trace_product")
>>> model.title, model.wrt, model.sizes["small"]
('Trace of a product', ('X', 'A', 'B', 'C'), {'m': 3, 'n': 4, 'k': 2})
>>> print(model.program)
tensor A[k,n], X[m,n], B[m,m], C[n,k]
<BLANKLINE>
tr(A*X'*B*X*C)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from tcalc.errors import ArgumentError, suggestion

if TYPE_CHECKING:
    from tcalc.primitives.arrays import NumPyArray as Array

__all__ = ["Model", "load", "make_data", "models", "names"]

SUFFIX = ".tc"
KEYS = ("source", "wrt", "small", "medium", "kinks")


@dataclass(frozen=True, slots=True)
class Model:
    """A model program and what its header says of it.

    ``text`` is the whole file, ``program`` the file without its header; ``wrt`` the variables to
    differentiate by, the usual one first; ``sizes`` the dimensions by ``"small"`` and
    ``"medium"``; ``kinks`` says where the function is not differentiable, and is empty where it is
    smooth.
    """

    name: str
    title: str
    about: str
    source: str
    wrt: tuple[str, ...]
    text: str = field(repr=False)
    program: str = field(repr=False)
    sizes: Mapping[str, Mapping[str, int]]
    kinks: str = ""

    @property
    def smooth(self) -> bool:
        """Whether it is differentiable wherever it has a value."""
        return not self.kinks


@cache
def names() -> tuple[str, ...]:
    """The names of all models, in alphabetical order."""
    found = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX)))


def models() -> tuple[Model, ...]:
    """All models, in the order of their names."""
    return tuple(load(name) for name in names())


@cache
def load(name: str) -> Model:
    """The model of that name; an `ArgumentError` where there is none."""
    if name not in names():
        hint = suggestion(name, names(), otherwise="the models are " + ", ".join(names()))
        raise ArgumentError(f"there is no model named {name!r}", hint=hint)
    return _read(name, files(__name__).joinpath(name + SUFFIX).read_text(encoding="utf-8"))


def make_data(name: str, seed: int = 0, size: str = "small") -> dict[str, Array]:
    """Arrays for the inputs of a model, by name; the same for the same seed.

    `size` is ``"small"`` or ``"medium"``.  Arrays are of type float64, scalars of order 0.

    >>> {name: array.shape for name, array in make_data("ridge").items()}
    {'X': (7, 4), 'y': (7,), 'w': (4,), 'c': ()}
    """
    model = load(name)
    if size not in model.sizes:
        known = " and ".join(map(repr, model.sizes))
        raise ArgumentError(f"the model {name!r} has no size {size!r}", hint=f"there are {known}")
    from tcalc.gallery import data

    return data.make(name, seed, model.sizes[size])


def _read(name: str, text: str) -> Model:
    lines = text.splitlines()
    end = next(k for k, line in enumerate(lines) if not line.startswith("#"))
    paragraphs = "\n".join(line[1:].strip() for line in lines[:end]).split("\n\n")
    if len(paragraphs) < 3:
        raise ValueError(
            f"{name}{SUFFIX}: the header is a title, what the model computes, and its fields, each "
            "after a line of a bare `#`"
        )
    title, *about, fields = paragraphs
    values = dict.fromkeys(KEYS, "")
    for line in fields.splitlines():
        key, _, value = line.partition(":")
        if key not in values:
            raise ValueError(f"{name}{SUFFIX}: the header does not know {key!r}")
        values[key] = value.strip()
    return Model(
        name=name,
        title=title,
        about=" ".join(" ".join(about).split()),
        source=values["source"],
        wrt=tuple(_items(values["wrt"])),
        text=text,
        program="\n".join(lines[end:]).strip(),
        sizes={size: _sizes(values[size]) for size in ("small", "medium")},
        kinks=values["kinks"],
    )


def _sizes(text: str) -> dict[str, int]:
    pairs = (item.partition("=") for item in _items(text))
    return {name.strip(): int(value) for name, _, value in pairs}


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]
