"""What comes with an expression from the program that it was written in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from tcalc.errors import ArgumentError, Span
from tcalc.expr.index_names import IndexNames, merged
from tcalc.expr.nodes import Node, Var
from tcalc.expr.reading import Reading

if TYPE_CHECKING:
    from tcalc import printing


@dataclass(frozen=True, slots=True)
class Context:
    """What a program says beyond its value.

    `variables` are its inputs in order, `guesses` what was guessed of them, `definitions` the
    tensors that it has names for, `places` where its text calls functions (a pickle has none),
    `index_names` the names of the indices of axes, and `reading` the order in which its formulas
    name inputs.
    """

    variables: Mapping[str, Var] = field(default_factory=dict)
    guesses: Mapping[str, str] = field(default_factory=dict)
    definitions: Mapping[str, Node] = field(default_factory=dict)
    places: Mapping[Node, Span] = field(default_factory=dict, repr=False, compare=False)
    index_names: IndexNames = field(default_factory=dict, repr=False, compare=False)
    reading: Reading = field(default_factory=Reading, repr=False, compare=False)

    @property
    def style(self) -> printing.ProgramStyle:
        """What formulas take from the program: the order of its variables, names of indices.

        They avoid the names of all its sizes, which would be read as such.
        """
        read = self.reading.merged(Reading(tuple(self.variables)))
        dims = chain.from_iterable(x.dims for x in self.variables.values())
        sizes = {name for dim in dims for name in dim.names()}
        return {
            "order": read.names,
            "neighbours": read.neighbours,
            "names": sorted(sizes),
            "index_names": self.index_names,
        }

    def merged(self, other: Context) -> Context:
        """Both contexts together; a name must mean the same input in both."""
        for name, node in other.variables.items():
            mine = self.variables.get(name, node)
            if mine is not node:
                raise ArgumentError(
                    f"the name {name} stands for two different inputs: {mine!r} and {node!r}",
                    hint="declare it once, with tcalc.symbols, and use that everywhere",
                )
        return Context(
            {**self.variables, **other.variables},
            {**self.guesses, **other.guesses},
            {**self.definitions, **other.definitions},
            {**other.places, **self.places},
            merged(self.index_names, other.index_names),
            self.reading.merged(other.reading),
        )
