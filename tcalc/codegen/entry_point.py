"""The entry point of a module: its function `evaluate`, which checks its arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tcalc.codegen import checks
from tcalc.codegen.program import Requirement
from tcalc.codegen.signature import Signature, Source
from tcalc.codegen.targets import Target, Writer
from tcalc.codegen.targets.target import quoted
from tcalc.codegen.texts import mentions, read, size_text
from tcalc.codegen.wrapping import wrapped
from tcalc.expr.nodes import Var
from tcalc.expr.properties import CHECKED
from tcalc.records import dataclass


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """What `evaluate` has to check: arguments by a signature, and what sizes have to obey.

    `parameters` are the names of the arguments in the module, `sizes` those of their dimensions,
    `supplied` those of the functions that the module is given.
    """

    signature: Signature
    requirements: Sequence[Requirement]
    parameters: Mapping[str, str]
    sizes: Mapping[str, str]
    target: Target
    writer: Writer
    supplied: Sequence[str] = ()

    def source(self, rest: Sequence[str], result: str, single: str | None) -> str:
        """The function; `rest` are the arguments of `compute`, as they are written.

        `result` is the type of what it returns, `single` a name for it if it is not a tuple.
        """
        arguments = self.signature.arguments
        names = [self.parameters[x.name] for x in arguments]
        taken = ", ".join(f"{name}: {self.target.argument}" for name in names)
        lines = [f"def evaluate({'*, ' if names else ''}{taken}) -> {result}:"]
        lines.append('    """The results, after a check of the arguments."""')
        if self.supplied:
            function = self.writer.embed(checks.expect_supplied)
            lines.append(f"    {function}(supplied, {', '.join(map(quoted, self.supplied))})")
        if names:
            pairs = ", ".join(f"{name}={name}" for name in names)
            comma = "," if len(names) == 1 else ""
            integers = [x.name for x in arguments if "integer" in x.properties]
            if integers and self.target.integers_follow:
                self.writer.embed(checks.as_arrays)
                self.writer.embed(checks.as_integers)
                function = self.writer.embed(checks.as_arrays_and_integers)
                pairs = ", ".join([*(quoted(self.parameters[x]) for x in integers), pairs])
            else:
                function = self.target.embedded(checks.as_arrays, None, self.writer)
            lines.append(f"    {', '.join(names)}{comma} = {function}({pairs})")
        measured = {s.argument for s in self.signature.sources}
        for place, argument in enumerate(arguments):
            if place in measured:
                function = self.writer.embed(checks.expect_axes)
                lines.append(f"    {function}({self._said(argument)}, {argument.order})")
        checked = [line for place, x in enumerate(arguments) for line in self._checks(place, x)] + [
            line for requirement in self.requirements for line in self._required(requirement)
        ]
        text = "\n".join(checked)
        asked = [s for s in self.signature.sources if mentions(text, self.sizes[s.name])]
        read = reads(arguments, asked, self.parameters, self.sizes)
        lines += [f"    {line}" for line in (*read, *checked)]
        call = f"compute({', '.join(rest)})"
        if single is None:
            lines.append(f"    return {call}")
        else:
            # What `compute` returns is Any by itself, and a tuple of it otherwise.
            lines += [f"    {single}: {result} = {call}", f"    return {single}"]
        return "\n".join(part for line in lines for part in wrapped(line))

    def _required(self, requirement: Requirement) -> list[str]:
        """The lines that refuse sizes which do not fit."""
        low, high = (size_text(x, self.sizes) for x in (requirement.low, requirement.high))
        text = f"the sizes do not fit: {requirement.low} is beyond {requirement.high}"
        beyond = f"{high} < {low}" if requirement.low.value is not None else f"{low} > {high}"
        return [f"if {beyond}:", f"    raise ValueError({quoted(text)})"]

    def _said(self, argument: Var) -> str:
        axes = ", ".join(map(str, argument.dims))
        name = self.parameters[argument.name]
        return f"{quoted(argument.name)}, {name}, {quoted(axes)}"

    def _checks(self, place: int, argument: Var) -> list[str]:
        lines: list[str] = []
        mine = [s for s in self.signature.sources if s.argument == place]
        exact = [s for s in mine if (s.offset, s.factor) == (0, 1)]
        if len(exact) < argument.order or not mine:
            sizes = [size_text(dim, self.sizes) for dim in argument.dims]
            shape = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
            function = self.writer.embed(checks.expect_shape)
            lines.append(f"{function}({self._said(argument)}, {shape})")
        for kind in CHECKED:
            if kind in argument.properties:
                name = self.parameters[argument.name]
                function = self.writer.embed(checks.expect_property)
                lines.append(f"{function}({quoted(argument.name)}, {name}, {quoted(kind)})")
        return lines


def reads(
    arguments: Sequence[Var],
    sources: Sequence[Source],
    parameters: Mapping[str, str],
    sizes: Mapping[str, str],
) -> list[str]:
    """The lines that read sizes off the shapes of the arguments."""
    lines: list[str] = []
    for place, argument in enumerate(arguments):
        mine = [s for s in sources if s.argument == place]
        if not mine:
            continue
        name = parameters[argument.name]
        plain = len(mine) == argument.order and all((s.offset, s.factor) == (0, 1) for s in mine)
        if plain:
            targets = ", ".join(sizes[s.name] for s in mine)
            lines.append(f"{targets if len(mine) > 1 else f'({targets},)'} = {name}.shape")
            continue
        lines += [f"{sizes[s.name]} = {read(name, s)}" for s in mine]
    return lines
