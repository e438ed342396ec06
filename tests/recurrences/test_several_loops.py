"""Several loops that are kept: later ones take what earlier ones have made."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import tcalc
from tcalc.errors import TcalcError
from tests.recurrences.refusals import Case

PROGRAMS: dict[str, tuple[str, str]] = {
    "filter and smoother": (
        """m{0} = zeros(n)
        P{0} = Q
        f{0} = 0
        for t = 1:T
            h{t} = A*m{t-1}
            H{t} = A*P{t-1}*A' + Q
            K{t} = H{t}*inv(H{t} + R)
            m{t} = h{t} + K{t}*(Y[t,:] - h{t})
            P{t} = H{t} - K{t}*H{t}
            f{t} = f{t-1} + logdet(H{t} + R)
        end
        s{T} = m{T}
        g{T} = 0
        for t = T-1:-1:1
            G{t} = P{t}*A'*inv(H{t+1})
            s{t} = m{t} + G{t}*(s{t+1} - h{t+1})
            g{t} = g{t+1} + norm2(Y[t,:] - s{t})^2
        end
        f{T} + g{1}""",
        "Y[T,n], A[n,n], Q[n,n] spd, R[n,n] spd",
    ),
    "encoder and decoder, of two lengths": (
        """h{0} = zeros(n)
        for t = 1:S
            h{t} = tanh(A*h{t-1} + X[t,:])
        end
        c = B*h{S}
        d{0} = c
        f{0} = 0
        for t = 1:T
            d{t} = tanh(B*d{t-1} + c + Y[t,:])
            f{t} = f{t-1} + sum(d{t}.^2)/t
        end
        f{T}/T""",
        "X[S,n], Y[T,n], A[n,n], B[n,n]",
    ),
    "forth and back, in both directions of time": (
        """h{0} = b
        for t = 1:T
            h{t} = tanh(A*h{t-1} + Y[t,:])
        end
        k{T+1} = b
        for t = T:-1:1
            k{t} = tanh(B*k{t+1} + Y[t,:])
        end
        f{0} = 0
        for t = 1:T
            f{t} = f{t-1} + t*(h{t-1}'*k{t+1})^2
        end
        f{T}""",
        "Y[T,n], A[n,n], B[n,n], b[n]",
    ),
    "values before the first step, upwards": (
        """x{0} = a.*b
        x{-1} = b
        for t = 1:T
            x{t} = sin(x{t-1} + a.*x{t-2}) + Y[t,:]
        end
        s{T} = x{T-1}
        for q = T-1:-1:1
            s{q} = sin(s{q+1} + x{q-2}.*x{q+1})
        end
        sum(s{1}.*x{T})""",
        "Y[T,n], a[n], b[n]",
    ),
    "values before the first step, downwards": (
        """x{T+1} = a.*b
        x{T+2} = b
        for t = T:-1:2
            x{t} = sin(x{t+1} + a.*x{t+2}) + Y[t,:]
        end
        s{1} = x{3}
        for t = 2:T
            s{t} = sin(s{t-1} + x{t+2}.*x{t})
        end
        sum(s{T}.*x{2})""",
        "Y[T,n], a[n], b[n]",
    ),
    "symmetric rows whose cotangents are not": (
        """P{0} = A*A'
        for t = 1:T
            P{t} = sin(P{t-1})
        end
        x{0} = b
        for t = 1:T
            x{t} = tanh(A*x{t-1} + P{t-1}*Y[t,:])
        end
        sum(x{T}) + b'*P{T}*b""",
        "Y[T,n], A[n,n], b[n]",
    ),
    "two numbers of a name": (
        """for k = 1:2
            h{0,k} = b
        end
        for t = 1:T
            h{t,0} = Y[t,:]
            for k = 1:2
                h{t,k} = tanh(A*h{t,k-1} + h{t-1,k})
            end
        end
        f{0} = 0
        for t = 1:T
            for k = 0:2
                e{t,k} = norm2(h{t,k})^2
            end
            f{t} = f{t-1} + e{t,0}*e{t,1} + e{t,2}/t
        end
        f{T}""",
        "Y[T,n], A[n,n], b[n]",
    ),
    "no variable in an earlier loop": (
        """u{0} = 0
        for t = 1:T
            u{t} = 0.5*u{t-1} + z[t]
        end
        f{0} = 0
        for t = 1:T
            f{t} = f{t-1} + (c'*Y[t,:] - u{t})^2
        end
        f{T} + u{T}""",
        "Y[T,n], z[T], c[n]",
    ),
    "a loop that the value does not need": (
        """m{0} = zeros(n)
        f{0} = 0
        for t = 1:T
            m{t} = A*m{t-1} + Y[t,:]
            f{t} = f{t-1} + norm2(m{t})^2
        end
        s{T} = m{T}
        for t = T-1:-1:1
            s{t} = m{t} + A'*s{t+1}
        end
        f{T}""",
        "Y[T,n], A[n,n]",
    ),
    "what the last step of an earlier loop has left is run through": (
        """h{0} = zeros(T)
        for t = 1:T
            h{t} = tanh(a*h{t-1} + Y[t,:])
        end
        f{0} = 0
        for t = 1:T-1
            f{t} = sin(f{t-1} + h{T}[t] + h{T-1}[t+1]^2)
        end
        f{T-1}""",
        "Y[T,T], a",
    ),
    "what is run through depends on an earlier loop": (
        """m{0} = zeros(n)
        for t = 1:T
            m{t} = tanh(A*m{t-1} + Y[t,:])
        end
        Z = Y - vector(1)*m{T}'
        f{0} = 0
        for t = 1:T
            f{t} = f{t-1} + t*norm2(Z[t,:])^2
        end
        f{T}""",
        "Y[T,n], A[n,n]",
    ),
}
SIZES = {"T": 7, "S": 4, "n": 2}


