"""The printed forms of many results, kept in a file to be read in review.

Refresh it with ``TCALC_REFRESH_GOLDEN=1 pytest tests/printing``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from printed_programs import EXAMPLES

import tcalc
from tcalc import gallery
from tcalc.printing import to_latex, to_text

FOLDER = Path(__file__).parent.parent / "golden"

MODELS = (
    "deep_net",
    "factorisation",
    "l1_regression",
    "least_squares",
    "log_det_inverse",
    "log_determinant",
    "log_loss",
    "logistic",
    "masked_factorisation",
    "matrix_times_exp",
    "power",
    "quadratic_form",
    "ridge",
    "sine_product",
    "trace_product",
    "weighted_product",
)
"""The models of the gallery whose derivatives are short enough to be read."""


def test_printed_forms_are_as_reviewed() -> None:
    _compare("printed.txt", _page())


@pytest.mark.parametrize("name", MODELS)
def test_derivatives_of_models_are_as_reviewed(name: str) -> None:
    model = gallery.load(name)
    program = tcalc.parse(model.text)
    page: list[str] = []
    for variable in model.wrt:
        for order in (1, 2) if not program.shape else (1,):
            found = tcalc.derivative(program, *[variable] * order)
            page.append(f"by {variable}, order {order}")
            page += [f"  {line}" for line in str(found).splitlines()]
            page += [f"  {line}" for line in found.einstein().splitlines()]
            page += [f"  {line}" for line in found.latex().splitlines()]
            page += [f"  {line}" for line in found.mathml().splitlines()]
    _compare(f"models/{name}.txt", page)


def _compare(name: str, page: list[str]) -> None:
    text, file = "\n".join(page), FOLDER / name
    if os.environ.get("TCALC_REFRESH_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def _page() -> list[str]:
    lines: list[str] = []
    for example in EXAMPLES:
        declared = f"  [{example.declarations}]" if example.declarations else ""
        lines += [f"{example.text}{declared}  by {example.variable}", ""]
        for order, node in enumerate(example.derivatives()):
            forms = {
                "matrix": to_text(node, notation="matrix", order=example.order),
                "einstein": to_text(node, notation="einstein", order=example.order),
                "latex": to_latex(node, order=example.order),
            }
            for name, form in forms.items():
                lines += [f"  {order} {name:8} {line}" for line in form.splitlines()]
        lines.append("")
    return lines
