"""The straight line of a program as lines of a module, one or a few for each statement."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tcalc.codegen.memory import (
    LARGE,
    counter,
    holds_large,
    is_opaque,
    last_uses,
    overwritten,
    renamed,
    reuses_names,
)
from tcalc.codegen.options import Options
from tcalc.codegen.program import (
    Argument,
    Call,
    Extent,
    Factorise,
    Number,
    Operation,
    Output,
    Program,
    Statement,
    Value,
)
from tcalc.codegen.signature import Signature
from tcalc.codegen.targets import Target
from tcalc.codegen.workspace import Workspace, workspace
from tcalc.codegen.writers import ModuleWriter
from tcalc.primitives.routines import Embedded, Template


class StraightLine(ModuleWriter):
    """The statements of a program, written by a target for given sizes."""

    def __init__(
        self,
        program: Program,
        signature: Signature,
        sizes: Mapping[str, int],
        options: Options,
        target: Target,
        taken: Collection[str],
    ) -> None:
        space = workspace(program, sizes) if options.keeps_memory else Workspace()
        super().__init__(program, signature, sizes, space, taken)
        self.target = target
        self.contiguous = options.contiguous
        self.made = {x: s.operation for s in program.statements for x in s.results}
        self.overwritten = overwritten(program, sizes)
        self.elements = counter(program, sizes)
        self.reused = reuses_names(program)
        asked = self.reused or holds_large(program, sizes)
        self.last = last_uses(program) if asked else {}

    def lines(self, start: int, stop: int) -> list[str]:
        """The lines of some statements, one or a few for each."""
        lines: list[str] = []
        for place in range(start, stop):
            statement = self.program.statements[place]
            over = self.overwritten.get(place)
            match statement.operation:
                case Argument(name=name):
                    self.texts[statement.results[0]] = self.parameters[name]
                case Number(value=number):
                    self.texts[statement.results[0]] = self.target.literal(number)
                case Extent(dim=dim):
                    self.texts[statement.results[0]] = self.size(dim)
                case Factorise(matrix=view) if renamed(statement.operation):
                    self.texts[statement.results[0]] = self.target.operand(view, self)
                case _:
                    lines += self._written(statement, over)
            done = [value for value in self.last.get(place, ()) if value is not over]
            gone = [
                self.texts[value]
                for value in done
                if self.elements(value) >= LARGE and value not in self.space.place
            ]
            # After the last statement all are gone with the call.
            if gone and place + 1 < len(self.program.statements):
                lines.append(f"del {', '.join(gone)}")
            if self.reused:
                for value in done:
                    self.give_up(value)
        return lines

    def _written(self, statement: Statement, over: Value | None) -> list[str]:
        """The lines of a statement, its result in the memory of `over` if there is one."""
        named = statement.results[0] in self.program.hints
        if over is not None and not named and not is_opaque(statement.operation):
            names: tuple[str, ...] = (self.texts[over],)
        elif (buffer := self.buffer(statement.results[0])) is not None:
            names = (buffer[0],)
        else:
            names = tuple(self.fresh(value) for value in statement.results)
        written = self.target.write(statement, names, self, over)
        self.texts.update(zip(statement.results, names, strict=True))
        if statement.remark:
            written[-1] += f"  # {statement.remark}"
        return written

    def returned(self, single: bool) -> str:
        """The statement that returns the results: a tuple, or the `single` one."""
        texts = [self._result(output) for output in self.program.outputs]
        return f"return {', '.join(texts)}{',' if len(texts) == 1 and not single else ''}"

    def _result(self, output: Output) -> str:
        text = self.target.operand(output.view, self)
        if self.is_sparse(output.view.value):
            return f"{text}.toarray()"
        if output.copied and output.view.dims:
            return self.target.copied(text, self.contiguous)
        if not output.view.dims and _may_be_array(self.made[output.view.value]):
            return self.target.as_number(text)
        return self.target.contiguous(text) if output.contiguous else text

    def passed(self, value: Value) -> str:
        """The name by which the second part knows a value of the first; empty for numbers."""
        operation = self.made[value]
        while (source := renamed(operation)) is not None:
            value, operation = source, self.made[source]
        if isinstance(operation, Extent):
            self.size(operation.dim)
        return "" if isinstance(operation, Number | Extent) else self.texts[value]


def _may_be_array(operation: Operation) -> bool:
    """Whether the result may be an array without axes, which `np.where` makes of numbers."""
    match operation:
        case Call(routine=Template(text=text)):
            return "np.where(" in text
        case Call(routine=Embedded(elementwise=elementwise)):
            return elementwise
        case _:
            return False