def data(title: str, variables: dict[str, Any]) -> dict[str, Any]:
    random = np.random.default_rng([*title.encode()])
    found = {}
    for name, x in variables.items():
        array = random.standard_normal([dim.evaluate(SIZES) for dim in x.dims]) / 2
        found[name] = array @ array.T + np.eye(len(array)) if "spd" in x.properties else array
    return found


@pytest.mark.parametrize("backend", ["numpy", "c"])
@pytest.mark.parametrize("title", PROGRAMS)
def test_like_the_loops_unrolled(title: str, backend: tcalc.typing.Backend) -> None:
    text, declarations = PROGRAMS[title]
    kept = tcalc.recurrence(text, declarations, backend=backend)
    unrolled = tcalc.parse(text, declarations, **{x: SIZES[x] for x in "TS" if f":{x}" in text})
    arrays = data(title, kept.variables)
    names = [*arrays]
    value, slopes = tcalc.compile([unrolled, tcalc.gradient(unrolled, names)])(**arrays)
    found, gradient = kept.value_and_gradient(names)(**arrays)
    assert np.allclose(found, value, rtol=1e-12)
    assert np.allclose(kept(**arrays), value, rtol=1e-12)
    for name in names:
        assert np.allclose(gradient[name], slopes[name], rtol=1e-9, atol=1e-12), name
    for name in names if backend == "numpy" else ():
        alone, slope = kept.value_and_gradient(name)(**arrays)
        assert np.allclose(alone, value, rtol=1e-12)
        assert np.allclose(slope, slopes[name], rtol=1e-9, atol=1e-12), name


@pytest.mark.parametrize("title", PROGRAMS)
def test_products_with_the_hessian(title: str) -> None:
    text, declarations = PROGRAMS[title]
    kept = tcalc.recurrence(text, declarations)
    unrolled = tcalc.parse(text, declarations, **{x: SIZES[x] for x in "TS" if f":{x}" in text})
    arrays = data(title, kept.variables)
    product = kept.hvp([*arrays])
    directions = data(f"{title}, its directions", kept.variables)
    moves = {product.directions[name]: x for name, x in directions.items()}
    due = tcalc.compile(tcalc.hvp(unrolled, [*arrays]))(**arrays, **moves)
    found = product(**arrays, **moves)
    for name in arrays:
        assert np.allclose(found[name], due[name], rtol=1e-8, atol=1e-10), name


