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

- formulas: `parse`, `symbols`, `combine`; `inputs` lists the variables of a program;
- programs with loops of any length, as functions with gradients: `recurrence`;
- derivatives: `gradient`, `jacobian`, `hessian`, `derivative`; products `jvp`, `vjp`, `hvp`;
- numbers: `compile`, `evaluate`, `check`;
- insight: `explain`, `cost`, `linearize`, `draw`;
- problems for optimisers and estimators: `problem`, `hessian_operator`, `laplace`;
- the language: `functions` and `properties` list what it has; `function` and `elementwise` add
  functions of your own; `from_sympy` and `to_sympy` convert.

Most of them work on an `Expression`, and each has a docstring with an example.  Errors are
instances of `TcalcError`; `tcalc.errors` has its subclasses.

For developers, these are the packages and modules of tcalc.  Each imports only those before it
(see "Architecture" in CONTRIBUTING.md):

- `tcalc.errors`: the exceptions, with a place in the user's text;
- `tcalc.records`: data classes that are quick to create;
- `tcalc.expr`: the expression DAG, six kinds of interned nodes;
- `tcalc.primitives`: element-wise functions, reductions, linear algebra; one file per family;
- `tcalc.planning`: contraction orders and their cost;
- `tcalc.simplify`: rewriting, by named rules;
- `tcalc.calculus`: differentiation;
- `tcalc.language`, `tcalc.printing`, `tcalc.interpret`: parser, printers, reference interpreter;
- `tcalc.pictures`: expression graphs as SVG;
- `tcalc.codegen`, `tcalc.runtime`: code for NumPy, C and CuPy, and the functions that run it;
- `tcalc.checking`: numerical verification;
- `tcalc.context`, `tcalc.expression`: what users hold, with what its program says about it;
- `tcalc.derivation`: gradients step by step;
- `tcalc.backslash`: the linearised graph as a block-triangular system;
- `tcalc.reference`: the table of all functions; `tcalc.custom`: user-defined functions;
- `tcalc.requirements`: checks of the arguments of public functions;
- `tcalc.recurrences`: programs whose loop is kept, run step by step;
- `tcalc.compilation`: from expressions to functions of arrays;
- `tcalc.products`: products with derivatives, as formulas;
- `tcalc.costing`: what derivatives cost in each mode;
- `tcalc.conversion`: from and to SymPy;
- `tcalc.optimisation`, `tcalc.estimation`: problems and Hessians for SciPy's solvers;
- `tcalc.gallery`: model programs with data, for tests, benchmarks and `tcalc examples`;
- `tcalc.linearization`, `tcalc.drawing`: public functions for `tcalc.backslash`, `tcalc.pictures`;
- `tcalc.api`, `tcalc.problems`: the remaining functions of `tcalc.public`, which lists all public
  names; `tcalc.typing`: the types of their arguments and results;
- `tcalc.examples`: worked examples of optimisation;
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
