"""The Python sessions of a page, run as one."""

from __future__ import annotations

import doctest
import re

import pytest


def run_sessions(page: str, name: str) -> int:
    """Run what stands in the ``pycon`` blocks of a page, and tell the number of its examples."""
    text = "\n".join(re.findall(r"^```pycon\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    test = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    report: list[str] = []
    doctest.DocTestRunner(optionflags=options, verbose=False).run(test, out=report.append)
    if report:
        pytest.fail("".join(report), pytrace=False)
    return len(test.examples)
