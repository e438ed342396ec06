"""Indices are written with the names that the program has for them."""

from __future__ import annotations

import json
import pickle
import re

import numpy as np
import pytest

import tcalc
from tcalc import gallery
from tcalc.expr import Var
from tcalc.language import parse
from tcalc.printing.formula import Formula, Indexed, Sum, Symbol, indices, is_index, parts
from tcalc.printing.indices import following
from tcalc.printing.program import Wishes, statements

REGRESSION = "s = (X[n,d]*w[d] - y[n])^2"
CLASSES = (
    "tensor X[m,n], W[k,n], Y[m,k]\n"
    "Z[b,c] = W[c,f]*X[b,f]; P[b,c] = softmax[c](Z[b,c])\n"
    "s = -Y[b,c]*log(P[b,c])"
)

# A program, the variables of a derivative, and its formula.
KEPT = [
    ("T[a,b,c]*x[a]*x[b]*x[c]", "", "T[a,b,c]*x[a]*x[b]*x[c]"),
    (
        "T[a,b,c]*x[a]*x[b]*x[c]",
        "x",
        "R[a] = (T[a,b,c] + T[b,a,c] + T[b,c,a])*x[b]*x[c]",
    ),
    (REGRESSION, "w", "2*X[n,d]*(X[n,e]*w[e] - y[n])"),
    (REGRESSION, "w w", "2*X[n,d]*X[n,e]"),
    (REGRESSION, "X", "T[n,d] = 2*(X[n,e]*w[e] - y[n])*w[d]"),
    (REGRESSION, "X w", "T[n,d,e] = 2*X[n,e]*w[d] + 2*(X[n,f]*w[f] - y[n])*delta[d,e]"),
    (
        CLASSES,
        "W",
        "T[c,f] = (softmax[c](W[c,g]*X[b,g])*sum[d](Y[b,d]) - Y[b,c])*X[b,f]",
    ),
    ("S[mu,nu]*p[mu]*p[nu]", "p", "T[mu] = (S[mu,nu] + S[nu,mu])*p[nu]"),
    ("s = A[α,β]*x[α]*x[β]", "x x", "T[α,β] = A[α,β] + A[β,α]"),
    (
        "z[batch] = X[batch,feature]*w[feature]; s = z[batch]^2",
        "w w",
        "2*X[batch,feature]*X[batch,feature2]",
    ),
    ("s = A[i1,i2]*x[i1]*x[i2]*x[i2]", "x", "T[i1] = A[i1,i2]*x[i2]^2 + 2*x[i1]*A[i2,i1]*x[i2]"),
    # The inverse maps back: its rows are the columns of the matrix.
    ("tensor W[n,n], b[n]\nB[row,col] = W[row,col]; inv(B)*b", "", "inv(W)[col,row]*b[row]"),
    # An axis that has had two names takes the one that is free.
    (
        "K[i,j] = exp(-(X[i,k] - X[j,k])^2)",
        "",
        "exp(-(X[i,k] - X[j,k])^2)",
    ),
    # Names of variables, of sizes and of functions are names of indices as well.
    ("s = x[x]*A[x,exp]*y[exp]", "x", "A[x,exp]*y[exp]"),
    ("s = T[T]*R[R]", "T", "sum[R](R[R])*ones(m)[T]"),
    ("tensor x[n]; x[n]*y[n]/n", "x", "y[n]/n"),
    # What is declared by matrices takes the names of what is made of them.
    ("z = X*w; q[s] = z[s]*y[s]; sum(exp(q))", "w", "X[s,i]*y[s]*exp(X[s,j]*w[j]*y[s])"),
    ("inv(K)[a,b]*y[a]*y[b]", "y", "T[a] = (inv(K)[a,b] + inv(K)[b,a])*y[b]"),
    ('einsum("pq,q->p", A, x)', "x", "A[p,q]"),
    ('einsum("日月,月->日", A, x)', "", "A[i,j]*x[j]"),
    ("gradient(A[u,v]*x[u]*y[v], x)", "", "A[u,v]*y[v]"),
    ("s = x[i]^2*y[j]^3/(1 + z[k]^2)", "x", "2*x[i]*sum[j,k](y[j]^3/(1 + z[k]^2))"),
    ("A[2,j]*x[j]", "x", "A[2,j]"),
    # Letters for indices without names are those that nothing near has.
    ("s[i]*s[i] + norm2(X*w - y)^2", "", "s[i]*s[i] + (X[j,k]*w[k] - y[j])^2"),
    ("s[i]*s[i] + norm2(X*w - y)^2", "w", "2*X[j,i]*(X[j,k]*w[k] - y[j])"),
]


