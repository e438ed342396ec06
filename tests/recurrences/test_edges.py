"""Programs and arrays at the edges of what a loop that is kept can have."""

from __future__ import annotations

import copy
import inspect
import pickle
import tracemalloc
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import tcalc
from tcalc.errors import ArgumentError, DomainError, LimitError, UnknownNameError, UnsupportedError


def arrays_for(f: tcalc.Expression, T: int) -> dict[str, Any]:
    """Arrays for all inputs of a program, spd matrices among them."""
    random = np.random.default_rng(7)
    found: dict[str, Any] = {}
    for name, variable in f.variables.items():
        x = 0.5 * random.standard_normal([dim.value or 3 for dim in variable.dims])
        if "spd" in variable.properties:
            x = x @ x.swapaxes(-1, -2) + np.eye(x.shape[-1])
        found[name] = x
    return found


def require_like_unrolled(
    text: str, declarations: str, lengths: Sequence[int] = (1, 2, 5), wrt: Sequence[str] = ()
) -> None:
    """Value and gradient, by all that is declared or some of it, are those of the loop unrolled."""
    kept = tcalc.recurrence(text, declarations)
    names = [*(wrt or kept.variables)]
    run = kept.value_and_gradient(names)
    for T in lengths:
        f = tcalc.parse(text, declarations, T=T)
        arrays = arrays_for(f, T)
        due, slopes = tcalc.compile([f, tcalc.gradient(f, names)])(**arrays)
        np.testing.assert_allclose(kept(**arrays), due, rtol=1e-12)
        value, gradient = run(**arrays)
        np.testing.assert_allclose(value, due, rtol=1e-12)
        for name in names:
            np.testing.assert_allclose(
                gradient[name], slopes[name], rtol=1e-9, atol=1e-12, err_msg=f"{name}, T = {T}"
            )


LIKE_UNROLLED: dict[str, tuple[str, str]] = {
    "one cotangent for a state and a constant": (
        """m{0} = p
        for t = 1:T
            m{t} = tanh(m{t-1} + c + d) + y[t]*b
        end
        norm2(m{T})^2 + (c'*b)^2 + d'*c""",
        "y[T], p[n], b[n], c[n], d[n]",
    ),
    "two steps back and not one": (
        """m{0} = p
        m{-1} = b
        for t = 1:T
            m{t} = tanh(m{t-2} + c)
        end
        norm2(m{T})^2""",
        "p[n], b[n], c[n], y[T]",
    ),
    "three steps back behind the loop": (
        """f{0} = 0.5
        f{-1} = a
        f{-2} = b
        for t = 1:T
            f{t} = f{t-1}
        end
        sin(f{T}) + sin(f{T-1}) + 2*sin(f{T-2})""",
        "a, b, y[T]",
    ),
    "what depends on an input in the first step only": (
        """m{0} = a
        f{0} = 0
        for t = 1:T
            f{t} = f{t-1} + m{t-1}^2
            m{t} = y[t]
        end
        f{T}""",
        "y[T], a",
    ),
    "inputs that nothing takes, and that alone have a size": (
        """s{0} = 0
        for t = 1:T
            s{t} = s{t-1} + y[t]*sum(ones(n))
        end
        s{T}""",
        "u[n], A[n,n], y[T]",
    ),
    "the name of the counter outside of the loop": (
        """q{0} = 2*sum(t)
        for t = 1:3
            q{t} = q{t-1}*t
        end
        s{0} = q{3}
        for t = 1:T
            s{t} = s{t-1} + y[t]*t
        end
        r{0} = s{T}
        for t = 1:2
            r{t} = r{t-1}*t + sum(t*t')
        end
        r{2}""",
        "y[T], a",
    ),
    "derivatives within a step": (
        """F = norm2(p)^2
        s{0} = 0
        for t = 1:T
            g{t} = norm2(p*y[t])^2
            s{t} = tanh(s{t-1} + sum(gradient(g{t}, p)) + sum(gradient(F, p)))
        end
        s{T}""",
        "y[T], p[n]",
    ),
    "what is made before the steps is as large as the states": (
        """P{-1} = A
        P{0} = eye(n)
        for t = 1:T
            P{t} = tanh(tanh(t)*eye(n))
        end
        tr(P{T}) + sum(P{T-2}) + y[1]""",
        "A[n,n], y[T]",
    ),
    "inputs with the names of what is made": (
        """m{0} = zeros(n)
        for t = 1:T
            m{t} = tanh(m{t-1} + y[t]*c)
        end
        norm2(m{T})^2""",
        "y[T], y_t, m_before, m_last, m_bar, c[n], c_bar, kept_1, constant_1",
    ),
}


