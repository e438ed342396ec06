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

LONG = ("kalman_filter", "rts_smoother")
"""Models whose Hessians fill pages."""

READ = 700
"""The most characters of a result that is kept as text in both notations."""

SET = 300
"""The most characters of one that is kept in LaTeX and MathML as well."""


def test_printed_forms_are_as_reviewed() -> None:
    _compare("printed.txt", _page())


@pytest.mark.parametrize("model", gallery.models(), ids=lambda model: model.name)
def test_derivatives_of_models_are_as_reviewed(model: gallery.Model) -> None:
    name, program = model.name, tcalc.parse(model.text)
    page: list[str] = []
    for variable in model.wrt:
        for order in (1, 2) if not (program.shape or name in LONG) else (1,):
            found = tcalc.derivative(program, *[variable] * order)
            page.append(f"by {variable}, order {order}")
            if len(str(found)) > READ:
                page.append(f"  {len(str(found).splitlines())} lines")
                continue
            page += [f"  {line}" for line in str(found).splitlines()]
            page += [f"  {line}" for line in found.einstein().splitlines()]
            if len(str(found)) <= SET:
                page += [f"  {line}" for line in found.latex().splitlines()]
                page += [f"  {line}" for line in found.mathml().splitlines()]
    _compare(f"models/{name}.txt", page)


def _compare(name: str, page: list[str]) -> None:
    text, file = "\n".join(page), FOLDER / name
    if os.environ.get("TCALC_REFRESH_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    if not file.exists():
        pytest.fail(f"{name} is to be written by TCALC_REFRESH_GOLDEN=1, read, and committed")
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
