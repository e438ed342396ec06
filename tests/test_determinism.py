"""The same input gives the same output, byte for byte, whatever the process did before."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import tcalc

SHOW = """
import tcalc
f = tcalc.parse(
    "sum(log(1 + exp(-y .* (X*w)))) + w'*K*w + logdet(K + X'*X)",
    "X[m,n], y[m], w[n], K[n,n] spd",
)
g, H = tcalc.gradient(f, ["w", "K"]), tcalc.hessian(f, "w")
print(g["w"], g["K"], H, H.einstein(), H.latex(), tcalc.hessian(f, "K"), sep="\\n")
print(tcalc.compile([f, g["w"], g["K"], H]).source)
declared = ", ".join(f"{name}[n,n]" for name in "ABCDE")
print(tcalc.parse("(A + B')*(D + E')*C + (A + B')*(D + E')*A + C*A", declared))
print(tcalc.hessian(tcalc.parse("norm2(S*w - b.*w)^2 + w'*(A + A')*(B + B')*w"), "w"))
"""

UNRELATED = """
import tcalc
for k in range(3):
    a = tcalc.parse(f"tr(inv(A + {k}*B)) + norm2(x)^2 + sum(tanh(C*x))")
    str(tcalc.hessian(a, "x")), str(tcalc.gradient(a, "A"))
    tcalc.compile(tcalc.gradient(a, "C")).source
"""


def output(code: str, seed: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_output_does_not_depend_on_the_process():
    first = output(SHOW, "0")
    assert "def compute" in first
    assert output(SHOW, "1") == first
    assert output(UNRELATED + SHOW, "2") == first


@pytest.mark.parametrize("order", [("w", "X"), ("X", "w")])
def test_derivatives_by_several_variables_do_not_depend_on_their_order(order):
    f = tcalc.parse("sum(exp(X*w))")
    found = tcalc.gradient(f, list(order))
    for name in order:
        assert found[name].node is tcalc.gradient(f, name).node