def derived(text: str, by: str) -> tcalc.Expression:
    program = tcalc.parse(text)
    return tcalc.derivative(program, *by.split()) if by else program


@pytest.mark.parametrize(("text", "by", "formula"), KEPT)
def test_names_are_kept(text: str, by: str, formula: str) -> None:
    assert derived(text, by).einstein() == formula


def test_counters_of_loops_are_no_indices() -> None:
    steps = "h{0} = x\nfor t = 1:2\nh{t}[u] = tanh(W[t,u,v]*h{t-1}[v])\nend\nsum(h{2})"
    gradient = tcalc.gradient(tcalc.parse(steps, "W[2,n,n], x[n]"), "x")
    found = set(re.findall(r"(?<=[\[,])[^\W\d]\w*(?=[\],])", gradient.einstein()))
    assert {"u", "v"} <= found
    assert "t" not in found


def test_definitions_have_the_names_of_what_they_are_made_of() -> None:
    first, *_, last = derived(CLASSES, "W W").text("einstein", True).splitlines()
    assert first == "p[b,c] = softmax[c](X[b,f]*W[c,f])"
    assert last.startswith("T[c,f,d,g] = ")


def test_definitions_take_no_name_of_an_index() -> None:
    text = "z[p] = X[p,q]*w[q]; s = sigmoid(z[p])*sigmoid(z[p])*y[p]"
    named = derived(text, "w").text("einstein", cse=True)
    assert "p1[p] = sigmoid(X[p,q]*w[q])" in named


def test_names_are_in_every_format(run) -> None:
    derivative = derived(REGRESSION, "X w")
    assert "T_{n d e} = " in derivative.latex()
    assert "<mi>n</mi><mi>d</mi><mi>e</mi>" in derivative.mathml()
    assert "T[n,d,e] = " in str(derivative)
    program = "z[n] = exp(X[n,d]*w[d])"
    for name, left in (("einstein", "T[n,p,d] = "), ("latex", "T_{n p d} = ")):
        assert left in run("jacobian", program, "--wrt", "X", "--format", name).out
    out = run("jacobian", program, "--wrt", "X", "--format", "json").out
    assert "T[n,p,d] = " in json.dumps(json.loads(out))


def test_greek_names_are_letters() -> None:
    product = tcalc.parse("C[alpha,beta] = A[alpha,gamma]*B[gamma,beta]")
    assert product.latex("einstein") == r"A_{\alpha \gamma} B_{\gamma \beta}"
    words = tcalc.parse("s[batch] = A[batch,i1]*x[i1]")
    assert words.latex("einstein") == r"A_{\mathrm{batch}, i_1} x_{i_1}"


def test_derivations_have_them() -> None:
    text = "z[n] = X[n,d]*w[d]*y[n]; s = log(1 + exp(z[n]))"
    lines = tcalc.explain(tcalc.parse("z[n] = X[n,d]*w[d]*y[n]; s = sum(exp(z))"), "w")
    written = lines.text("einstein")
    assert "z[n] = X[n,d]*w[d]*y[n]" in written
    assert "w_bar[d] = X[n,d]*y[n]*z_bar[n]" in written
    assert "ds/dw[d] = " in written
    assert "z_bar[n] = sigmoid(" in tcalc.explain(tcalc.parse(text), "w").text("einstein")


def test_products_have_them() -> None:
    f = tcalc.parse("s = (X[n,d]*w[d] - y[n])^2")
    z = tcalc.parse("z[n] = exp(X[n,d]*w[d])")
    assert tcalc.hvp(f, "w").einstein() == "2*X[n,d]*X[n,e]*dw[e]"
    assert tcalc.hvp(f, "w", several="k").einstein() == "2*X[n,d]*X[n,e]*dw[e,i]"
    assert tcalc.jvp(z, "w", "v").einstein() == "T[n] = X[n,d]*v[d]*exp(X[n,e]*w[e])"
    assert tcalc.vjp(z, "w", "u").einstein() == "X[n,d]*u[n]*exp(X[n,e]*w[e])"
    assert tcalc.vjp(z, "w", "u", several="k").einstein() == "u[i,n]*X[n,d]*exp(X[n,e]*w[e])"
    forward = tcalc.linearize(z, "w").forward(w="v")
    assert forward["z"].einstein() == "T[n] = X[n,d]*v[d]*exp(X[n,e]*w[e])"


