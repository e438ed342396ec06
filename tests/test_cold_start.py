"""What compiling and running a function leaves alone until something else asks for it."""

from __future__ import annotations

import subprocess
import sys

NOT_NEEDED = [
    "tcalc.backslash",
    "tcalc.checking",
    "tcalc.codegen.c",
    "tcalc.codegen.targets.cupy",
    "tcalc.language.recurrences",
    "tcalc.pictures",
    "tcalc.printing",
    "tcalc.recurrences",
    "networkx",
    "opt_einsum",
    "sympy",
]

CODE = f"""
import sys
import tcalc
f = tcalc.parse("sum(log(1 + exp(-y .* (X*w))))", "X[m,n], y[m], w[n]")
fun = tcalc.compile([f, tcalc.gradient(f, "w"), tcalc.hessian(f, "w")])
fun(X=[[1.0, 2.0]], y=[1.0], w=[0.0, 0.0])
print([name for name in {NOT_NEEDED} if name in sys.modules])
"""


def test_a_first_call_imports_no_more_than_it_needs() -> None:
    found = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
