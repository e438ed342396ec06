"""What recurrences take for their inputs, sizes and positions is what loops unrolled take."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc

DECLARED = "x[T], Y[T,n], A[n,n], a, v[n]"
STEPS = 5
PROGRAMS = {
    "a size that an input has which nothing else needs": (
        "f{0} = 0; for t = 1:T; f{t} = f{t-1} + Y[t,1]^2*T; end; f{T}/T"
    ),
    "a size within a step": (
        "m{0} = v; for t = 1:T; m{t} = a*m{t-1} + ones(n)*x[t]; end; sum(m{T})"
    ),
    "a size before the loop": (
        "Z = ones(T)*v'; f{0} = 0; for t = 1:T; f{t} = a*f{t-1} + sum(Z[t,:]); end; f{T}"
    ),
    "only the step before the last": (
        "f{0} = a; f{-1} = x[1]; for t = 1:T; f{t} = f{t-2}*a + x[t]; end; f{T}"
    ),
    "the last position, by its number": (
        "f{0} = 0; for t = 1:T; f{t} = f{t-1} + x[T]*x[t]*a; end; f{T} + x[T]*Y[T,1]"
    ),
    "the last position of a shorter loop": (
        "f{0} = 0; for t = 1:T-1; f{t} = f{t-1} + x[T]*x[t]*a; end; f{T-1} + x[T]*Y[T-1,1]"
    ),
    "the counter of other loops": (
        "for t = 1:2; r{t} = t*a; end; f{0} = r{2}; for t = 1:T; f{t} = f{t-1} + t*x[t]; end; "
        "for t = 1:2; z{t} = t*a; end; f{T} + z{2}"
    ),
    "the counter as an index elsewhere": (
        "Z[t] = a*x[t]; f{0} = 0; for t = 1:T; f{t} = f{t-1} + Z[t]; end; f{T} + sum[t](x[t]*x[t])"
    ),
    "a derivative beside the loop": (
        "g = gradient(sum(x.^3), x); f{0} = 0; "
        "for t = 1:T; f{t} = f{t-1} + g[t]*gradient(a^2*x[t], a); end; f{T}"
    ),
}


@pytest.mark.parametrize("title", PROGRAMS)
def test_like_the_loop_unrolled(title: str) -> None:
    text = PROGRAMS[title]
    kept, unrolled = tcalc.recurrence(text, DECLARED), tcalc.parse(text, DECLARED, T=STEPS)
    random = np.random.default_rng(3)
    sizes = {"n": 2, "T": STEPS}
    shapes = {
        name: [dim.evaluate(sizes) for dim in variable.dims]
        for name, variable in unrolled.variables.items()
    }
    arrays = {name: random.standard_normal(shape) for name, shape in shapes.items()}
    taken = {name: arrays[name] for name in kept.signature.names}
    expected = tcalc.evaluate(unrolled, **arrays)
    np.testing.assert_allclose(kept(**taken), expected, rtol=1e-12)
    names = [name for name in taken if name in ("x", "a", "v", "Y")]
    value, gradient = kept.value_and_gradient(names)(**taken)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    for name in names:
        slope = tcalc.evaluate(tcalc.gradient(unrolled, name), **arrays)
        np.testing.assert_allclose(gradient[name], slope, rtol=1e-10, atol=1e-12, err_msg=name)


def test_steps_have_the_names_of_the_program() -> None:
    walk = tcalc.recurrence("s{1} = 0; for t = 1:T-1; s{t+1} = s{t} + x[t]; end; s{T}", "x[T]")
    found = walk.steps(["s", "s{t+1}"])(x=[1.0, 2.0, 4.0])
    assert {name: x.tolist() for name, x in found.items()} == {
        "s": [1.0, 3.0],
        "s{t+1}": [1.0, 3.0],
    }
    with pytest.raises(tcalc.TcalcError, match=r"no step defines 's\{t\}'"):
        walk.steps("s{t}")


def test_axes_of_what_nothing_declares_are_counted() -> None:
    walk = tcalc.recurrence("s{0} = 0; for t = 1:T; s{t} = s{t-1} + sum(y[t,:,1]); end; s{T}", T=2)
    assert float(walk(y=np.ones((2, 3, 1)))) == 6.0