def test_systems_of_linear_maps_have_them() -> None:
    heads = tcalc.parse(
        "Z[b,h,c] = W[h,c,f]*X[b,f]; H[b,h,c] = tanh(Z[b,h,c]); s = H[b,h,c]*V[b,h]"
    )
    written = str(tcalc.linearize(heads, "W"))
    assert "Z[b,h,c] = X[b,f]*W[h,c,f]" in written
    assert "H[b,h,c] = tanh(Z[b,h,c])" in written


def test_factored_forms_have_them() -> None:
    f = tcalc.parse("s = (U[i,a]*V[j,a] - X[i,j])^2")
    assert tcalc.hessian(f, "U").factored().splitlines()[0] == "2 δ[i,k] (V'*V)[a,b]"


def test_expressions_of_python_keep_and_give_names() -> None:
    X, w = tcalc.symbols("X[n,d], w[d]")
    assert (X["row", "column"] @ w).einstein() == "X[row,column]*w[column]"
    f, g = tcalc.parse("s = A[u,v]*x[u]*x[v]"), tcalc.parse("x'*x")
    assert tcalc.gradient(f + g, "x").einstein() == "T[u] = (A[u,v] + A[v,u])*x[v] + 2*x[u]"
    again = pickle.loads(pickle.dumps(tcalc.gradient(f, "x")))
    assert again.einstein() == "T[u] = (A[u,v] + A[v,u])*x[v]"


def test_matrix_notation_has_nothing_of_them() -> None:
    plain = tcalc.gradient(tcalc.parse("norm2(X*w - y)^2"), "w")
    named = derived(REGRESSION, "w")
    assert plain.node is named.node
    assert plain.matrix() == named.matrix() == "2*X'*(X*w - y)"
    assert plain.einstein() == "2*X[j,i]*(X[j,k]*w[k] - y[j])"


@pytest.mark.parametrize("name", ["a" * 200, "b" + "9" * 150])
def test_the_longest_names_go_on(name: str) -> None:
    jacobian = tcalc.jacobian(tcalc.parse(f"r[{name}] = A[{name},j]*x[j]"), "A")
    again = tcalc.parse(jacobian.einstein(), "x[n], z[m]")
    assert again.node is jacobian.node


def test_names_go_on() -> None:
    for name in ("z", "o", "Z", "omega", "ω", "i9", "x_1", "é"):
        supply = following(name)
        found = [next(supply) for _ in range(40)]
        assert name not in found
        assert len(set(found)) == 40


# The law.

PLAIN = set("ijkl")


def places(term: Formula) -> list[tuple[str, str, int]]:
    """The indices of a term with the variables and axes where they stand."""
    found: list[tuple[str, str, int]] = []
    pending = [term]
    while pending:
        formula = pending.pop()
        pending.extend(parts(formula))
        if isinstance(formula, Indexed):
            base = formula.base.base if isinstance(formula.base, Indexed) else formula.base
            if isinstance(base, Symbol):
                found += [
                    (at, base.name, k) for k, at in enumerate(formula.positions) if is_index(at)
                ]
    return found


MODELS = [model for model in gallery.models() if parse(model.text).index_names]


def test_models_have_indices() -> None:
    assert len(MODELS) > 5


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_an_axis_has_a_name_of_its_own_or_that_is_taken(model: gallery.Model) -> None:
    """An index on axes with names has one of these, unless others in its term have them all.

    Letters that stand for any index may have changed places.
    """
    program = tcalc.parse(model.text)
    known = {
        x.name: names for x, names in program.context.index_names.items() if isinstance(x, Var)
    }
    for name in model.wrt:
        derivative = tcalc.jacobian(program, name)
        wishes = Wishes("einstein", index_names=derivative.context.index_names)
        for statement in statements([derivative.node], wishes):
            value = statement.value
            for term in [x for _, x in value.terms] if isinstance(value, Sum) else [value]:
                taken = {*indices(term), *statement.positions}
                wanted: dict[str, set[str]] = {}
                for at, variable, axis in places(term):
                    names = known.get(variable, ())
                    wanted.setdefault(at, set()).update(names[axis] if names else ())
                for at, due in wanted.items():
                    assert at in due or due <= taken or (at in PLAIN and due & PLAIN), at


