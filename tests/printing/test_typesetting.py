"""LaTeX and MathML: well formed, and with the signs of the trade."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from printed_programs import EXAMPLES, Example

import tcalc
from tcalc import gallery
from tcalc.language import parse
from tcalc.printing import to_latex, to_mathml


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.text)
def test_both_are_well_formed(example: Example) -> None:
    for node in example.derivatives():
        for notation in ("auto", "einstein"):
            latex = to_latex(node, notation=notation, order=example.order)
            assert _balanced(latex)
            mathml = to_mathml(node, notation=notation, order=example.order)
            _check(ET.fromstring(mathml))


SIGNS = [
    ("X'*(X*w - y)", "X[m,n]", r"X^\top (X w - y)"),
    ("-inv(X)'", "X[n,n]", r"-X^{-\top}"),
    ("norm2(x)", "x[n]", r"\| x \|_2"),
    ("a/b", "", r"\frac{a}{b}"),
    ("diag(x)*A", "A[n,n]", r"\operatorname{diag}(x) A"),
    ("lambda*x", "x[n]", r"\lambda x"),
    ("alpha_2*x", "alpha_2, x[n]", r"\alpha_2 x"),
    ("K_inv_2*x", "K_inv_2[n,n], x[n]", r"K_{\mathrm{inv}, 2} x"),
    ("q_*x", "q_, x[n]", r"\mathrm{q\_} \, x"),
    ("varepsilon*sigma2*x_1", "varepsilon, sigma2, x_1[n]", r"\varepsilon \sigma_2 x_1"),
    ("rate*x", "rate, x[n]", r"\mathrm{rate} \, x"),
    ("sqrt(a)", "", r"\sqrt{a}"),
    ("x.*y", "", r"x \odot y"),
    ("kron(A + C, B)*x", "A[m,n], C[m,n], B[p,q], x[n*q]", r"((A + C) \otimes B) x"),
    (
        "where(a < b, a, 0)",
        "",
        r"\begin{cases} a & \text{if } a < b \\ 0 & \text{otherwise} \end{cases}",
    ),
    ("x.^(a + 1)", "x[n], a", r"x^{\odot (1 + a)}"),
    ("prodothers(x + y)", "x[n], y[n]", r"\left[ \prod_{j \ne i} (x + y)_j \right]_i"),
    ("eye(n)*3 + A", "A[n,n]", r"A + 3 I_n"),
    ("ones(n)*a", "x[n]", r"a \mathbf{1}_n"),
]


@pytest.mark.parametrize(("text", "declared", "latex"), SIGNS)
def test_latex_signs(text: str, declared: str, latex: str) -> None:
    program = parse(
        text + ("; tensor x[n]" if "ones" in text else ""), "" if "ones" in text else declared
    )
    assert to_latex(program.value, order=list(program.variables)) == latex


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("x_hat", r"\hat{x}"),
        ("x1_bar", r"\bar{x}_1"),
        ("x_1_bar", r"\bar{x}_1"),
        ("alpha_tilde_2", r"\tilde{\alpha}_2"),
        ("x_hat_max_2", r"\hat{x}_{\mathrm{max}, 2}"),
        ("x_1_2", "x_{1, 2}"),
        ("bar_x", r"\mathrm{bar}_x"),
        ("x_é", r"x_{\text{é}}"),
        ("élan", r"\text{élan}"),
    ],
)
def test_names_with_suffixes(name: str, latex: str) -> None:
    assert to_latex(parse(f"tensor {name}; {name}").value) == latex


@pytest.mark.parametrize("notation", ["auto", "einstein"])
@pytest.mark.parametrize("model", gallery.models(), ids=lambda model: model.name)
def test_gradients_of_models_are_well_formed(model: gallery.Model, notation: str) -> None:
    program = tcalc.parse(model.text)
    for name in model.wrt:
        found = tcalc.derivative(program, name)
        latex = found.latex(notation)
        assert _balanced(latex)
        assert all(_balanced(row) for row in latex.replace(r"\\", "").splitlines()[1:-1])
        _check(ET.fromstring(found.mathml(notation)))


def test_words_stand_apart_in_mathml() -> None:
    node = parse("2*rate*diag(x)", "rate, x[n]").value
    assert to_mathml(node).count("<mspace") == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sigmoid(x)", "σ(x)"),
        ("lgamma(x)", "logΓ(x)"),
        ("log10(x)", "log10(x)"),
        ("asinh(x)", "arsinh(x)"),
        ("polygamma(2, x)", "ψ(2)(x)"),
        ("logdet(A)", "logdet(A)"),
        ("softplus(x)", "softplus(x)"),
    ],
)
def test_functions_have_one_name_in_latex_and_mathml(text: str, shown: str) -> None:
    node = parse(text, "x, A[n,n]").value
    found = "".join(ET.fromstring(to_mathml(node)).itertext())
    assert found == shown
    symbols = {"\\sigma": "σ", "\\Gamma": "Γ", "\\psi": "ψ", "\\operatorname": ""}
    latex = to_latex(node)
    for command, letter in symbols.items():
        latex = latex.replace(command, letter)
    assert re.sub(r"[\\{}_^]", "", latex) == shown


def test_greek_variants_in_mathml() -> None:
    assert "ϑ" in to_mathml(parse("vartheta*x", "vartheta, x[n]").value)


def test_einstein_sums_and_indices() -> None:
    node = parse("s = exp(X[i,j]*w[j])*c[i]*A[i,2]", "X[m,n], A[m,n]").value
    assert r"_{i 2}" in to_latex(node, notation="einstein")


def _balanced(latex: str) -> bool:
    depth = 0
    for character in latex.replace(r"\{", "").replace(r"\}", ""):
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return depth == 0 and latex.count(r"\left") == latex.count(r"\right")


def _check(element: ET.Element) -> None:
    """Scripts and fractions have as many children as MathML asks for."""
    wanted = {"msub": 2, "msup": 2, "mfrac": 2, "msubsup": 3}
    for part in element.iter():
        name = part.tag.rsplit("}", 1)[-1]
        assert len(part) == wanted.get(name, len(part))


def test_long_sums_and_products_are_broken_into_lines() -> None:
    names = [f"alpha_matrix{k}" for k in range(12)]
    declared = ", ".join(f"{name}[n,n]" for name in names)
    product = parse("*".join(names), declared).value
    rows = to_latex(product, order=names).splitlines()
    assert len(rows) > 3
    assert all(row.startswith(r"& \quad \cdot") for row in rows[2:-1])
    total = to_latex(parse(" - ".join(names), declared).value, order=names).splitlines()
    assert all(row.startswith(r"& \quad -") for row in total[2:-1])
    assert to_mathml(product, order=names).count("<mtr>") == len(rows) - 2


def test_a_name_with_a_subscript_gets_indices_in_braces() -> None:
    assert to_latex(parse("x_1.*x_2", "x_1[n], x_2[n]").value, notation="einstein") == (
        "T_i = {x_1}_i {x_2}_i"
    )


def test_a_long_sum_times_a_number_is_broken_inside_its_parentheses() -> None:
    terms = " + ".join(f"c_{k}*norm2(A_{k}*x - y)^2" for k in range(1, 31))
    node = parse(f"2*({terms})").value
    latex = to_latex(node)
    assert latex.count("\\\\") == 29
    assert _balanced(latex)
    mathml = ET.fromstring(to_mathml(node))
    _check(mathml)
    rows = mathml.findall(".//{http://www.w3.org/1998/Math/MathML}mtr")
    assert len(rows) == 30
    assert rows[-1][0][0][-1].text == ")"
