"""Expressions as users hold them: a node, with what is needed to print it well."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from numbers import Real
from typing import TYPE_CHECKING, Any, Never, TypeAlias

from tcalc import calculus, language
from tcalc.context import Context
from tcalc.errors import (
    ArgumentError,
    DimensionError,
    OrientationError,
    UnknownNameError,
    suggestion,
)
from tcalc.expr import build
from tcalc.expr.index_names import AxisNames, IndexNames, merged, of_axes
from tcalc.expr.nodes import Node, Var
from tcalc.expr.packing import Packed, pack, unpack
from tcalc.expr.reading import Reading
from tcalc.expr.traverse import postorder
from tcalc.expr.traverse import variables as inputs_of
from tcalc.language.habits import attribute_hint
from tcalc.language.in_python import OPERATED, OPERATORS, Position, no_number, position_text
from tcalc.language.names import exact
from tcalc.primitives.axis_names import inferred
from tcalc.primitives.function import Brought, entries

if TYPE_CHECKING:
    from tcalc import printing

Names: TypeAlias = list[str] | tuple[str, ...]
"""Several names."""

Variable: TypeAlias = "str | Expression | Var"
"""A variable: its name, what `tcalc.symbols` makes of it, or what `Expression.variables` has."""

Variables: TypeAlias = "list[str] | list[Expression] | list[Var] | tuple[Variable, ...]"
"""Several variables."""

Operand: TypeAlias = "Expression | int | float | Fraction"


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A tensor expression: the value of a program, a derivative, or built from others in Python.

    ``+ - * @ / **``, ``.T`` and indexing mean what they mean in the language: ``*`` and ``@`` are
    the product of linear algebra, ``/`` by a scalar or ``A*inv(B)``, ``x[2]`` and ``A[1:3, 1]``
    are 1-based with both ends included.  `str` gives matrix notation where it exists, else
    Einstein notation.

    >>> import tcalc
    >>> X, w, y = tcalc.symbols("X[m,n], w[n], y[m]")
    >>> r = X @ w - y
    >>> print(r.T @ r, r.shape)
    norm2(X*w - y)^2 ('m',)
    """

    node: Node
    context: Context = field(default_factory=Context)
    row: bool = False
    #: For a derivative, how many of its axes belong to the function; the rest to the variable.
    lead: int | None = None
    #: For the Hessian by a variable, that variable: both its ends are what it can be.
    ends: Var | None = None

    @property
    def shape(self) -> tuple[str, ...]:
        """The dimensions, as text: names, numbers, or polynomials in them."""
        return tuple(map(str, self.node.dims))

    @property
    def variables(self) -> dict[str, Var]:
        """The inputs known to the program, by name, in order of appearance."""
        return dict(self.context.variables) or {v.name: v for v in inputs_of([self.node])}

    @property
    def guesses(self) -> dict[str, str]:
        """The guessed kind of each undeclared name: scalar, vector, matrix, tensor3, …"""
        return dict(self.context.guesses)

    def variable(self, wanted: Variable) -> Var:
        """The input of that name, or that is the one given.

        Raises `UnknownNameError`, `DimensionError` for a variable of another shape, and
        `ArgumentError` for what is no variable.
        """
        name = name_of(wanted)
        known = self.variables
        node = wanted.node if isinstance(wanted, Expression) else wanted
        if isinstance(node, Var) and known.get(name, node) is not node:
            raise DimensionError(
                f"the expression has another variable of that name: {known[name]!r}, and not "
                f"{node!r}",
                hint=f"by its name: {name!r}",
            )
        if name not in known:
            others = "it has none" if not known else "its variables: " + ", ".join(known)
            parts = [part.strip() for part in name.split(",")]
            if len(parts) > 1 and known.keys() >= set(parts):
                others = f"several variables are a list: {parts}"
            raise UnknownNameError(
                f"{name!r} is not a variable of the expression",
                hint=others if len(parts) > 1 else suggestion(name, known, otherwise=others),
            )
        return known[name]

    def axis_names(self, *by: Node) -> AxisNames:
        """The names of the indices of its axes, then of those of others, empty for one without."""
        known = self.context.index_names
        if known and self.node.order and self.node not in known:
            known = inferred(postorder([self.node]), known)
        return of_axes(known, self.node, *by)

    def text(
        self,
        notation: printing.Notation = "auto",
        cse: printing.Cse = "auto",
        *,
        simplify: bool = True,
    ) -> str:
        """The formula in the language.

        `notation` is ``"matrix"``, ``"einstein"``, or ``"auto"``: matrix notation if the formula
        has one.  `cse` says whether common subexpressions are named, in lines above the formula;
        ``"auto"`` does so if the formula would be long otherwise.  Without `simplify`,
        functions and products stay as they were written, but like terms are added up, and
        definitions put in.  Raises `ArgumentError` for other values, and `LimitError`
        for a formula that would fill pages without names.

        >>> import tcalc
        >>> H = tcalc.hessian(tcalc.parse("sum(log(1 + exp(X*w)))"), "w")
        >>> print(H.text("einstein", cse=True))
        p[i] = sigmoid(X[i,j]*w[j])
        X[k,i]*X[k,j]*p[k]*(1 - p[k])
        >>> print(tcalc.parse("log(1 + exp(c))").text(simplify=False))
        log(1 + exp(c))
        """
        from tcalc import printing

        return printing.to_text(
            self.node, notation=notation, cse=cse, simplify=simplify, **self.context.style
        )

    def matrix(self) -> str:
        """The formula in matrix notation; if it has none, a comment says why."""
        return self.text("matrix")

    def einstein(self) -> str:
        """The formula in Einstein notation, which every expression has."""
        return self.text("einstein")

    def operator(self) -> str | None:
        """A derivative of a matrix by a matrix as an operator, ``2 (V'*V ⊗ I)``, or None.

        ``A ⊗ B`` maps X to ``B*X*A'``, and ``(A ⊗ B) T`` maps it to ``B*X'*A'``.
        """
        from tcalc import printing

        if self.lead != 2:
            return None
        style = self.context.style
        return printing.operator_form(
            self.node, lambda node: printing.to_text(node, cse=False, **style)
        )

    def factored(self) -> str:
        """A derivative as a factored tensor: ``2 δ[i,k] (V'*V)[j,l]``.

        If it is also an operator between matrices, a second line has that.
        """
        from tcalc import printing

        style = self.context.style
        terms = calculus.factored_terms(self.node)
        if not terms:
            return "0"
        form = printing.factored_form(
            terms,
            lambda node: printing.to_text(node, cse=False, **style),
            printing.letters(self.axis_names(), self.context.index_names),
        )
        operator = self.operator()
        return form if operator is None else f"{form}\noperator: {operator}"

    def latex(
        self,
        notation: printing.Notation = "auto",
        cse: printing.Cse = "auto",
        *,
        simplify: bool = True,
    ) -> str:
        r"""The formula in LaTeX, for math mode with amsmath; the arguments are those of `text`.

        >>> import tcalc
        >>> print(tcalc.gradient(tcalc.parse("x'*A*x"), "x").latex())
        \left( A + A^\top \right) x
        """
        from tcalc import printing

        return printing.to_latex(
            self.node, notation=notation, cse=cse, simplify=simplify, **self.context.style
        )

    def mathml(
        self,
        notation: printing.Notation = "auto",
        cse: printing.Cse = "auto",
        *,
        simplify: bool = True,
    ) -> str:
        """The formula as a ``<math>`` element of MathML Core; the arguments are those of `text`."""
        from tcalc import printing

        return printing.to_mathml(
            self.node, notation=notation, cse=cse, simplify=simplify, **self.context.style
        )

    def with_node(
        self,
        node: Node,
        extra: Sequence[Var] = (),
        lead: int | None = None,
        ends: Var | None = None,
        index_names: IndexNames | None = None,
    ) -> Expression:
        """Another expression of the same program, with further inputs if any."""
        known = {**self.variables, **{variable.name: variable for variable in extra}}
        names = merged(self.context.index_names, index_names or {})
        context = replace(self.context, variables=known, index_names=names)
        return Expression(node, context, lead=lead, ends=ends)

    def __add__(self, other: Operand) -> Expression:
        return _operated("+", self, other)

    def __radd__(self, other: Operand) -> Expression:
        return _operated("+", other, self)

    def __sub__(self, other: Operand) -> Expression:
        return _operated("-", self, other)

    def __rsub__(self, other: Operand) -> Expression:
        return _operated("-", other, self)

    def __mul__(self, other: Operand) -> Expression:
        return _operated("*", self, other)

    def __rmul__(self, other: Operand) -> Expression:
        return _operated("*", other, self)

    __matmul__ = __mul__
    __rmatmul__ = __rmul__

    def __truediv__(self, other: Operand) -> Expression:
        return _operated("/", self, other)

    def __rtruediv__(self, other: Operand) -> Expression:
        return _operated("/", other, self)

    def __pow__(self, other: Operand) -> Expression:
        return _operated("^", self, other)

    def __rpow__(self, other: Operand) -> Expression:
        return _operated("^", other, self)

    def __neg__(self) -> Expression:
        return combine("-operand", operand=self)

    def __pos__(self) -> Expression:
        return self

    @property
    def T(self) -> Expression:  # noqa: N802 -- the name that NumPy made the standard one
        """The transpose; a vector becomes a row."""
        return combine("operand'", operand=self)

    def __getitem__(self, positions: Position | tuple[Position, ...]) -> Expression:
        several = positions if isinstance(positions, tuple) else (positions,)
        return combine(f"operand[{', '.join(map(position_text, several))}]", operand=self)

    def __reduce__(self) -> tuple[Any, ...]:
        context = self.context
        named = [*context.variables.values(), *context.definitions.values(), *context.index_names]
        state = (
            pack([self.node, *named]),
            list(context.variables),
            list(context.definitions),
            dict(context.guesses),
            self.row,
            self.lead,
            None if self.ends is None else self.ends.name,
            list(context.index_names.values()),
            context.reading,
        )
        return _unpickled, state

    def __copy__(self) -> Expression:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Expression:
        return self

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Never:
            """Say what to write for a method of other packages; type checkers know of none."""
            message = f"an Expression has no attribute {name!r}{attribute_hint(name)}"
            raise AttributeError(message, name=name, obj=self)

    def _repr_latex_(self) -> str:
        """LaTeX for notebooks: in display style."""
        return rf"$\displaystyle {self.latex()}$"

    def _repr_html_(self) -> str:
        """MathML for notebooks, which browsers set themselves, with the formula as text in it."""
        return self.mathml()

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, str]:
        """The formula in every form that a notebook may show, each made only where asked for."""
        forms: dict[str, Callable[[], str]] = {
            "text/plain": self.text,
            "text/latex": self._repr_latex_,
            "text/html": self._repr_html_,
        }
        wanted = set(forms) if include is None else set(include)
        return {kind: make() for kind, make in forms.items() if kind in wanted - set(exclude or ())}

    # With indices from 1, Python would begin at one that is not there.
    __iter__ = None

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Expression:
        """Functions of NumPy are refused, but operators between a number and an expression."""
        operator = OPERATORS.get(ufunc.__name__)
        others = [each for each in inputs if not isinstance(each, Expression)]
        if operator is None or not others or method != "__call__":
            raise no_number(ufunc.__name__)
        if not isinstance(others[0], Real):
            raise _no_operand(others[0])
        return _operated(operator, inputs[0], inputs[1])

    def __array_function__(self, function: Any, *rest: Any) -> Expression:
        """The other functions of NumPy, of which an expression is an argument."""
        raise no_number(function.__name__)

    def __float__(self) -> float:
        raise ArgumentError(
            "a formula is no number",
            hint="functions are combined, tcalc.combine('exp(x)', x=x), and numbers computed by "
            "tcalc.evaluate or tcalc.compile",
        )

    def _compared(self, other: object) -> bool:
        """Refuse a comparison: a formula has no size."""
        raise ArgumentError(
            "formulas are not compared in Python",
            hint="a choice is tcalc.combine('where(a < b, x, y)', ...), a maximum "
            "tcalc.combine('max(x, y)', ...)",
        )

    __lt__ = __le__ = __gt__ = __ge__ = _compared

    def __abs__(self) -> Expression:
        return combine("abs(operand)", operand=self)

    def __str__(self) -> str:
        return self.text()

    def __format__(self, specification: str) -> str:
        return format(self.text(), specification)

    def __repr__(self) -> str:
        return f"Expression[{', '.join(self.shape)}]({self.text()})"


