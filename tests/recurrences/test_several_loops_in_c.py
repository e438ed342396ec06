"""Several kept loops in C: one call for each of them and each direction, and what takes more."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from compilers import needs_compiler

import tcalc
from tcalc import errors
from tcalc.runtime import libraries
from tests.recurrences.test_several_loops import PROGRAMS, data

pytestmark = needs_compiler

FURTHER = {
    "what is before the first loop takes an element of its series": (
        """m{1} = y[1]
        P{1} = v^2 + 1
        for t = 2:T
            h{t} = P{t-1} + w^2
            m{t} = m{t-1} + h{t}/(h{t} + 1)*(y[t] - m{t-1})
            P{t} = h{t}/(h{t} + 1)
        end
        s{T} = m{T}
        g{T} = 0
        for t = T-1:-1:1
            s{t} = m{t} + P{t}/h{t+1}*(s{t+1} - m{t})
            g{t} = g{t+1} + (s{t+1} - s{t})^2
        end
        g{1} + P{T}""",
        "y[T], v, w",
    ),
    "a series along its second axis, taken by both loops": (
        """h{T+1} = b
        for t = T:-1:1
            h{t} = tanh(a.*h{t+1} + X[:,t])
        end
        k{0} = h{1}
        for t = 1:T
            k{t} = sin(k{t-1} + h{t+1}.*X[:,t] + t*h{t})
        end
        sum(k{T})""",
        "X[n,T], a[n], b[n]",
    ),
    "three loops, each of which takes the ones before it": (
        """h{0} = b
        for t = 1:T
            h{t} = tanh(A*h{t-1} + Y[t,:])
        end
        k{T+1} = h{T}
        for t = T:-1:1
            k{t} = tanh(A*k{t+1} + h{t-1})
        end
        f{0} = 0
        for t = 1:T
            f{t} = f{t-1} + h{t}'*k{t+1} + norm2(k{t})^2
        end
        f{T} + sum(k{1})""",
        "Y[T,n], A[n,n], b[n]",
    ),
    "a derivative that is zero in all steps": (
        """m{0} = 1
        for t = 1:T
            m{t} = sign(exp(sum(Z))*y[t])
        end
        s{0} = 0
        for t = 1:T
            s{t} = s{t-1} + m{t}*y[t]^2
        end
        s{T}""",
        "y[T], Z[T,n]",
    ),
}
ALL = PROGRAMS | FURTHER


def both(title: str) -> tuple[tcalc.Recurrence, tcalc.Recurrence, dict[str, Any]]:
    """A program with NumPy's code and in C, and its arrays."""
    slow, fast = (tcalc.recurrence(*ALL[title], backend=x) for x in ("numpy", "c"))
    return slow, fast, data(title, slow.variables)


def assert_alike(
    found: tuple[Any, dict[str, Any]], due: tuple[Any, dict[str, Any]], tolerance: float = 1e-9
) -> None:
    assert np.allclose(found[0], due[0], rtol=1e-12)
    assert [*found[1]] == [*due[1]]
    for name, slope in due[1].items():
        assert np.allclose(found[1][name], slope, rtol=tolerance, atol=1e-12), name
        assert found[1][name].shape == slope.shape


SEVERAL_CALLS = {
    "what the last step of an earlier loop has left is run through": ("", "Y", "a"),
    "what is run through depends on an earlier loop": ("Y", "A"),
    "what is before the first loop takes an element of its series": ("y",),
    "a derivative that is zero in all steps": ("Z",),
}
"""Values, and gradients by some inputs, that take more calls: tensors of all steps as a whole."""
THROUGH = "what the last step of an earlier loop has left is run through"
"""What takes more calls for the steps too."""


@pytest.mark.parametrize("title", ALL)
def test_one_call_for_each_loop_and_direction(title: str, by_one_call: list[bool]) -> None:
    slow, fast, arrays = both(title)
    several = SEVERAL_CALLS.get(title, ())
    assert np.allclose(fast(**arrays), slow(**arrays), rtol=1e-12)
    assert all(by_one_call) == ("" not in several)
    assert len(by_one_call) <= 3
    for names in ([x for x in arrays if x not in several], [x for x in arrays if x in several]):
        by_one_call.clear()
        if names:
            assert_alike(*(x.value_and_gradient(names)(**arrays) for x in (fast, slow)))
            assert all(by_one_call) == (names[0] not in several)
            assert 1 <= len(by_one_call) <= 5


@pytest.mark.parametrize("title", FURTHER)
def test_like_the_loops_unrolled(title: str) -> None:
    slow, fast, arrays = both(title)
    names = [*arrays]
    unrolled = tcalc.parse(*ALL[title], T=7)
    value, slopes = tcalc.compile([unrolled, tcalc.gradient(unrolled, names)])(**arrays)
    for kept in (slow, fast):
        assert_alike(kept.value_and_gradient(names)(**arrays), (value, slopes))
        assert np.allclose(kept(**arrays), value, rtol=1e-12)


