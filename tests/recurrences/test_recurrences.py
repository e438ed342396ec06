"""Loops that are kept have the values and gradients of the same loops unrolled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tcalc
from benchmarks.problems import series

PROGRAMS: dict[str, tuple[str, str]] = {
    "kalman filter": (series.PROGRAM.format(T="T"), ""),
    "two steps back": (
        """x{0} = a
        x{-1} = b
        f{0} = 0
        for t = 1:T
            x{t} = tanh(a*x{t-1} - b*x{t-2} + u[t])
            f{t} = f{t-1} + t*x{t}^2
        end
        f{T} + x{T}*x{T-1}""",
        "u[T], a, b",
    ),
    "layers in a step": (
        """h{0,1} = zeros(n)
        h{0,2} = c
        for t = 1:T
            x{t}[i] = X[t,i]
            h{t,0} = x{t}
            for k = 1:2
                h{t,k} = tanh(U*h{t,k-1} + V*h{t-1,k} + c)
            end
        end
        norm2(h{T,2})^2 + sum(h{T,1})""",
        "X[T,n], U[n,n], V[n,n], c[n]",
    ),
    "targets ahead, an axis behind": (
        """m{1} = zeros(n)
        for t = 1:T-1
            m{t+1} = A*m{t} + exp(Y[1:end,t] - Y[1:end,t+1])
        end
        b'*m{T} + sum(m{T-1})""",
        "Y[n,T], A[n,n], b[n]",
    ),
    "through a tensor that is computed": (
        """Z = log(1 + exp(X*W))
        g{0} = 0
        for t = 1:T
            g{t} = 0.5*g{t-1} + sum(Z[t,1:end])/t
        end
        g{T}^2 + norm2(W)^2""",
        "X[T,m], W[m,n]",
    ),
    "only the last step is read": (
        """for t = 1:T
            e{t} = y[t] - a
            z{t} = e{t}^2 + y[t]
        end
        exp(e{T}) + z{T}""",
        "y[T], a",
    ),
    "a matrix for each step": (
        """P{0} = Q
        f{0} = 0
        for t = 1:T
            R{t}[i,j] = S[t,i,j]
            P{t} = A*P{t-1}*A' + R{t}
            f{t} = f{t-1} + logdet(P{t}) + tr(inv(P{t})*Q)
        end
        f{T}""",
        "S[T,n,n] spd, A[n,n], Q[n,n] spd",
    ),
    "hidden states": (
        """a{1} = p.*B[1,1:end]
        f{1} = 0
        for t = 2:T
            w{t} = (M'*a{t-1}).*B[t,1:end]
            a{t} = w{t}/sum(w{t})
            f{t} = f{t-1} + log(sum(w{t}))
        end
        f{T}""",
        "p[n] positive, M[n,n] positive, B[T,n] positive",
    ),
    "a number of steps": (
        """v{0} = x
        for t = 1:7
            v{t} = A*v{t-1}/norm2(A*v{t-1})
        end
        v{7}'*A*v{7}""",
        "A[n,n], x[n]",
    ),
    "branches and the sign of a number": (
        """s{0} = 0
        for t = 1:T
            s{t} = where(y[t] > a, s{t-1} + y[t]^2, b*s{t-1})
        end
        s{T}""",
        "y[T], a, b",
    ),
    "several results": (
        """X{0} = A
        for t = 1:T
            Q{t}, R{t} = qr(X{t-1})
            X{t} = R{t}*Q{t} + y[t]*A
        end
        norm2(X{T})^2""",
        "A[n,n], y[T]",
    ),
    "what the value takes besides": (
        """K = X'*X + eye(n)
        w{0} = zeros(n)
        for t = 1:T
            w{t} = w{t-1} - a*(K*w{t-1} - X'*y + c[t]*w{t-1})
        end
        norm2(X*w{T} - y)^2/T + logdet(K)""",
        "X[m,n], y[m], a, c[T]",
    ),
    "a Riccati recursion, downwards": (
        """P{T} = Q
        for t = T-1:-1:1
            K{t} = (R + B'*P{t+1}*B) \\ B'*P{t+1}*A
            P{t} = Q + A'*P{t+1}*(A - B*K{t}) + diag(W[t+1,:].*W[t,:])
        end
        x'*P{1}*x + tr(P{2}*P{T})""",
        "A[n,n], B[n,p], Q[n,n] spd, R[p,p] spd, x[n], W[T,n]",
    ),
    "downwards, two steps at once, an axis behind": (
        """x{T+1} = a*ones(n)
        x{T} = Y[:,T]
        f{T} = 0
        for t = T:-1:2
            x{t-1} = tanh(b*x{t} - a*x{t+1}.*Y[:,t] + Y[:,t-1] + x{T})
            f{t-1} = f{t} + t*norm2(x{t-1})^2
        end
        f{1} + sum(x{1}.*x{2}) + c[1]*sum(x{T+1})""",
        "Y[n,T], a, b, c[p]",
    ),
    "downwards to a size": (
        """s{T} = a
        for t = T:-1:T-3
            s{t-1} = s{t}*y[t] + y[t-2]
        end
        s{T-4}*s{T-3}""",
        "y[T], a",
    ),
    "a tensor taken twice": (
        """f{1} = 0
        for t = 2:T
            f{t} = f{t-1} + norm2(X[t,1:end] - A*X[t-1,1:end])^2*X[1,1]
        end
        f{T}""",
        "X[T,n], A[n,n]",
    ),
    "elements at positions that are data": (
        """s{0} = ones(n)
        f{0} = 0
        for t = 1:T
            e{t}[i] = E[g[t],i] + X[t,h[i]]
            s{t} = tanh(A*s{t-1} + e{t})
            l{t} = logsoftmax(s{t})
            f{t} = f{t-1} - l{t}[g[t]] + a*X[t,h[g[t]]] + onehot(g[t],n)'*A*s{t}
        end
        f{T}""",
        "E[m,n], X[T,n], A[n,n], g[T] integer, h[n] integer, a",
    ),
}
STEPS = 6