def _unpickled(
    packed: Packed,
    variables: list[str],
    definitions: list[str],
    guesses: dict[str, str],
    row: bool,
    lead: int | None,
    ends: str | None,
    axis_names: Sequence[AxisNames],
    reading: Reading,
) -> Expression:
    node, *named = unpack(packed)
    inputs = {name: x for name, x in zip(variables, named, strict=False) if isinstance(x, Var)}
    rest = named[len(variables) :]
    known = dict(zip(definitions, rest, strict=False))
    names = dict(zip(rest[len(definitions) :], axis_names, strict=True))
    end = None if ends is None else inputs[ends]
    context = Context(inputs, guesses, known, index_names=names, reading=reading)
    return Expression(node, context, row, lead, end)


def combine(formula: str, functions: Iterable[Brought] = (), /, **operands: Operand) -> Expression:
    """Combine expressions by a formula of the language, which refers to them by keyword.

    `functions` are further functions that the formula may call, as for `tcalc.parse`.  Raises
    `TcalcError`, pointing into the formula, if it is wrong, and `ArgumentError` for operands that
    are neither expressions nor numbers.

    >>> from tcalc import symbols
    >>> X, w, y = symbols("X[m,n], w[n], y[m]")
    >>> print(combine("norm2(r)^2 + c*sum(exp(w))", r=X @ w - y, w=w, c=0.5))
    norm2(X*w - y)^2 + sum(exp(w))/2
    """
    if isinstance(functions, Expression):
        raise ArgumentError("operands are given by name", hint="combine('exp(x)', x=x)")
    context = Context()
    given: dict[str, language.Given] = {}
    for name, operand in operands.items():
        if isinstance(operand, Expression):
            known = operand.context
            context = context.merged(replace(known, variables=operand.variables, definitions={}))
            given[name] = language.Given(operand.node, operand.row)
        elif isinstance(operand, Real):
            given[name] = language.Given(build.const(exact(operand)))
        else:
            raise _no_operand(operand)
    program = language.parse(formula, functions=entries(functions), given=given)
    new = Context(
        program.variables,
        program.guesses,
        index_names=program.index_names,
        reading=program.reading,
    )
    return Expression(program.value, context.merged(new), program.orientation == "row")