def smoother(**options: Any) -> tcalc.Recurrence:
    return tcalc.recurrence(*PROGRAMS["filter and smoother"], **options)


def test_what_the_steps_of_each_loop_make() -> None:
    kept = smoother()
    arrays = data("smoother", kept.variables)
    filtered = kept.steps("m")(**arrays)
    smoothed = kept.steps(["s", "G"])(**arrays)
    assert filtered.shape == (7, 2)
    assert smoothed["s"].shape == (6, 2)
    assert smoothed["G"].shape == (6, 2, 2)
    assert kept.steps("m").signature.names == ("Y", "A", "Q", "R")
    before = arrays["A"] @ filtered[-2]
    assert np.allclose(
        smoothed["s"][0], filtered[-2] + smoothed["G"][0] @ (filtered[-1] - before), rtol=1e-12
    )
    with pytest.raises(TcalcError) as caught:
        kept.steps(["m", "s"])
    assert caught.value.message.startswith("m and s are defined by several loops")
    with pytest.raises(TcalcError) as caught:
        kept.steps("z")
    assert "it defines h{t}, H{t}, K{t}, m{t}, P{t}, f{t}, G{t}, s{t}, g{t}" in str(caught.value)


def test_formulas_of_all_loops_the_last_one_first() -> None:
    walk = tcalc.recurrence(
        """m{0} = b
        for t = 1:T
            m{t} = tanh(A*m{t-1} + Y[t,:])
        end
        s{T} = C*m{T}
        for t = T-1:-1:1
            s{t} = m{t} + C*(s{t+1} - m{t-1})
        end
        norm2(s{1})^2 + sum(m{T})""",
        "Y[T,n], A[n,n], C[n,n], b[n]",
    )
    formulas = """\
# for t = T-1:-1:1, backwards
s_bar{t+1} = C'*s_bar{t}
m_bar{t} += s_bar{t}
m_bar{t-1} += -C'*s_bar{t}
C_bar += s_bar{t}*(s{t+1} - m{t-1})'
# for t = 1:T, backwards
m_bar{t-1} += A'*(m_bar{t}.*(1 - m{t}.^2))
A_bar += (m_bar{t}.*(1 - m{t}.^2))*m{t-1}'"""
    gradient = walk.value_and_gradient(["A", "C"])
    assert gradient.formulas() == formulas
    assert gradient.formulas(medium="latex").count("% for t = ") == 2
    assert gradient.formulas(medium="mathml").count("<math") == 2
    # Where no variable is in the first loop, there is nothing to say of it.
    later = "\n".join(formulas.splitlines()[:2] + formulas.splitlines()[4:5])
    assert walk.value_and_gradient("C").formulas() == later


