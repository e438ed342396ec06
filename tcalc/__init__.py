"""tcalc: a symbolic tensor-calculus compiler in Einstein notation.

    >>> import tcalc
    >>> f = tcalc.parse("sum(log(1 + exp(-y .* (X*w))))", "X[m,n], y[m], w[n]")
    >>> g = tcalc.gradient(f, "w")
    >>> g.shape
    ('n',)
    >>> print(g)
    -X'*(y.*sigmoid(-y.*(X*w)))
    >>> fun = tcalc.compile([f, g])
    >>> value, gradient = fun(X=[[1.0, 2.0]], y=[1.0], w=[0.0, 0.0])

- formulas: `parse`, `symbols`, `combine`; `inputs` tells what names are taken for;
- loops of any length, as functions with gradients: `recurrence`;
- derivatives: `gradient`, `jacobian`, `hessian`, `derivative`; products `jvp`, `vjp`, `hvp`;
- numbers: `compile`, `evaluate`, `check`;
- insight: `explain`, `cost`, `linearize`, `draw`;
- problems: `problem`, `hessian_operator`, `laplace`;
- the language: `functions`, `properties`; more of it by `function`, `elementwise`; `from_sympy`,
  `to_sympy`.

They work on an `Expression`, and each has a docstring with an example.  Whatever is wrong raises a
`TcalcError`, of which `tcalc.errors` has the kinds.

For those who change tcalc: its rooms, each of which imports only those before it
(see CONTRIBUTING.md, Architecture):

- `tcalc.errors`: what can go wrong, with a place in the user's text;
- `tcalc.records`: data classes that are quickly made;
- `tcalc.expr`: the expression DAG, six interned node kinds;
- `tcalc.primitives`: element-wise functions, reductions, linear algebra; one file a family;
- `tcalc.planning`: orders of contraction and their cost;
- `tcalc.simplify`: rewrites, as named rules;
- `tcalc.calculus`: differentiation;
- `tcalc.language`, `tcalc.printing`, `tcalc.interpret`: text in, text out, reference values;
- `tcalc.pictures`: expression graphs as SVG;
- `tcalc.codegen`, `tcalc.runtime`: NumPy modules, and the functions that run them;
- `tcalc.checking`: numerical verification;
- `tcalc.context`, `tcalc.expression`: what users hold, with what its program says beside it;
- `tcalc.derivation`: gradients step by step;
- `tcalc.backslash`: the linearised graph as a block-triangular system;
- `tcalc.reference`: what there is to know of functions; `tcalc.custom`: those of the user's;
- `tcalc.requirements`: what public functions take, and how they refuse all else;
- `tcalc.recurrences`: programs with a loop that is kept, step by step;
- `tcalc.compilation`: from expressions to functions of arrays;
- `tcalc.products`: products with derivatives, as formulas;
- `tcalc.costing`: what derivatives cost, mode by mode;
- `tcalc.conversion`: from and to SymPy;
- `tcalc.optimisation`, `tcalc.estimation`: problems and Hessians for SciPy's solvers;
- `tcalc.gallery`: model programs with data, for tests, benchmarks and `tcalc examples`;
- `tcalc.linearization`, `tcalc.drawing`: the functions for `tcalc.backslash` and `tcalc.pictures`;
- `tcalc.api`, `tcalc.problems`: the other functions of `tcalc.public`, which lists all names
  that are offered here; `tcalc.typing`: types of their arguments and results;
- `tcalc.examples`: problems solved, start to end;
- `tcalc.cli`: the command line.
"""

TYPE_CHECKING = False
"""As in `typing`, whose import takes longer than all that is done here."""

if TYPE_CHECKING:
    from tcalc import errors as errors
    from tcalc.public import *  # noqa: F403 (the list stands there)
    from tcalc.public import __all__ as __all__

    __version__: str
else:

    def __getattr__(name: str) -> object:
        """A public name, or a room, imported when it is first asked for (PEP 562)."""
        from importlib import import_module
        from importlib.util import find_spec
        from sys import modules

        if name == "__version__":
            from importlib.metadata import version

            value = version("tcalc")
        elif not name.startswith("_") and find_spec(f"tcalc.{name}"):
            # Before the public names, which import all rooms: a room may be asked for by another.
            value = import_module(f"tcalc.{name}")
        else:
            public = import_module("tcalc.public")
            if name != "__all__" and name not in public.__all__:
                message = f"module 'tcalc' has no attribute {name!r}"
                message += import_module("tcalc.language.habits").attribute_hint(name)
                raise AttributeError(message, name=name, obj=modules[__name__])
            value = getattr(public, name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        from tcalc.public import __all__ as names

        # The rooms are no part of what is offered, but for the two with names for annotations.
        special = (name for name in globals() if name.startswith("__"))
        return sorted({*special, *names, "errors", "typing", "__all__", "__version__"})