@pytest.mark.parametrize("title", ALL)
def test_steps(title: str, by_one_call: list[bool]) -> None:
    slow, fast, arrays = both(title)
    for name in re.findall(r"^ +(\w+)\{[tq]\} =", ALL[title][0], re.MULTILINE):
        due, found = slow.steps(name), fast.steps(name)
        given = {x: arrays[x] for x in due.signature.names}
        np.testing.assert_allclose(found(**given), due(**given), rtol=1e-10, atol=1e-13)
        assert found(**given).flags.writeable
    assert by_one_call
    assert all(by_one_call) == (title != THROUGH)


@pytest.mark.parametrize("title", ["filter and smoother", *FURTHER])
def test_directions_and_products(title: str) -> None:
    slow, fast, arrays = both(title)
    names = [*arrays]
    moves = {f"d{x}": y for x, y in data(f"{title}, its directions", slow.variables).items()}
    due, found = (x.jvp(names)(**arrays, **moves) for x in (slow, fast))
    assert np.allclose(found, due, rtol=1e-10, atol=1e-13)
    due, found = (x.hvp(names)(**arrays, **moves) for x in (slow, fast))
    for name in names:
        assert np.allclose(found[name], due[name], rtol=1e-8, atol=1e-10), name


@pytest.mark.parametrize("largest", [0, 3])
@pytest.mark.parametrize("title", ["filter and smoother", *FURTHER])
def test_tensors_that_are_for_many_steps_at_once(
    title: str, largest: int, by_one_call: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole of a run, or its way back alone, where matrices of two rows are large."""
    monkeypatch.setattr("tcalc.recurrences.layout.LARGEST", largest)
    slow, fast, arrays = both(title)
    assert_alike(*(x.value_and_gradient([*arrays])(**arrays) for x in (fast, slow)))
    assert np.allclose(fast(**arrays), slow(**arrays), rtol=1e-12)
    assert not all(by_one_call) or (largest > 0 and "A[n,n]" not in ALL[title][1])
    assert any(by_one_call) == (largest > 0)


@pytest.mark.parametrize("n", [40, 200])
def test_large_matrices_are_for_many_steps_at_once(n: int, by_one_call: list[bool]) -> None:
    """Those that make rows for later loops or for the user."""
    text = """h{0} = zeros(n)
    for t = 1:T
        h{t} = tanh(h{t-1} + W*X[t,:])
    end
    f{T+1} = 0
    for t = T:-1:1
        f{t} = f{t+1}/2 + norm2(h{t})^2
    end
    f{1}"""
    slow, fast = (tcalc.recurrence(text, "X[T,n], W[n,n]", backend=x) for x in ("numpy", "c"))
    random = np.random.default_rng(n)
    arrays = {"X": random.standard_normal((3, n)), "W": random.standard_normal((n, n)) / n}
    assert np.allclose(fast(**arrays), slow(**arrays), rtol=1e-12)
    np.testing.assert_allclose(*(x.steps("h")(**arrays) for x in (fast, slow)), atol=1e-13)
    assert by_one_call == [n == 40, True, n == 40]
    assert_alike(*(x.value_and_gradient(["W"])(**arrays) for x in (fast, slow)))


def test_one_function_for_series_of_any_length() -> None:
    slow, fast, arrays = both("filter and smoother")
    gradients = [x.value_and_gradient(["A", "Y"]) for x in (fast, slow)]
    random = np.random.default_rng(3)
    built = 0
    for length in (2, 3, 12, 300):
        series = {**arrays, "Y": random.standard_normal((length, 2))}
        assert_alike(*(x(**series) for x in gradients), tolerance=1e-8)
        built = built or len(libraries._libraries)
    assert len(libraries._libraries) == built


def test_a_step_of_an_earlier_loop_without_a_value_is_named() -> None:
    text = """P{0} = eye(n)
    for t = 1:T
        P{t} = inv(P{t-1} + x[t]*eye(n))
    end
    f{0} = 0
    for t = 1:T
        f{t} = f{t-1} + tr(P{t})
    end
    f{T}"""
    found = []
    for backend in ("numpy", "c"):
        kept = tcalc.recurrence(text, "x[T], A[n,n]", backend=backend)
        for call in (kept, kept.value_and_gradient("x"), kept.steps("P")):
            with pytest.raises(errors.DomainError) as caught:
                call(x=np.array([1.0, -0.5, -1.0]), A=np.eye(2))
            found.append(caught.value.message)
    assert len({*found}) == 1
    assert "in step t = 2" in found[0]


def test_what_the_last_step_has_left_alone() -> None:
    """No rows are taken, in either order of the loops."""
    text = """h{0} = b
    for t = 1:S
        h{t} = tanh(A*h{t-1} + X[t,:])
    end
    k{T+1} = h{S} + h{S-1}
    for t = T:-1:1
        k{t} = sin(A*k{t+1})/t
    end
    sum(k{1})"""
    declarations = "X[S,n], A[n,n], b[n]"
    slow, fast = (tcalc.recurrence(text, declarations, T=3, backend=x) for x in ("numpy", "c"))
    arrays = data("the last step", slow.variables)
    assert_alike(*(x.value_and_gradient(["X", "A", "b"])(**arrays) for x in (fast, slow)))