def arrays_for(text: str, declarations: str, T: int = STEPS) -> dict[str, Any]:
    """Arrays for a program, of the structure that is declared."""
    unrolled = tcalc.parse(text, declarations, **({"T": T} if "T" in text else {}))
    random = np.random.default_rng(5)
    sizes = {"m": 4, "n": 3, "p": 2}
    found: dict[str, Any] = {}
    for name, variable in unrolled.variables.items():
        shape = [dim.evaluate(sizes) for dim in variable.dims]
        x = 0.5 * random.standard_normal(shape)
        if "spd" in variable.properties:
            x = x @ x.swapaxes(-1, -2) + np.eye(shape[-1])
        found[name] = np.exp(x) if "positive" in variable.properties else x
        if "integer" in variable.properties:
            found[name] = random.integers(1, 4, shape).astype(float)
    return found


@pytest.mark.parametrize("title", PROGRAMS)
def test_like_the_loop_unrolled(title: str) -> None:
    text, declarations = PROGRAMS[title]
    arrays = arrays_for(text, declarations)
    f = tcalc.parse(text, declarations, **({"T": STEPS} if "T" in text else {}))
    names = list(f.variables)
    due, slopes = tcalc.compile([f, tcalc.gradient(f, names)])(**arrays)
    kept = tcalc.recurrence(text, declarations)
    np.testing.assert_allclose(kept(**arrays), due, rtol=1e-12)
    value, gradient = kept.value_and_gradient(names)(**arrays)
    np.testing.assert_allclose(value, due, rtol=1e-12)
    for name in names:
        np.testing.assert_allclose(gradient[name], slopes[name], rtol=1e-9, atol=1e-9, err_msg=name)
        value, alone = kept.value_and_gradient(name)(**arrays)
        np.testing.assert_allclose(alone, gradient[name], rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("title", PROGRAMS)
def test_single_precision_stays(title: str) -> None:
    text, declarations = PROGRAMS[title]
    arrays = arrays_for(text, declarations)
    kept = tcalc.recurrence(text, declarations)
    single = {name: np.asarray(x, np.float32) for name, x in arrays.items()}
    value, gradient = kept.value_and_gradient(list(arrays))(**single)
    assert value.dtype == np.float32
    assert {x.dtype for x in gradient.values()} == {np.dtype(np.float32)}
    np.testing.assert_allclose(value, kept(**arrays), rtol=1e-3)


def test_one_function_for_series_of_any_length() -> None:
    text, declarations = PROGRAMS["two steps back"]
    kept = tcalc.recurrence(text, declarations)
    run = kept.value_and_gradient("u")
    for T in (1, 2, 5, 50):
        arrays = arrays_for(text, declarations, T)
        f = tcalc.parse(text, declarations, T=T)
        value, slope = tcalc.compile([f, tcalc.gradient(f, "u")])(**arrays)
        found = run(**arrays)
        np.testing.assert_allclose(found[0], value, rtol=1e-12)
        np.testing.assert_allclose(found[1], slope, rtol=1e-10, atol=1e-14)


FORMULAS = {
    "two steps back": """\
x_bar{t-1} = a*(2*t*x{t} + x_bar{t})*(1 - x{t}^2) + x_bar{t-1}
x_bar{t-2} = b*(2*t*x{t} + x_bar{t})*(x{t}^2 - 1)
u_bar[t] = (2*t*x{t} + x_bar{t})*(1 - x{t}^2)""",
    "layers in a step": """\
h_bar{t-1,1} = V'*((1 - h{t,1}.^2).*(h_bar{t,1} + U'*(h_bar{t,2}.*(1 - h{t,2}.^2))))
h_bar{t-1,2} = V'*(h_bar{t,2}.*(1 - h{t,2}.^2))
X_bar[t,:] = U'*((1 - h{t,1}.^2).*(h_bar{t,1} + U'*(h_bar{t,2}.*(1 - h{t,2}.^2))))""",
    "targets ahead, an axis behind": """\
m_bar{t} = m_bar{t} + A'*m_bar{t+1}
Y_bar[:,t+1] += -m_bar{t+1}.*exp(Y[:,t] - Y[:,t+1])
Y_bar[:,t] += m_bar{t+1}.*exp(Y[:,t] - Y[:,t+1])""",
    "a matrix for each step": """\
P_bar{t-1} = A'*(P_bar{t} + inv(P{t}) - inv(P{t})*Q*inv(P{t}))*A
S_bar[t,:,:] = P_bar{t} + inv(P{t}) - inv(P{t})*Q*inv(P{t})""",
}


@pytest.mark.parametrize("title", FORMULAS)
def test_formulas_of_the_step_backwards(title: str) -> None:
    kept = tcalc.recurrence(*PROGRAMS[title])
    (name,) = {"u", "X", "Y", "S"} & {*kept.signature.names}
    assert kept.value_and_gradient(name).formulas() == FORMULAS[title]


def test_formulas_in_latex_and_mathml() -> None:
    run = tcalc.recurrence(*PROGRAMS["targets ahead, an axis behind"]).value_and_gradient("A")
    assert run.formulas(medium="latex").splitlines()[1:-1] == [
        r"& \bar{m}_t = \bar{m}_t + A^\top \bar{m}_{t + 1} \\",
        r"& \bar{A} \mathrel{+}= \bar{m}_{t + 1} m_t^\top",
    ]
    assert "<mo>+=</mo>" in run.formulas(medium="mathml")


def test_formulas_in_einstein_notation() -> None:
    run = tcalc.recurrence(*PROGRAMS["targets ahead, an axis behind"]).value_and_gradient("A")
    assert run.formulas("einstein").splitlines()[-1] == "A_bar += m_bar{t+1}[i]*m{t}[j]"


def test_what_each_step_makes() -> None:
    text, declarations = PROGRAMS["layers in a step"]
    arrays = arrays_for(text, declarations)
    unrolled = tcalc.parse(text, declarations, T=STEPS)
    definitions = unrolled.context.definitions
    for name in ("h{t,2}", "h{t,1}"):
        rows = tcalc.recurrence(text, declarations).steps(name)(**arrays)
        for step, row in enumerate(rows, 1):
            node = definitions[name.replace("t", str(step))]
            due = tcalc.evaluate(tcalc.Expression(node, unrolled.context), **arrays)
            np.testing.assert_allclose(row, due, rtol=1e-12)


def test_rows_stand_in_the_order_of_the_steps() -> None:
    text = "s{T+1} = 0; for t = T:-1:1; s{t} = s{t+1} + x[t]; end; s{1}"
    rows = tcalc.recurrence(text, "x[T]").steps("s")(x=[1.0, 2.0, 4.0])
    np.testing.assert_array_equal(rows, [4, 6, 7])


def test_the_step_backwards_of_a_loop_downwards_goes_up() -> None:
    text = "s{T+1} = b; for t = T:-1:1; s{t} = a*s{t+1} + x[t]; end; s{1}^2"
    run = tcalc.recurrence(text, "x[T], a, b").value_and_gradient(["a", "x"])
    assert run.formulas().splitlines() == [
        "s_bar{t+1} = a*s_bar{t}",
        "x_bar[t] = s_bar{t}",
        "a_bar += s_bar{t}*s{t+1}",
    ]


def test_blocks_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block ends at any step."""
    monkeypatch.setattr("tcalc.recurrences.sweep.BLOCK", 1)
    for length in (1, 2, 3, 4):
        monkeypatch.setattr("tcalc.recurrences.sweep.LEAST_BLOCK", length)
        test_like_the_loop_unrolled("kalman filter")
        test_like_the_loop_unrolled("targets ahead, an axis behind")
        test_like_the_loop_unrolled("downwards, two steps at once, an axis behind")


def test_a_long_series_is_compiled_no_longer() -> None:
    """A chain of 30,000 steps would take minutes unrolled."""
    text, declarations = PROGRAMS["two steps back"]
    random = np.random.default_rng(6)
    u = random.standard_normal(30_000)
    run = tcalc.recurrence(text, declarations).value_and_gradient("a")
    _, slope = run(u=u, a=0.4, b=0.1)
    step = 1e-5
    high, low = (run(u=u, a=0.4 + s, b=0.1)[0] for s in (step, -step))
    assert slope == pytest.approx((high - low) / (2 * step), rel=1e-6)


def test_properties_that_steps_do_not_keep_are_dropped() -> None:
    """P is diagonal, symmetric and triangular at first, and none of these behind a step."""
    kept = tcalc.recurrence(
        "P{0} = eye(n)\nfor t = 1:T\nP{t} = x[t]*A*P{t-1}\nend\nsum(P{T})", "x[T], A[n,n]"
    )
    random = np.random.default_rng(7)
    x, A = random.standard_normal(3), random.standard_normal((3, 3))
    value, slope = kept.value_and_gradient("A")(x=x, A=A)
    assert value == pytest.approx((x.prod() * np.linalg.matrix_power(A, 3)).sum())
    f = tcalc.parse("sum(A*A*A)", "A[n,n]")
    due = tcalc.evaluate(tcalc.gradient(f, "A"), A=A)
    np.testing.assert_allclose(slope, x.prod() * due, rtol=1e-12)


@pytest.mark.parametrize("title", PROGRAMS)
def test_directional_derivatives_and_products_with_the_hessian(title: str) -> None:
    text, declarations = PROGRAMS[title]
    arrays = arrays_for(text, declarations)
    f = tcalc.parse(text, declarations, **({"T": STEPS} if "T" in text else {}))
    names = list(f.variables)
    random = np.random.default_rng(8)
    directions = {f"d{x}": random.standard_normal(np.shape(arrays[x])) for x in names}
    kept = tcalc.recurrence(text, declarations)
    slope = tcalc.evaluate(tcalc.jvp(f, names), **arrays, **directions)
    np.testing.assert_allclose(kept.jvp(names)(**arrays, **directions), slope, rtol=1e-9)
    due = tcalc.evaluate(tcalc.hvp(f, names), **arrays, **directions)
    found = kept.hvp(names)(**arrays, **directions)
    for name in names:
        scale = np.abs(due[name]).max()
        np.testing.assert_allclose(
            found[name], due[name], rtol=1e-8, atol=1e-9 * scale, err_msg=name
        )


def test_directions_have_the_names_that_are_given():
    kept = tcalc.recurrence(
        "s{0} = 1; for t = 1:T; s{t} = a*s{t-1} + b*x[t]; end; s{T}", "x[T], a, b"
    )
    data = {"x": [1.0, 2.0, 3.0], "a": 0.5, "b": 2.0}
    for product in (kept.jvp, kept.hvp):
        named = product(["a", "b"], ["u", "v"])(**data, u=1.0, v=2.0)
        assert named == product(["a", "b"])(**data, da=1.0, db=2.0)
        assert product("a", "u")(**data, u=3.0) == product("a")(**data, da=3.0)
    for wrong in ("a", "x y", 3, ["u", "v"], ["u", "u"]):
        with pytest.raises(tcalc.TcalcError):
            kept.hvp("a", wrong)