def test_no_index_has_the_name_of_a_variable_that_is_not_in_the_formula() -> None:
    """Positions that are data, ``g`` and ``h``, would be refused as indices."""
    declared = "X[n,m], w[m], h[m] integer"
    declared += "".join(f", {name}[n] integer" for name in "gpqrst")
    norm = tcalc.parse("norm2(triu(ones(n,n))*X*abs(w))", declared)
    text = tcalc.hessian(norm, "w").einstein()
    assert "i1" in text  # there are no letters left
    assert tcalc.parse(text, declared).shape == ("m", "m")


# Programs with windows of x and w, without names of indices that are those of sizes below.
WINDOWS = [
    "y[a] = x[a+b-1]*w[b]; sum(y.^2)",
    "sum(exp(x[a-b+m]*w[b]))",
    "max[a,b](x[a+b-1]*w[b])",
    "z[a] = exp(x[end+1-a]); y[a] = z[a+b-1]*w[b]; sum(y.^2)",
    "norm2(x[2:end] - x[1:end-1]) + x[a+1]*x[1:end-1][a]*w[1]",
    # Words and capitals are no indices in sums.
    "y[batch] = x[batch]; z[a] = y[a+b-1]*w[b]; z[batch]*z[batch]",
    "z[a] = x[a+b-1]*w[b]; exp(z[A])*sin(z[A])",
]


@pytest.mark.parametrize("text", WINDOWS)
@pytest.mark.parametrize("sizes", ["ijklqrst", "ijl", "kq"])
def test_sums_of_indices_are_read_as_such_whatever_sizes_there_are(text: str, sizes: str) -> None:
    declared = "x[n], w[m]" + "".join(f", u_{size}[{size}]" for size in sizes)
    f = tcalc.parse(text, declared)
    arrays = {
        "x": np.linspace(-1, 2, 7) ** 2,
        "w": np.array([1.0, 0.5, -2.0]),
        **{f"u_{size}": np.ones(2) for size in sizes},
    }
    for by in ("x", "w"):
        for due in (f, tcalc.gradient(f, by), tcalc.hessian(f, by)):
            for printed in (due.text(), due.einstein(), due.text("einstein", cse=True)):
                again = tcalc.parse(printed, declared)
                values = tcalc.evaluate([again, due], **arrays)
                assert np.allclose(*values, rtol=1e-12, atol=1e-12), printed


def test_indices_have_names_of_sizes_where_these_are_not_in_sums() -> None:
    declared = "X[s,c,h,w], W[o,c,p,q]"
    layer = tcalc.parse("Y[s,o,i,j] = X[s,c,i+k-1,j+l-1]*W[o,c,k,l]; sum(Y.^2)", declared)
    gradient = tcalc.gradient(layer, "W").einstein()
    assert gradient == "2*W[o,d,r,t]*X[s,d,i+r-1,j+t-1]*X[s,c,i+k-1,j+l-1]"
    f = tcalc.parse("y[i] = x[i+m-1]*w[m]; sum(y.^2)", "x[n], w[m]")
    assert f.einstein() == "x[i+j-1]*x[i+k-1]*w[k]*w[j]"


def test_definitions_have_no_names_of_sizes() -> None:
    declared = "X[m,n], w[n], u[p]"
    hessian = tcalc.hessian(tcalc.parse("sum(softplus(X*w))", declared), "w").text(cse=True)
    assert hessian.splitlines()[0] == "p1 = sigmoid(X*w)"
    assert tcalc.parse(hessian, declared).shape == ("n", "n")


def test_sums_of_indices_with_sizes_that_are_numbers_count_from_one() -> None:
    declared = "x[5], w[3], u[3]"
    f = tcalc.parse("y[i] = x[i-k+3]*w[k]; z[i] = tanh(y[i+q-1])*u[q]; sum(z.^2)", declared)
    assert tcalc.parse("y[i] = x[end+1-i]; x'*y", "x[5]").einstein() == "x[i]*x[end+1-i]"
    assert tcalc.parse("x[i-k+3]*w[k]*u[i]", declared).einstein() == "x[i-k+3]*w[k]*u[i]"
    for due in (f, tcalc.gradient(f, "w")):
        for printed in (due.text(), due.einstein(), due.text("einstein", cse=True)):
            assert "end" not in printed
            assert tcalc.parse(printed, declared).shape == due.shape
