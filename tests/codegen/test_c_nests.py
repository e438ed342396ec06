"""Nests of loops in C that several statements share."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from compilers import needs_compiler
from guarded import guarded, native_of
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import INPUTS, data, graphs, law

import tcalc
from tcalc import gallery, runtime
from tcalc.codegen.options import Options
from tcalc.expr.nodes import Node

MASKED = "sum(Omega .* (T - U*V').^2)"
MATRICES = "X[n,n], Y[n,n], x[n], c"


def body(function: Any, **sizes: int) -> str:
    """The lines of `compute`."""
    source: str = function.source_for(**sizes)
    return source[source.index("int compute") :]


def written(text: str, *wrt: str, declared: str = MATRICES, **sizes: int) -> str:
    """The body for a program, with its gradients."""
    f = tcalc.parse(text, declared)
    roots = [f, *(tcalc.derivative(f, name) for name in wrt)]
    return body(tcalc.compile(roots, backend="c"), **sizes or {"n": 6})


def nests(text: str) -> int:
    """How many nests of loops there are."""
    return len(re.findall(r"^    for", text, re.M))


# what is merged


def test_steps_over_the_same_elements_share_a_nest_with_their_sum() -> None:
    text = written(MASKED, "U", "V", declared="U[m,k], V[n,k], T[m,n], Omega[m,n]", m=20, n=30, k=5)
    assert (
        """\
    for (int i = 0; i < m; i++) {
#pragma omp simd reduction(+:v4)
        for (int j = 0; j < n; j++) {
            const real v2 = T[n*i + j] - v1[n*i + j];
            const real t1 = v2 * Omega[n*i + j];
            v3[n*i + j] = t1;
            v4 += v2 * t1;
        }
    }
"""
        in text
    )
    assert "*const v2" not in text
    # The product is made as it is read: by columns, as it stands in the program.
    assert "multiply('N', 'T', m, n, k, U, k, V, k, v1, n);" in text


def test_several_sums_end_one_nest() -> None:
    text = written("B = exp(X); sum(B)*sum(B.*Y)*sum(B.^2)")
    assert nests(text) == 1
    assert "reduction(+:" in text
    (sums,) = re.findall(r"reduction\(\+:(.*)\)", text)
    assert len(sums.split(", ")) == 3


def test_sums_of_rows_end_a_nest() -> None:
    text = written("B = exp(X.*Y); (B*ones(n))'*x + sum(B)")
    assert nests(text) == 2
    assert "*const v1" not in text
    assert "real sum1 = 0;" in text
    assert "[i] = sum1;" in text


def test_numbers_that_a_nest_needs_come_before_it() -> None:
    model = gallery.load("gaussian_process")
    f = tcalc.parse(model.program)
    text = body(tcalc.compile([f, tcalc.gradient(f, model.wrt)], backend="c"), n=40, d=3)
    assert re.search(r"reduction\(\+:v\d+, v\d+, ", text)
    before = text[: text.index("exp(")]
    assert "const real v0 = *v;" in before


def test_a_diagonal_is_added_behind_the_nest() -> None:
    text = written("B = exp(X); C = B + c*eye(n); sum(B)*C")
    assert (
        """\
            const real v1 = exp(X[n*i + j]);
            v2[n*i + j] = v1;
            v3 += v1;
        }
    }
    for (int i = 0; i < n; i++)
        v2[(n + 1)*i] += c0;