@pytest.mark.parametrize("title", LIKE_UNROLLED)
def test_like_the_loop_unrolled_at_edges(title: str) -> None:
    require_like_unrolled(*LIKE_UNROLLED[title])


def test_an_input_that_is_not_used_may_be_left_out() -> None:
    text, _ = LIKE_UNROLLED["inputs with the names of what is made"]
    kept = tcalc.recurrence(text, "y[T], c[n], u[n], G[m,m]")
    arrays = {"y": [1.0, 2.0], "c": [0.1, 0.2]}
    assert kept(**arrays) == kept(**arrays, u=[1.0, 2.0], G=np.eye(4))
    _, gradient = kept.value_and_gradient(["u", "c"])(**arrays)
    assert gradient["u"].tolist() == [0, 0]
    with pytest.raises(ArgumentError, match="the argument G is missing"):
        kept.value_and_gradient("G")(**arrays)
    assert (
        kept.value_and_gradient("G")(**arrays, G=np.eye(4))[1].tolist() == np.zeros((4, 4)).tolist()
    )


def test_more_than_the_memory_limit_is_refused_after_a_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = tcalc.recurrence("s{0} = 0; for t = 1:T; s{t} = tanh(s{t-1} + x[t]); end; s{T}", "x[T]")
    run = kept.value_and_gradient("x")
    x = np.ones(100_000)
    assert run(x=x)[1].shape == x.shape
    monkeypatch.setattr("tcalc.recurrences.sweep.MEMORY_LIMIT", 1e5)
    with pytest.raises(LimitError, match=r"takes 0.0016 GB, above the limit of 0.0001"):
        run(x=x)


def test_what_the_value_does_not_need_is_not_computed() -> None:
    text = """L = chol(K)
    s{0} = 0
    for t = 1:T
        z{t} = norm2(L*x)^2 + log(w)
        s{t} = s{t-1} + y[t]
    end
    s{T}"""
    kept = tcalc.recurrence(text, "y[T], K[n,n], x[n], w")
    assert kept.signature.names == ("y",)
    assert kept(y=[1.0, 2.0]) == kept(y=[1.0, 2.0], K=-np.eye(2)) == 3
    assert kept.value_and_gradient("y")(y=[1.0, 2.0])[1].tolist() == [1, 1]
    rows = kept.steps("z")
    given = {"y": np.ones(2), "x": np.ones(2), "w": 1.0}
    assert rows(**given, K=np.eye(2)).tolist() == [2, 2]
    with pytest.raises(DomainError, match="chol"):
        rows(**given, K=-np.eye(2))


def test_numbers_alone_have_the_type_of_the_arguments() -> None:
    text = """s{0} = 0
    q{0} = 1
    for t = 1:T
        q{t} = 2
        s{t} = s{t-1} + q{t-1}*t
    end
    s{T}*q{T}"""
    kept = tcalc.recurrence(text, "y[T]")
    for dtype in (np.float32, np.complex128):
        y = np.ones(3, dtype)
        assert kept(y=y) == 22
        assert kept(y=y).dtype == dtype
        assert {x.dtype for x in kept.steps(["s", "q"])(y=y).values()} == {np.dtype(dtype)}
        value, slope = kept.value_and_gradient("y")(y=y)
        assert value.dtype == slope.dtype == dtype


