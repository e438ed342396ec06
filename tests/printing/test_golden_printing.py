"""The printed forms of many results, kept in a file to be read in review.

Refresh it with ``TCALC_REFRESH_GOLDEN=1 pytest tests/printing``.
"""

from __future__ import annotations

import os
from pathlib import Path

from printed_programs import EXAMPLES

from tcalc.printing import to_latex, to_text

GOLDEN = Path(__file__).parent.parent / "golden" / "printed.txt"


def test_printed_forms_are_as_reviewed() -> None:
    text = "\n".join(_page())
    if os.environ.get("TCALC_REFRESH_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


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
