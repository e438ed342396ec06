"""The list of functions: complete, documented, light to import."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from tcalc.expr import build, shape
from tcalc.primitives import CONSTANTS, FUNCTIONS, REGISTRY, Kind, Signature

SPINE = """
exp log log1p log1mexp expm1 log2 log10 sqrt abs sign relu step sigmoid softplus square
reciprocal
sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf erfc gamma lgamma digamma
normpdf normcdf xlogx xlogy max min pow atan2 logaddexp sum mean prod logsumexp norm1 norm2 norminf
softmax logsoftmax tr det logdet inv adj solve trisolve chol diag tril triu outer dot transpose
hadamard pinv logabsdet slogdet qr lq eigh eigvalsh svd svdvals expm sqrtm lyap sylvester kron vec
normnuc normspec arcsin arccos arctan arcsinh arccosh arctanh
"""


@pytest.mark.parametrize("name", SPINE.split())
def test_the_functions_of_the_language_are_there(name):
    assert name in REGISTRY


@pytest.mark.parametrize("function", FUNCTIONS, ids=[f.name for f in FUNCTIONS])
def test_every_function_is_documented(function):
    assert function.summary
    assert function.domain
    assert function.derivative
    assert function.forms


SOURCED = """
chol qr lq eigh eigvalsh svd svdvals expm sqrtm logm powm pinv polar normnuc normspec lyap sylvester
logdet logabsdet slogdet trisolve
"""


@pytest.mark.parametrize("name", SOURCED.split())
def test_functions_of_matrices_tell_where_their_formulas_come_from(name):
    assert REGISTRY[name].source


def test_names_are_unique():
    names = [name for function in FUNCTIONS for name in (function.name, *function.aliases)]
    assert len(names) == len(set(names))


def test_importing_the_primitives_imports_no_array_library():
    code = "import sys, tcalc.primitives, tcalc.primitives.symbolic; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "scipy", "sympy", "networkx"} & set(run.stdout.split())


def test_signatures_fit_orders():
    signature = Signature.parse("...nn,...n->...n")
    assert signature.batch([2, 1]) == 0
    assert signature.batch([3, 2]) == 1
    assert signature.batch([3, 1]) is None
    assert signature.batch([1, 1]) is None
    assert signature.batch([2]) is None
    assert Signature.parse("n->nn").batch([2]) is None


def test_a_function_picks_the_form_for_its_arguments():
    assert REGISTRY["max"].form([2]).kind is Kind.REDUCTION
    assert REGISTRY["max"].form([2, 2]).kind is Kind.ELEMENTWISE
    assert REGISTRY["max"].form([2, 0]).kind is Kind.ELEMENTWISE
    assert REGISTRY["max"].form([2, 1]) is None
    assert REGISTRY["max"].arities == (1, 2)
    assert REGISTRY["polygamma"].arities == (2,)
    x, A = build.var("x", shape("n")), build.var("A", shape("n", "n"))
    assert REGISTRY["diag"].form([1]).build(x).order == 2
    assert REGISTRY["diag"].form([2]).build(A).order == 1


@pytest.mark.parametrize("function", FUNCTIONS, ids=[f.name for f in FUNCTIONS])
def test_applications_survive_pickling(function):
    for form in function.forms:
        if form.kind is Kind.TENSOR:
            patterns = form.signature.inputs
            args = [build.var(f"x{k}", shape(*p.letters)) for k, p in enumerate(patterns)]
        else:
            args = [build.var("x", shape("n"))] * form.arity
        literals = [2] if form.parameters else []
        extra = [1] if form.kind in (Kind.REDUCTION, Kind.NORMALISATION) else []
        built = form.build(*literals, *args, *extra)
        for node in built if isinstance(built, tuple) else (built,):
            assert pickle.loads(pickle.dumps(node)) is node


def test_pi_is_a_constant():
    pi = CONSTANTS["pi"]()
    assert pi.dims == ()
    assert pickle.loads(pickle.dumps(pi)) is pi