@pytest.mark.parametrize(
    "text",
    [
        "s{0} = 0; for t = 1:T; s{t} = s{t-1} + y[t]*norm2(p)^2; end; sum(gradient(s{T}, p))",
        "s{0} = p; for t = 1:T; s{t} = s{t-1} - gradient(y[t]*norm2(s{t-1})^2, p); end; sum(s{T})",
        "s{0} = 0; for t = 1:T; s{t} = s{t-1} + sum(gradient(y[t]^2, y)); end; s{T}",
        "s{0} = 0; s{-1} = sum(p); for t = 1:T; s{t} = s{t-2}; end; norm2(jacobian(s{T}*p, p))",
    ],
)
def test_derivatives_through_the_steps_are_refused(text: str) -> None:
    with pytest.raises(UnsupportedError, match="a derivative in the program does not"):
        tcalc.recurrence(text, "y[T], p[n]")


@pytest.mark.parametrize(
    "text",
    [
        "for t = 1:T; for t = 1:1; s{t} = y[t]; end; end; s{T}",
        "t = 3; for t = 1:T; s{t} = y[t]; end; s{T}",
    ],
)
def test_the_counter_is_no_other_in_the_loop(text: str) -> None:
    with pytest.raises(UnknownNameError, match="the counter `t` has another meaning already"):
        tcalc.recurrence(text, "y[T]")


def test_functions_of_arrays_say_what_they_take_and_can_be_copied() -> None:
    kept = tcalc.recurrence("s{0} = 0; for t = 1:T; s{t} = a*s{t-1} + y[t]^2; end; s{T}", "y[T], a")
    arrays = {"y": [1.0, 2.0], "a": 0.5}
    steps, gradient, product = kept.steps("s"), kept.value_and_gradient("y"), kept.hvp("y")
    assert repr(steps) == "<RecurrenceSteps(y[T], a) of s>"
    assert repr(gradient) == "<RecurrenceGradient(y[T], a) by y>"
    assert repr(product) == "<RecurrenceProduct(y[T], a, dy[T])>"
    assert str(inspect.signature(steps)) == "(*, y: '[T]', a: 'a number')"
    for function in (kept, steps, gradient, product):
        with pytest.raises(ArgumentError, match="arguments are given by name"):
            function([1.0, 2.0], 0.5)
    assert pickle.loads(pickle.dumps(steps))(**arrays).tolist() == [1, 4.5]
    assert pickle.loads(pickle.dumps(gradient))(**arrays)[1].tolist() == [1, 4]
    assert copy.deepcopy(product)(**arrays, dy=[1.0, 0.0]).tolist() == [1, 0]


def test_a_name_with_further_numbers_is_given_whole() -> None:
    kept = tcalc.recurrence("for t = 1:T; h{t,1} = y[t]; h{t,2} = -y[t]; end; h{T,2}", "y[T]")
    assert kept.steps("h{t,1}")(y=[1.0, 2.0]).tolist() == [1, 2]
    with pytest.raises(UnknownNameError, match="no step defines 'h'"):
        kept.steps("h")


def test_what_cannot_be_made_for_several_steps_at_once() -> None:
    require_like_unrolled(
        """f{0} = a
        for t = 1:T
            M{t}[i,j] = S[t,i,j]
            f{t} = f{t-1}*c + norm2(vec(M{t}*M{t}))^2
        end
        f{T}""",
        "S[T,n,n], a, c",
    )


def test_systems_with_one_matrix_are_solved_in_each_step() -> None:
    """An inverse formed once would lose as many digits as the matrix has of condition."""
    n = 10
    K = 1 / (np.arange(n)[:, None] + np.arange(n) + 1)  # Hilbert's matrix
    text = "s{0} = zeros(n); for t = 1:T; s{t} = K\\(y[t]*a); end; s{T}"
    x = tcalc.recurrence(text, "K[n,n], y[T], a[n]")(K=K, y=np.ones(2), a=np.ones(n))
    residual = np.linalg.norm(K @ x - 1) / np.linalg.norm(K) / np.linalg.norm(x)
    assert residual < 10 * np.finfo(float).eps


