"""Programs and random tensors that the tests of simplification and printing share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tcalc.calculus.derivative import derivative
from tcalc.expr import build, shape
from tcalc.expr.nodes import Node, Var
from tcalc.expr.traverse import postorder
from tcalc.interpret import evaluate
from tcalc.language import parse
from tcalc.primitives.exponential import exp, sigmoid
from tcalc.primitives.power import power, square
from tcalc.primitives.trigonometric import sin


@dataclass(frozen=True)
class Example:
    """A program, its declarations, the variable to differentiate by, and how often."""

    text: str
    declarations: str = ""
    variable: str = "x"
    orders: int = 1

    def derivatives(self) -> list[Node]:
        """The value and its derivatives."""
        program = parse(self.text, self.declarations)
        variable = program.variables[self.variable]
        return [derivative(program.value, [variable] * k) for k in range(self.orders + 1)]

    @property
    def variables(self) -> list[Var]:
        return list(parse(self.text, self.declarations).variables.values())

    @property
    def order(self) -> list[str]:
        """The variables in the order of the text."""
        known = {variable.name for variable in self.variables}
        return [w for w in dict.fromkeys(re.findall(r"[^\W\d]\w*", self.text)) if w in known]


EXAMPLES = (
    Example("tr(A*X'*B*X*C)", "", "X"),
    Example("sum(log(1 + exp(-y.*(X*w)))) + c*norm2(w)^2/2", "X[m,n], y[m], c", "w", 2),
    Example("norm2(X*w - y)^2/2", "X[m,n]", "w", 2),
    Example("norm2(X*w - y)^2/(2*m)", "X[m,n]", "w", 2),
    Example("log(det(X))", "X[n,n]", "X"),
    Example("log(det(inv(X)))", "X[n,n]", "X"),
    Example("logdet(K)", "K[n,n] spd", "K", 2),
    Example("x'*A*x", "", "x", 2),
    Example("x'*A*x", "A[n,n] symmetric", "x", 2),
    Example("0.5*x'*A*x", "", "x", 2),
    Example("(w'*r - a)/sqrt(w'*S*w)", "S[n,n] spd, r[n], w[n], a", "w", 2),
    Example("tr(A'*inv(X))", "A[n,n] symmetric, X[n,n] symmetric", "X"),
    Example("tr(A*inv(X))", "", "X"),
    Example("norm2(y - X*inv(X'*X)*X'*y)^2", "X[m,n]", "X"),
    Example("A*exp(x)"),
    Example("(y.*v)'*x", "", "y"),
    Example("a^b", "", "a", 2),
    Example("a^b", "", "b", 2),
    Example("norm1(A*x - y)"),
    Example("norm2(A*x - y)"),
    Example("norm2(A*x - y)^2", orders=2),
    Example("sum(log(exp(-y.*(X*w)) + vector(1)))", "", "w", 2),
    Example("sin(x)'*y", orders=2),
    Example("norm2(U*V' - X)^2", "U[m,k], V[n,k], X[m,n]", "U", 2),
    Example("norm2(W.*(U*V' - X))^2", "U[m,k], V[n,k], X[m,n], W[m,n]", "U", 2),
    Example("logsumexp(A*x)", orders=2),
    Example("softmax(x)", "x[n]"),
    Example("sum(softplus(A*x))", orders=2),
    Example("sum(sigmoid(A*x))"),
    Example("y'*inv(K)*y/2 + logdet(K)/2", "K[n,n] spd", "K"),
    Example("exp(x'*y)", orders=2),
    Example("sum(x.^3)", "x[n]", orders=2),
    Example("det(X)", "X[n,n]", "X"),
    Example("x'*y/norm2(x)"),
    Example("sum(relu(W*x))", "", "W"),
    Example("sum(max(x, 0))", "x[n]"),
    Example("sum(where(x > 0, sqrt(x), 0))", "x[n]"),
    Example("sum(tanh(W*x + b))", "b[m]", "W"),
    Example("log(sum(exp(x)))", "x[n]", orders=2),
    Example("x/norm2(x)", "x[n]"),
    Example("mean(x)", "x[n]"),
    Example("sum((x - mean(x)).^2)/n", "x[n]", orders=2),
    Example("sum(g.*(x - mean(x)))/sqrt(mean((x - mean(x)).^2) + c)", "g[n], x[n]"),
    Example("(x - mean(x))'*(y - mean(y))/norm2(x - mean(x))", "x[n], y[n]"),
    Example("norm2(stack(x, y)*z)^2", "x[n], y[n], z[n]", orders=2),
    Example("sum(concat(x, y).^2)", "x[m], y[n]", orders=2),
    Example("sum(u.*(exp(C)*(b./(exp(C)'*u))))", "C[m,n], b[n], u[m]", "u"),
    Example("sum(X.*log(X/sum(X)))", "X[m,n] positive", "X"),
    Example("tr(kron(X, X))", "X[n,n]", "X", 2),
    Example("norm2(kron(A, B)*x - y)^2", "A[m,n], B[p,q], x[n*q], y[m*p]", "A"),
    Example("sum(abs(x).^p)", "x[n], p", orders=2),
    Example("sum(abs(x).^3)", "x[n]", orders=2),
    Example("norm2(max(0, 1 - y.*(X*w)))^2", "X[m,n], w[n], y[m]", "w", 2),
    Example("1/(1 + exp(-a))^3", "", "a", 2),
    Example("log(prod(x))", "x[n]"),
    Example("log(prod(x))", "x[n] positive", orders=2),
    Example("det(X'*X)", "X[m,n]", "X"),
    Example("sum((x + y).^(a + 1))", "x[n], y[n], a", orders=2),
    Example("a*x/(b + x)", "a, b, x[]", orders=2),
    Example("sum(log(1 + (A*x - y).^2/c^2))", "A[m,n], x[n], y[m], c", orders=2),
    Example("sum(c^2*(sqrt(1 + (x/c).^2) - 1))", "x[n], c", orders=2),
    Example("sum((x - y).^2./(x + y))", "x[n], y[n]", orders=2),
    Example("norm2(x)^p", "x[n], p", orders=2),
    Example("atan(y/x)", "x[], y[]", orders=2),
    Example("log(exp(-(x - m)^2/(2*s^2))/sqrt(2*pi*s^2))", "x[], m[], s", "s", 2),
    Example("w, V = eigh(S)\nsum(w.^3)", "S[n,n] symmetric", "S"),
    Example("A*x"),
    Example("X*X'", "X[m,n]", "X"),
    Example("inv(A)*b", "b[n], A[n,n]", "A"),
    Example("tr(X'*X)", "", "X", 2),
    Example("norm2(X)", "X[m,n]", "X"),
    Example("A \\ b", "b[n], A[n,n]", "b"),
    Example("sum(X.*log(X))", "X[m,n]", "X"),
    Example("x[1]*x[3]", "x[n]"),
    Example("A[2,3]", "A[m,n]", "A"),
    Example("prod(x)", "x[n]", "x", 2),
    Example("tr(chol(K))", "K[n,n] spd", "K"),
    Example("pi*x'*x", "x[n]"),
    Example("1/(1 + exp(-a))", "", "a", 2),
    Example("a*exp(-b^2/2)", "", "b", 2),
    Example("tr(X'*A*X)", "A[m,m], X[m,n]", "X"),
    Example("s = X[i,j]*X[i,j]*w[j]", "X[m,n], w[n]", "X"),
    Example("r[i] = T[i,j,k]*x[j]*x[k]", "T[l,n,n], x[n]"),
    Example("sum(exp(A*x)./(1 + exp(A*x)))", orders=2),
    Example("K[i,j] = exp(-(X[i,k] - X[j,k])^2/2)", "X[m,n]", "X"),
    Example("x[2:4]'*A[2:4,1]", "A[m,n], x[n]"),
    Example("(V'*A' - B')[2:3,2:4]", "A[p,n], B[p,n], V[n,n]", "A", 0),
    Example("(V'*A' - B')[:,2:4]*Q[2:4,:]", "A[p,n], B[p,n], V[n,n], Q[p,p]", "A", 0),
)

SIZES = {"m": 5, "n": 4, "k": 3, "l": 6}


def data(variables: Iterable[Var], seed: int = 0) -> dict[str, Any]:
    """Values in the domain of everything: positive, and square matrices well conditioned."""
    rng = np.random.default_rng(seed)
    values: dict[str, Any] = {}
    for variable in variables:
        sizes = tuple(dim.evaluate(dict.fromkeys(dim.names(), 4) | SIZES) for dim in variable.dims)
        array = rng.uniform(0.3, 1.5, size=sizes)
        if len(sizes) == 2 and sizes[0] == sizes[1]:
            array = array + 2 * np.eye(sizes[0])
            if {"spd", "symmetric"} & set(variable.properties):
                array = array @ array.T
        values[variable.name] = array
    return values


def same_value(left: Node, right: Node, variables: Sequence[Var], seed: int = 0) -> bool:
    """Whether two tensors have equal shapes, and equal values on data."""
    sizes = {
        name: SIZES.get(name, 4)
        for node in postorder([left, right])
        for dim in node.dims
        for name in dim.names()
    }
    with np.errstate(all="ignore"):
        a, b = evaluate([left, right], data(variables, seed), sizes)
    if not (np.isfinite(a).all() and np.abs(a).max(initial=0) < 1e100):
        return left.dims == right.dims
    return left.dims == right.dims and bool(np.allclose(a, b, rtol=1e-8, atol=1e-10))


def declarations(variables: Iterable[Var]) -> str:
    """The declarations of some variables."""
    return ", ".join(
        f"{v.name}[{','.join(map(str, v.dims))}] {' '.join(v.properties)}" for v in variables
    )


# Random tensors.

N, M = shape("n", "m")
VARIABLES = (
    build.var("x", (N,)),
    build.var("y", (N,)),
    build.var("v", (M,)),
    build.var("A", (M, N)),
    build.var("B", (N, N)),
    build.var("S", (N, N), ["symmetric"]),
    build.var("a", ()),
)
_FUNCTIONS: tuple[Callable[[Node], Node], ...] = (
    exp,
    sin,
    sigmoid,
    square,
    lambda x: power(exp(x), -1),
)


@st.composite
def tensors(draw: st.DrawFn, dims: tuple[Any, ...] = (), depth: int = 3) -> Node:
    """A random tensor of a shape."""
    leaves = [v for v in VARIABLES if v.dims == dims]
    leaves += [build.transpose(v) for v in VARIABLES if v.order == 2 and v.dims[::-1] == dims]
    constants: list[Node] = [build.ones(dims)]
    if depth == 0:
        return draw(st.sampled_from(leaves or constants))

    def part(*axes: Any) -> Node:
        return draw(tensors(axes, depth - 1))

    kind = draw(st.sampled_from(["leaf", "sum", "product", "function", "contract", "scale"]))
    match kind, len(dims):
        case "leaf", _:
            return draw(st.sampled_from(leaves or constants))
        case "sum", _:
            c = draw(st.integers(-2, 2))
            return build.add([(1, part(*dims)), (c, part(*dims))])
        case "product", _:
            return build.hadamard(part(*dims), part(*dims))
        case "function", _:
            small = build.scale(Fraction(1, 4), part(*dims))
            return draw(st.sampled_from(_FUNCTIONS))(small)
        case "scale", _:
            return build.einsum([part(), part(*dims)], [(), range(len(dims))], range(len(dims)))
        case "contract", 0:
            k = draw(st.sampled_from([N, M]))
            return draw(
                st.sampled_from(
                    [
                        build.einsum([part(k), part(k)], "i,i->"),
                        build.einsum([part(k, k)], "ii->"),
                        build.einsum([part(k, N)], "ij->"),
                    ]
                )
            )
        case "contract", 1:
            k = draw(st.sampled_from([N, M]))
            return draw(
                st.sampled_from(
                    [
                        build.einsum([part(dims[0], k), part(k)], "ij,j->i"),
                        build.einsum([part(dims[0], k)], "ij->i"),
                        build.einsum([part(dims[0], dims[0])], "ii->i"),
                    ]
                )
            )
    i, j = dims
    k = draw(st.sampled_from([N, M]))
    options = [
        build.einsum([part(i, k), part(k, j)], "ij,jk->ik"),
        build.einsum([part(i), part(j)], "i,j->ij"),
        build.einsum([part(i), part(i, j)], "i,ij->ij"),
        build.transpose(part(j, i)),
    ]
    if i == j:
        options.append(build.einsum([part(i)], "i->ii"))
    return draw(st.sampled_from(options))