"""
        in text
    )


def test_triangles_and_outer_products_join() -> None:
    text = written("B = x*x' - Y; C = tril(B); sum(C.*X)*C")
    assert "j <= i ?" in text
    assert nests(text) == 2


# what is not


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("B = exp(X); sum(B.*Y)", 1),
        ("B = exp(X); sum(B.*B')", 2),
        ("B = exp(X); sum(sin(B' + Y).*B)", 2),
        ("b = exp(x); b[1:end-1]'*b[2:end]", 2),
        ("B = exp(X); sum(B)*B", 2),
        ("B = sin(X); sum(exp(B*sum(B)))", 2),
        ("b = exp(x); sum(sin(x*b'))", 2),
    ],
)
def test_what_reads_other_elements_stays_apart(text: str, count: int) -> None:
    assert nests(written(text)) == count


def test_functions_do_not_wait_for_each_other_in_a_nest() -> None:
    assert nests(written("B = exp(X); C = sin(2*B); sum(B) + sum(C.*Y)")) == 2
    assert nests(written("B = exp(X); C = abs(2*B - 1); sum(B) + sum(C.*Y)")) == 1


def test_lengths_must_be_the_same() -> None:
    text = written("sum(exp(x)) + sum(exp(y))", declared="x[m], y[n]", m=8, n=8)
    assert nests(text) == 2


# values


def agree(found: list[Any] | None, due: Any) -> None:
    assert found is not None
    for mine, other in zip(found, due, strict=True):
        scale = max(1.0, float(np.max(np.abs(other))))
        np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-12 * scale)


@needs_compiler
def test_memory_is_not_taken_while_a_nest_reads_it() -> None:
    """Temporaries of many lives, some of which end within a nest."""
    f = tcalc.parse(
        "A = X*Y; B = Y*X; C = exp(-A.^2); D = C.*B; E = sin(D) + B'; sum(E.*C) + sum(D) + sum(E)",
        MATRICES,
    )
    roots = [f, tcalc.gradient(f, "X"), tcalc.gradient(f, "Y")]
    function = tcalc.compile(roots, backend="c")
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal((7, 7)) for name in "XY"}
    agree(guarded(function, **arrays), tcalc.compile(roots)(**arrays))


@needs_compiler
def test_what_is_prepared_is_kept_though_one_nest_reads_it() -> None:
    f = tcalc.parse("sum(exp(X).*Y) + sum(exp(X))", MATRICES)
    roots = [f, tcalc.gradient(f, "Y")]
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal((5, 5)) for name in "XY"}
    bound = tcalc.compile(roots, backend="c").bind(X=arrays["X"])
    agree(bound(Y=arrays["Y"]), tcalc.compile(roots)(**arrays))


@needs_compiler
def test_what_one_nest_reads_takes_no_memory() -> None:
    f = tcalc.parse("B = exp(X); C = B.*Y; sum(C.^2) + sum(B)", MATRICES)
    function = tcalc.compile(f, backend="c")
    arrays = {name: np.ones((50, 50)) for name in "XY"}
    assert native_of(function, arrays).module.work < 2500


STEPS = (
    "{0} + {1}", "{0}.*{1}", "{0} - {1}'", "{0}'.*{1}", "sin({0})", "exp(-{0}.^2)", "tril({0})",
    "sum({0})*{1}", "{0}*{1}", "{0} - ({1}*{0})'", "{0} + c*eye(n)", "abs({0}) - 2*{1}",
    "diag({0})*x'", "{0}*x*x'", "sum({0}.*{1})*{0}", "tanh({0}/n)", "sum({0}.*{1})*x*x'",
)  # fmt: skip


@st.composite
def programs(draw: st.DrawFn) -> list[str]:
    """Matrices made of others, mostly element by element."""
    pool, lines = ["X", "Y"], []
    for k in range(draw(st.integers(3, 9))):
        step = draw(st.sampled_from(STEPS))
        operands = (draw(st.sampled_from(pool)) for _ in range(2))
        lines.append(f"A{k} = {step.format(*operands)}")
        pool.append(f"A{k}")
    roots = draw(st.lists(st.sampled_from(pool[2:]), min_size=1, max_size=3, unique=True))
    return [*("; ".join([*lines, root]) for root in roots), "; ".join([*lines, f"sum({pool[-1]})"])]


@needs_compiler
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@law(40, derandomize=True)
@given(programs())
def test_programs_of_steps_by_elements(texts: list[str]) -> None:
    roots = [tcalc.parse(text, MATRICES) for text in texts]
    roots.append(tcalc.gradient(roots[-1], "X"))
    rng = np.random.default_rng(0)
    n = 5
    arrays = {"X": rng.uniform(-1, 1, (n, n)), "Y": rng.uniform(-1, 1, (n, n))}
    arrays |= {"x": rng.uniform(-1, 1, n), "c": np.array(0.5)}
    function = tcalc.compile(roots, backend="c")
    given = {name: arrays[name] for name in function.signature.names}
    if not given:
        return
    agree(guarded(function, **given), tcalc.compile(roots)(**given))


@needs_compiler
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@law(40, derandomize=True)
@given(graphs())
def test_any_graph(roots: list[Node]) -> None:
    sizes = {"m": 5, "n": 6, "k": 2}
    arrays = data(sizes)
    function = runtime.compile(roots, Options(backend="c"), variables=INPUTS)
    given = {name: arrays[name] for name in function.signature.names}
    if not given:
        return
    found = guarded(function, **given)
    if found is not None:  # where it is None, NumPy's code is what runs
        agree(found, runtime.compile(roots, variables=INPUTS)(**arrays))