def test_a_state_that_is_a_number_has_the_type_of_the_arrays() -> None:
    text = "m{0} = a; f{0} = 0; for t = 1:T; m{t} = 2; f{t} = f{t-1} + m{t-1}^2*y[t]; end; "
    kept = tcalc.recurrence(text + "m{T}^2 + f{T}", "y[T], a")
    arrays = {"y": np.ones(4, np.float32), "a": np.float32(1)}
    value, slopes = kept.value_and_gradient(["y", "a"])(**arrays)
    assert (value, value.dtype) == (17, np.float32)
    assert {x.dtype for x in slopes.values()} == {np.dtype(np.float32)}
    assert slopes["y"].tolist() == [1, 4, 4, 4]


def test_blocks_bound_the_memory_of_what_is_made_at_once() -> None:
    kept = tcalc.recurrence(
        "f{0} = 0; for t = 1:T; f{t} = f{t-1} + sum(tanh(x[t,1:end]*x[t,1:end]')); end; f{T}",
        "x[T,n]",
    )
    x = np.random.default_rng(3).standard_normal((64, 300))
    kept(x=x[:2])
    tracemalloc.start()
    kept(x=x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    one = 8 * x.shape[1] ** 2
    assert peak < 30 * one


def test_a_cholesky_factor_tells_of_the_symmetric_part_alone() -> None:
    text = """f{0} = 0
    for t = 1:T
        M{t} = x[t]*A*A + 5*B
        f{t} = f{t-1} + sum(log(diag(chol(M{t})))) + c'*inv(M{t})*d + f{t-1}/10
    end
    f{T}"""
    declarations = "x[T], A[n,n], B[n,n], c[n], d[n]"
    random = np.random.default_rng(0)
    arrays = {
        "x": np.abs(random.standard_normal(4)),
        "A": 0.3 * random.standard_normal((3, 3)),
        "B": np.eye(3) + 0.2 * random.standard_normal((3, 3)),
        "c": random.standard_normal(3),
        "d": random.standard_normal(3),
    }
    f = tcalc.parse(text, declarations, T=4)
    due = tcalc.evaluate(tcalc.gradient(f, [*arrays]), **arrays)
    _, found = tcalc.recurrence(text, declarations).value_and_gradient([*arrays])(**arrays)
    for name in arrays:
        np.testing.assert_allclose(found[name], due[name], rtol=1e-9, atol=1e-11)


def test_loops_within_loops_are_as_deep_as_they_like() -> None:
    depth = 2000
    inside = "".join(f"for k{i} = 1:1\n" for i in range(depth)) + "{}\n" + "end\n" * depth
    text = (
        inside.format("u{T} = 2")
        + "s{T+1} = u{T}\nfor t = T:-1:1\n"
        + inside.format("v{t} = x[t]")
        + "s{t} = s{t+1} + v{t}\nend\n"
        + inside.format("w{1} = s{1}")
        + "w{1}"
    )
    assert tcalc.recurrence(text, "x[T]")(x=[1.0, 2.0]) == 5


def test_positions_within_positions_are_as_deep_as_they_like() -> None:
    nested = "q[" * 500 + "q[i]" + "]" * 500
    step = f"z{{t}}[i] = a[{nested}]; s{{t}} = s{{t-1}} + x[t]*sum(z{{t}})"
    text = f"s{{0}} = 0; for t = 1:T; {step}; end; s{{T}}"
    assert tcalc.recurrence(text, "a[m], q[m] integer, x[T]")(a=[1, 2], q=[2, 1], x=[1, 1]) == 6


def test_slices_at_elements_of_slices_are_as_deep_as_they_like() -> None:
    nested = "Y[t," * 600 + "1" + "]" * 600
    text = f"s{{0}} = 0*a; for t = 1:T; s{{t}} = a*s{{t-1}} + x[{nested}]; end; s{{T}}"
    deep = tcalc.recurrence(text, "Y[T,n] integer, x[n], a")
    steps = np.array([[2, 3, 1], [1, 1, 2]])
    assert deep(Y=steps, x=[10.0, 20.0, 30.0], a=0.5) == 15