def _operated(operator: str, left: Operand, right: Operand) -> Expression:
    """An operator of Python, whose mistakes are told in Python: there is no text to point into."""
    try:
        return combine(f"left {operator} right", left=left, right=right)
    except (DimensionError, OrientationError) as error:
        sides = " and ".join(
            f"[{', '.join(each.shape)}]" if isinstance(each, Expression) else str(each)
            for each in (left, right)
        )
        hint = error.hint if isinstance(error, DimensionError) else OPERATED[operator]
        raise type(error)(f"{error.message}, of {sides}", hint=hint) from None


def _no_operand(operand: object) -> ArgumentError:
    return ArgumentError(
        f"an expression and an object of type {type(operand).__name__} do not combine",
        hint="make an input of it with tcalc.symbols, and give its value to the function",
    )


def name_of(variable: Variable) -> str:
    """The name of a variable; raises `ArgumentError` for what is none."""
    match variable:
        case str(name) | Var(name=name) | Expression(node=Var(name=name)):
            return name
    kind = f"an object of type {type(variable).__name__}"
    raise ArgumentError(
        "a variable is given by its name, or as tcalc.symbols makes it, not by "
        f"{variable if isinstance(variable, Expression) else kind}",
        hint="gradient(f, 'x'), derivative(f, 'x', 'y')",
    )