@pytest.mark.parametrize("backend", ["numpy", "c"])
def test_single_precision_stays_from_loop_to_loop(backend: tcalc.typing.Backend) -> None:
    kept = smoother(backend=backend)
    arrays = data("smoother", kept.variables)
    single = {name: np.float32(x) for name, x in arrays.items()}
    value, gradient = kept.value_and_gradient(["A", "Y"])(**single)
    due, slopes = kept.value_and_gradient(["A", "Y"])(**arrays)
    assert value.dtype == gradient["A"].dtype == gradient["Y"].dtype == np.float32
    assert np.allclose(value, due, rtol=1e-5)
    for name, slope in slopes.items():
        assert np.allclose(gradient[name], slope, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("backend", ["numpy", "c"])
def test_copies(backend: tcalc.typing.Backend) -> None:
    kept = smoother(backend=backend)
    arrays = data("smoother", kept.variables)
    gradient, steps = kept.value_and_gradient("A"), kept.steps("s")
    value, slope = gradient(**arrays)
    for again in (copy.deepcopy(gradient), pickle.loads(pickle.dumps(gradient))):
        assert np.array_equal(again(**arrays)[1], slope)
    assert pickle.loads(pickle.dumps(kept))(**arrays) == value
    assert np.array_equal(pickle.loads(pickle.dumps(steps))(**arrays), steps(**arrays))


def test_one_function_for_series_of_any_length() -> None:
    gradient = smoother().value_and_gradient("A")
    text, declarations = PROGRAMS["filter and smoother"]
    random = np.random.default_rng(1)
    arrays = data("smoother", smoother().variables)
    for length in (2, 3, 12):
        series = {**arrays, "Y": random.standard_normal((length, 2))}
        unrolled = tcalc.parse(text, declarations, T=length)
        due = tcalc.compile(tcalc.gradient(unrolled, "A"))(**series)
        assert np.allclose(gradient(**series)[1], due, rtol=1e-9)


def test_loops_behind_the_last_one_that_the_value_needs_are_not_run() -> None:
    kept = tcalc.recurrence(*PROGRAMS["a loop that the value does not need"])
    arrays = {"Y": [[1.0, 2.0]], "A": np.eye(2)}  # one step, and none for the later loop
    value, slope = kept.value_and_gradient("Y")(**arrays)
    assert (float(value), slope.tolist()) == (5.0, [[2.0, 4.0]])
    assert kept(**arrays) == value
    assert "s_bar" not in kept.value_and_gradient("Y").formulas()
    with pytest.raises(TcalcError, match="has no steps"):
        kept.steps("s")(**arrays)


def test_a_problem_with_several_loops() -> None:
    kept = smoother()
    arrays = data("smoother", kept.variables)
    found = tcalc.problem(kept, ["A"], arrays).minimize(method="BFGS")
    assert np.abs(found.jac).max() < 1e-4
    assert found.fun < kept(**arrays)


def test_bounds_that_are_given_by_name_are_those_of_loops_that_are_kept() -> None:
    text = """s{0} = 0
    for t = 1:N
        for k = 1:2
            z{t,k} = k*x[t]
        end
        s{t} = s{t-1} + z{t,1} + z{t,2}
    end
    for k = 1:3
        r{k} = k*s{N}
    end
    p{0} = 0
    for t = 1:N
        p{t} = p{t-1} + s{t}^2
    end
    p{N} + r{3}"""
    kept = tcalc.recurrence(text, "x[N]", N=3)
    assert float(kept(x=[1.0, 2.0, 3.0])) == 9 + 81 + 324 + 3 * 18


FIRST = "m{0} = 0\nfor t = 1:T\n    m{t} = a*m{t-1} + x[t]\nend\n"
SECOND = "s{0} = 0\nfor k = 1:T\n    s{k} = s{k-1} + %s\nend\ns{T}"
REFUSED = {
    "one name in two loops": Case(
        FIRST + "for t = 1:T\n    m{t} = x[t]\nend\nm{T}",
        "two loops assign `m{t}`",
        "6: m{t}",
        "choose another name in one of them",
    ),
    "what a later loop makes": Case(
        "m{0} = 0\nfor t = 1:T\n    m{t} = m{t-1} + s{t}\nend\n" + SECOND % "m{k}",
        "the loop defines no `s{t}`",
        "3: s{t}",
        "a later loop defines it",
    ),
    "steps behind the last one": Case(
        FIRST + SECOND % "m{k+1}",
        "the loop that defines `m{t}` ends before this",
        "7: m{k+1}",
        "its last step has `m{T}`, and k goes from 1 to T",
    ),
    "steps before the first one": Case(
        FIRST + SECOND % "m{k-2}",
        "nothing defines `m{-1}` before the loop that defines `m{t}`",
        "7: m{k-2}",
        "k goes from 1 to T: m{-1} = ... before that loop, or fewer steps",
    ),
    "steps before the first one, defined behind the loop": Case(
        FIRST + "m{-1} = m{T}\n" + SECOND % "m{k-2}",
        "nothing defines `m{-1}` before the loop that defines `m{t}`",
        "8: m{k-2}",
        "m{-1} = ... before that loop",
    ),
    "a step that the loop defines, behind it": Case(
        FIRST + "m{2} = 1\n" + SECOND % "m{k}",
        "`m{2}` is assigned twice",
        "5: m{2} = 1",
        "the loop assigns it in step t = 2",
    ),
    "the last step of a later loop": Case(
        FIRST.replace("a*m{t-1}", "s{T}") + SECOND % "m{k}",
        "nothing defines `s{T}` before this",
        "3: T",
        "a loop's steps are known behind it",
    ),
    "a step of an earlier loop": Case(
        FIRST + SECOND % "m{3}",
        "behind a loop that is kept only its last steps are known",
        "7: 3",
        "m{T}, and some steps before it",
    ),
    "a loop that ends at a size": Case(
        "m{T+1} = 0\nfor t = T:-1:S\n    m{t} = m{t+1} + x[t]\nend\n" + SECOND % "m{k}",
        "the lowest of these is no number",
        "7: m{k}",
        "let that loop begin or end at a number",
        "x[T], y[S]",
        tcalc.errors.UnsupportedError,
    ),
    "another shape before the loop": Case(
        "m{0} = ones(2)\nfor t = 1:T\n    m{t} = x[t]\nend\n" + SECOND % "m{k-1}",
        "`m{t}` is",
        "3: x[t]",
        "`m{0}`, before the loop, has the shape that all steps have",
        kind=tcalc.errors.DimensionError,
    ),
    "which loop": Case(
        FIRST.replace("T", "3") + (SECOND % "m{k}").replace("T", "2"),
        "which of several loops is to be kept?",
        "6: for k = 1:2",
        "let those that are kept go to a dimension",
        kind=tcalc.errors.UnsupportedError,
    ),
    "a derivative through both loops": Case(
        FIRST + (SECOND % "m{k}").replace("\ns{T}", "\nsum(gradient(s{T}, x))"),
        "a derivative in the program does not go through it",
        "9: gradient(s{T}, x)",
        "value_and_gradient differentiates the value",
        kind=tcalc.errors.UnsupportedError,
    ),
}


@pytest.mark.parametrize("title", REFUSED)
def test_what_is_refused(title: str) -> None:
    case = REFUSED[title]
    with pytest.raises(TcalcError) as caught:
        tcalc.recurrence(case.text, case.declarations)
    error = caught.value
    assert type(error) is case.kind
    assert case.message in error.message
    assert case.hint in (error.hint or "")
    line, _, pointed = case.at.partition(": ")
    assert error.span is not None
    assert (error.line, error.span.text) == (int(line), pointed)
    assert "00000" not in f"{error} {error!r}"


def test_errors_in_calls_are_in_the_words_of_the_program() -> None:
    sums = tcalc.recurrence(
        "m{0} = eye(2); for t = 1:T; m{t} = m{t-1} + S[t,:,:]; end;"
        "f{0} = 0; for k = 1:R; f{k} = f{k-1} + logdet(m{k})*y[k]; end; f{R}",
        "S[T,2,2], y[R]",
    )
    steps = np.array([np.eye(2), -9 * np.eye(2) * [[1, 0], [0, -1]]])
    with pytest.raises(TcalcError, match=r"m\{k\}.*not positive.*, in step k = 2"):
        sums(S=steps, y=[1.0, 1.0])
    with pytest.raises(TcalcError, match=r"m\{k\} is missing where k = 3: the loop"):
        sums(S=steps, y=[1.0, 1.0, 1.0])
    assert float(sums(S=steps, y=[2.0])) == pytest.approx(4 * np.log(2))
    for call in (sums, sums.value_and_gradient("S"), sums.steps("f")):
        with pytest.raises(TcalcError, match="there is no argument 'z'"):
            call(S=steps, y=[1.0], z=0.0)
        with pytest.raises(TcalcError, match="S is missing"):
            call(y=[1.0])
