"""The arguments of a program: which there are, under what names, and what their shapes tell."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tcalc.errors import ArgumentError
from tcalc.expr.dims import Dim
from tcalc.expr.names import free_name
from tcalc.expr.nodes import Apply, Node, Var
from tcalc.expr.traverse import postorder, variables
from tcalc.primitives.selection import GivenBySizes


@dataclass(frozen=True, slots=True)
class Source:
    """Where a size is read off: ``size = (length of an axis - offset) / factor``."""

    name: str
    argument: int
    axis: int
    offset: int = 0
    factor: int = 1

    def value(self, length: int) -> int:
        return (length - self.offset) // self.factor


@dataclass(frozen=True, slots=True)
class Signature:
    """What a compiled function takes.

    `arguments` are those that it needs, `unused` those that it accepts beside.  `sources` say
    which axis gives each of the sizes, `names` are those of the arguments that are needed.
    """

    arguments: tuple[Var, ...]
    unused: tuple[Var, ...]
    sources: tuple[Source, ...]
    names: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(argument.name for argument in self.arguments))

    @staticmethod
    def of(arguments: Sequence[Var], unused: Sequence[Var]) -> Signature:
        """The signature with these arguments, their sizes told by their axes."""
        return Signature(tuple(arguments), tuple(unused), sources_of(arguments))

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """For each argument, the unused ones last, the dimensions of its axes as text."""
        return {x.name: tuple(map(str, x.dims)) for x in (*self.arguments, *self.unused)}

    @property
    def sizes(self) -> tuple[str, ...]:
        """The names of the sizes."""
        return tuple(source.name for source in self.sources)

    def measure(self, shapes: Sequence[Sequence[int]]) -> dict[str, int]:
        """The sizes that the shapes of the arguments say."""
        return {s.name: s.value(shapes[s.argument][s.axis]) for s in self.sources}

    def __str__(self) -> str:
        return ", ".join(map(describe, self.arguments))

    def __repr__(self) -> str:
        return f"<Signature({self})>"


def describe(argument: Var) -> str:
    """An argument as it is declared: ``X[m, n]``."""
    dims = f"[{', '.join(map(str, argument.dims))}]" if argument.dims else ""
    return argument.name + dims + "".join(f" {name}" for name in argument.properties)


def signature_of(roots: Sequence[Node], known: Sequence[Var] = ()) -> Signature:
    """The arguments that some results need, in the order of the known variables.

    A variable that is not computed with may still be needed for its shape.  Raises
    `ArgumentError` where a size cannot be told from any argument.
    """
    found = dict.fromkeys(variables(roots))
    named: dict[str, Var] = {}
    for argument in (*known, *found):
        if named.setdefault(argument.name, argument) is not argument:
            raise ArgumentError(
                f"two inputs with the name {argument.name}: {describe(named[argument.name])} "
                f"and {describe(argument)}"
            )
    ordered = {x: None for x in (*known, *found) if x in found}
    needed = sorted(size_names(roots))
    sources = _sources([*ordered])
    for extra in known:
        missing = [name for name in needed if name not in sources]
        if not missing:
            break
        if extra not in ordered and not size_names([extra]).isdisjoint(missing):
            ordered[extra] = None
            sources = _sources([*ordered])
    for name in needed:
        if name not in sources:
            raise ArgumentError(
                f"the size {name} is not that of an axis of any argument",
                hint="declare an input that has it",
            )
    unused = tuple(x for x in known if x not in ordered)
    return Signature(tuple(ordered), unused, tuple(sources.values()))


def sources_of(arguments: Sequence[Var]) -> tuple[Source, ...]:
    """The sizes that some arguments tell, and from which axis; places count among them."""
    return tuple(_sources(arguments).values())


def size_names(nodes: Iterable[Node]) -> set[str]:
    """The names of all sizes that the nodes and what is below them have."""
    names: set[str] = set()
    seen: set[Dim] = set()
    for node in postorder(list(nodes)):
        dims = node.dims
        if isinstance(node, Apply) and isinstance(node.primitive, GivenBySizes):
            dims += node.primitive.parameters
        for dim in dims:
            if dim not in seen:
                seen.add(dim)
                names |= dim.names()
    return names


def _sources(arguments: Sequence[Var]) -> dict[str, Source]:
    """For each size an axis that tells it; plain ones are preferred."""
    found: dict[str, Source] = {}
    compound: list[tuple[Dim, int, int]] = []
    for place, argument in enumerate(arguments):
        for axis, dim in enumerate(argument.dims):
            if dim.is_name:
                found.setdefault(str(dim), Source(str(dim), place, axis))
            elif dim.value is None:
                compound.append((dim, place, axis))
    for dim, place, axis in compound:
        names = dim.names()
        if len(names) == 1 and (name := next(iter(names))) not in found:
            low, middle, high = (dim.evaluate({name: size}) for size in (0, 1, 2))
            if high - middle == middle - low > 0 and "min(" not in str(dim):
                found[name] = Source(name, place, axis, low, middle - low)
    return dict(sorted(found.items(), key=lambda item: (item[1].argument, item[1].axis)))


class Names:
    """Identifiers that are given out once each."""

    def __init__(self, taken: Collection[str] = ()) -> None:
        self.taken = set(taken)

    def give(self, wish: str) -> str:
        """An identifier that is the wish, or like it."""
        name = free_name(identifier(wish), self.taken)
        self.taken.add(name)
        return name

    def parameters(self, arguments: Sequence[Var]) -> Mapping[str, str]:
        """For each argument's name the identifier that it has in code."""
        return {argument.name: self.give(argument.name) for argument in arguments}


def identifier(wish: str) -> str:
    """An identifier that Python reads as it is written: nothing reserved, hidden, or ambiguous."""
    name = unicodedata.normalize("NFKC", wish)
    if not name.isidentifier() or name.startswith("_"):
        name = "x" + re.sub(r"\W", "_", name, flags=re.ASCII)
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        name += "_"
    return name
