"""Elaboration: from a formula to values on the tape.

One method per kind of expression, each a task (see `tcalc.language.tasks`).  Both notations are
elaborated together: a value with index names follows `tcalc.language.einstein`, one without
`tcalc.language.matrix`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import assert_never

from tcalc.errors import (
    IndexNotationError,
    LanguageError,
    ParseError,
    Span,
    UnknownNameError,
    UnsupportedError,
)
from tcalc.language import calls, einstein, matrix
from tcalc.language.algebra import NOWHERE, SLICE, Algebra, Value
from tcalc.language.axes import Axes
from tcalc.language.einstein import Indexer, Scope
from tcalc.language.elsewhere import meant
from tcalc.language.names import UNIT_TENSOR, Counters, Names, guessed_order, is_greek
from tcalc.language.syntax import (
    Call,
    Comparison,
    Expression,
    Gathered,
    Index,
    Name,
    Number,
    Paren,
    Position,
    Power,
    Product,
    Sign,
    Sum,
    Text,
    Transpose,
    children,
)
from tcalc.language.tasks import Task, run
from tcalc.primitives import CONSTANTS


class Elaborator:
    """Elaborates the statements of one program, in order.

    `definitions` has the values so far, `axes` the names of the indices of their axes.
    """

    def __init__(self, algebra: Algebra, names: Names) -> None:
        self.algebra = algebra
        self.names = names
        self.indexer = Indexer(algebra, names)
        self.definitions: dict[str, Value] = {}
        self.axes = Axes()
        #: The indices that are moved in the formula, by the reduction that they belong to.
        self._moved_in: dict[int | None, set[str]] = {}

    # Statements

    def formula(
        self, expression: Expression, left: tuple[str, ...] | None, counters: Counters
    ) -> Value:
        """The value of a whole formula; `left` has the indices on the left, if there is a left."""
        return run(self.region(expression, left, counters))

    def region(
        self, expression: Expression, left: tuple[str, ...] | None, counters: Counters
    ) -> Task:
        """A formula of its own: the whole right-hand side, or what is indexed in parentheses."""
        terms = expression.terms if isinstance(expression, Sum) else ((1, expression),)
        values: list[tuple[int, Value]] = []
        around = self.algebra.moved, self._moved_in
        parts = [term for _, term in terms]
        self._moved_in = einstein.moved(parts, left or (), self.names, counters, calls.stays)
        self.algebra.moved = frozenset(self._moved_in[None])
        for sign, term in terms:
            totals = einstein.occurrences(term, self.names, counters, calls.stays)
            scope = Scope(counters, frozenset(left or ()), totals)
            value = yield self.content(term, scope)
            if left is not None:
                value = einstein.keep_only(value, left, self.algebra)
            values.append((sign, value))
        total = self.algebra.added(values, expression.span)
        self.algebra.moved, self._moved_in = around
        return self._arranged_as(left, total) if left else total

    def reduced(self, task: Task, call: Call, scope: Scope) -> Task:
        """A reduction, whose indices are no others of that name: only in it they may be moved."""
        own = einstein.names_in(call.indices or (), self.names, scope.counters)
        around = self.algebra.moved
        self.algebra.moved = around.difference(own).union(self._moved_in.get(id(call), ()))
        value = yield task
        self.algebra.moved = around
        return value

    def _arranged_as(self, left: tuple[str, ...], value: Value) -> Value:
        """The value with its axes in the order of the left-hand side."""
        for name in left:
            if name not in value.names:
                raise IndexNotationError(
                    f"index {name} on the left stands nowhere on the right",
                    span=value.span,
                    hint="its range comes from a tensor: index one with it, or use ones[...]",
                )
        return self.algebra.arranged(value, [value.names.index(name) for name in left])

    def outputs(self, expression: Expression, counters: Counters) -> list[Value]:
        """The outputs of a function that has several: the right-hand side of ``Q, R = qr(A)``."""
        if not isinstance(expression, Call):
            raise ParseError(
                "only a function with several results can be unpacked",
                span=expression.span,
                hint="for example `Q, R = qr(A)`",
            )
        return calls.outputs(self, expression, Scope(counters))

    # Expressions

    def content(self, expression: Expression, scope: Scope) -> Task:
        """What stands in parentheses, as an argument, a base, an exponent or a denominator.

        Each of its terms sums the indices that occur there and nowhere else.  Parentheses around
        the whole have done so themselves.
        """
        if isinstance(expression, Paren):
            return self.visit(expression, scope)
        return self._content(expression, scope)

    def _content(self, expression: Expression, scope: Scope) -> Task:
        if isinstance(expression, Sum):
            self._refuse_indices(expression, scope)
        terms = expression.terms if isinstance(expression, Sum) else ((1, expression),)
        values: list[tuple[int, Value]] = []
        for sign, term in terms:
            value = yield self.visit(term, scope)
            if not isinstance(term, Paren):
                value = einstein.close(value, scope, self.algebra)
            values.append((sign, value))
        return self.algebra.added(values, expression.span)

    def visit(self, expression: Expression, scope: Scope) -> Task:
        """The task that elaborates an expression."""
        if isinstance(expression, Product | Sign | Power):
            self._refuse_indices(expression, scope)
        match expression:
            case Number():
                return self._number(expression)
            case Name():
                return self._name(expression, scope)
            case Paren():
                return self._paren(expression, scope)
            case Sum():
                return self._content(expression, scope)
            case Product():
                return self._product(expression, scope)
            case Sign():
                return self._sign(expression, scope)
            case Power():
                return self._power(expression, scope)
            case Transpose():
                return self._transpose(expression, scope)
            case Index():
                return self._index(expression, scope)
            case Call():
                return calls.call(self, expression, scope)
            case Comparison():
                arrow = re.match(r"[^<>=]*<-", expression.span.text)
                raise UnsupportedError(
                    "a comparison stands in where() only",
                    span=expression.span,
                    hint="a definition is `name = formula`"
                    if arrow
                    else "where(x < y, a, b) takes a where x < y, else b",
                )
            case Text():
                raise ParseError(
                    "a text is no value",
                    span=expression.span,
                    hint='only einsum takes a text: einsum("ij,jk->ik", A, B)',
                )
            case _:
                assert_never(expression)

    def _number(self, number: Number) -> Task:
        return self.algebra.number(number.value, number.span)
        yield

    def _name(self, name: Name, scope: Scope) -> Task:
        return self.named(name, scope.counters)
        yield

    def _refuse_indices(self, expression: Expression, scope: Scope) -> None:
        """An index is no number: what has its name in a formula is a scalar, or declared."""
        indices = {*scope.kept, *scope.totals}
        for part in children(expression) if indices else ():
            self.refuse_index(part, indices, scope.counters)

    def refuse_index(
        self, expression: Expression, indices: Collection[str], counters: Counters
    ) -> None:
        """Refuse a name that is no tensor's but that of an index."""
        if not isinstance(expression, Name) or expression.name not in indices:
            return
        name = expression.name
        known = self.names.is_given(name) or self.names.dimension(name) is not None
        if not known and name not in counters and guessed_order(name):
            raise IndexNotationError(
                f"`{name}` is an index, which is no number",
                span=expression.span,
                hint=f"positions are data: a vector of them, as in p[{name}]",
            )

    def named(self, mention: Name, counters: Counters) -> Value:
        """The value of a name."""
        span = mention.span
        name = self.names.stepped(mention.name, mention.steps, counters)
        if name in self.definitions:
            return self.algebra.again(self.definitions[name], span)
        if name in counters:
            return self.algebra.number(counters[name], span)
        if name in self.names.parameters:
            return self.algebra.number(self.names.parameters[name], span)
        dim = self.names.dimension(name)
        if dim is not None:
            return self.algebra.atom(self.algebra.tape.size(dim), (), span)
        if name not in self.names.variables:
            value = self._built_in(name, span)
            if value is not None:
                return value
        variable = self.names.variable(name, span)
        slot = self.algebra.tape.variable(name, variable.dims, variable.properties)
        return self.algebra.atom(slot, variable.dims, span)

    def _built_in(self, name: str, span: Span) -> Value | None:
        if name in ("ones", "zeros"):
            return self.algebra.number(1 if name == "ones" else 0, span)._replace(elastic=True)
        if name == "eye":
            return self.indexer.unit_matrix(span)
        if name in CONSTANTS:
            return self.algebra.atom(self.algebra.tape.call(CONSTANTS[name]), (), span)
        return None

    def _paren(self, paren: Paren, scope: Scope) -> Task:
        value = yield self.content(paren.inner, scope)
        # What is written in parentheses is one tensor, so that writing it twice computes it once.
        return self.algebra.solid(value)._replace(span=paren.span)

    def _sign(self, sign: Sign, scope: Scope) -> Task:
        value = yield self.visit(sign.operand, scope)
        return value._replace(coefficient=sign.sign * value.coefficient, span=sign.span)

    def _product(self, product: Product, scope: Scope) -> Task:
        left = yield self.visit(product.first, scope)
        for operator, factor in product.rest:
            denominator = operator in ("/", "./")
            right = yield (self.content if denominator else self.visit)(factor, scope)
            span = left.span.to(right.span)
            match operator:
                case "*" | "@":
                    left = matrix.times(left, right, span, self.algebra)
                case ".*":
                    left = matrix.hadamard(left, right, span, self.algebra)
                case "/":
                    left = matrix.divided(left, right, span, self.algebra)
                case "./":
                    inverse = matrix.reciprocal(right, span, self.algebra)
                    left = matrix.hadamard(left, inverse, span, self.algebra)
                case _:
                    left = matrix.solved(left, right, span, self.algebra)
        return left

    def _power(self, power: Power, scope: Scope) -> Task:
        base = yield self.content(power.base, scope)
        exponent = yield self.content(power.exponent, scope)
        return matrix.power(base, exponent, power.elementwise, power.span, self.algebra)

    def _transpose(self, transpose: Transpose, scope: Scope) -> Task:
        value = yield self.visit(transpose.operand, scope)
        return matrix.transposed(value, transpose.span, self.algebra)

    def _index(self, index: Index, scope: Scope) -> Task:
        base = index.base
        gathered: dict[Position, Value] = {}
        for position in index.positions:
            if isinstance(position, Gathered):
                gathered[position] = yield self.visit(position.at, scope)
        if isinstance(base, Name):
            if self._means_delta(base):
                return self.indexer.delta(index.positions, scope, index.span, gathered)
            self._refuse_call_in_brackets(base, index)
            value = self.named(base, scope.counters)
        else:
            inner = base.inner if isinstance(base, Paren) else base
            value = yield self.region(inner, None, scope.counters)
            if isinstance(base, Index) and any(not name.startswith(SLICE) for name in value.names):
                raise IndexNotationError(
                    "an index of what is indexed already",
                    span=index.span,
                    hint="all indices stand in one pair of brackets: A[i,j]",
                )
            value = value._replace(names=(), occurrences=NOWHERE, span=base.span)
        if value.elastic:
            value = self._stretched(value, len(index.positions))
        try:
            found = self.indexer.index(value, index.positions, scope, index.span, gathered)
        except LanguageError as error:
            function = meant(base.name) if isinstance(base, Name) else ""
            if function and value.span.text in self.names.guesses:
                error.hint = f"a function takes its argument in parentheses: `{function}(...)`"
            raise
        self.axes.note(value, self._index_names(index.positions, scope.counters))
        return found

    def _index_names(self, positions: tuple[Position, ...], counters: Counters) -> list[str]:
        """The name at each position, empty where an element or a range stands."""
        names = (einstein.names_in((position,), self.names, counters) for position in positions)
        return ["".join(name) for name in names]

    def _means_delta(self, name: Name) -> bool:
        """Whether ``delta[...]`` is the unit tensor, which a declaration or definition hides."""
        names = self.names
        declared = name.name in names.variables and name.name not in names.guesses
        hidden = name.steps or declared or name.name in names.defined
        return name.name in UNIT_TENSOR and not hidden

    def _refuse_call_in_brackets(self, name: Name, index: Index) -> None:
        """Refuse ``Tr[A]`` and ``Sin[x]``, called as in Mathematica, where it is undeclared."""
        called = name.name[:1].isupper() and len(name.name) > 1 and meant(name.name)
        if not called or self.names.is_given(name.name) or is_greek(name.name):
            return
        inside = index.span.text.partition("[")[2].removesuffix("]")
        raise UnknownNameError(
            f"`{name.name}` is no tensor that the program knows",
            span=name.span,
            hint=f"a function takes its argument in parentheses: `{called}({inside})`; if it is a "
            f"tensor, declare it: tensor {name.name}[{','.join('mnpq'[: len(index.positions)])}]",
        )

    def _stretched(self, value: Value, order: int) -> Value:
        """``ones[i,j]``: an elastic value with as many axes as indices."""
        dims = [self.algebra.dimensions.unknown(value.span) for _ in range(order)]
        slot = self.algebra.tape.constant(value.coefficient, dims)
        return self.algebra.atom(slot, dims, value.span)


def left_indices(
    positions: tuple[Position, ...] | None, names: Names, counters: Counters
) -> tuple[str, ...]:
    """The indices on the left of a definition: names, each once."""
    found = einstein.names_in(positions or (), names, counters)
    for position in positions or ():
        if len(einstein.names_in((position,), names, counters)) == 0:
            raise IndexNotationError(
                "on the left stand names of indices, each for a whole axis",
                span=position.span,
                hint="what goes to each position is added up: z[j] = onehot(g,m)[i,j]*y[i]"
                if isinstance(position, Gathered)
                else "number the definitions instead, x{1} = ..., and stack them",
            )
    for k, name in enumerate(found):
        if name in found[:k]:
            assert positions is not None
            raise IndexNotationError(
                f"index {name} stands twice on the left",
                span=positions[k].span,
                hint=f"write two names and a unit tensor: ... * delta[{name},j]",
            )
    return found
