"""Texts that are too long for the page."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import pytest
from browsing import WAIT
from serving import needed

from web import schemas

expect = needed("playwright.sync_api", "browser").expect
pytestmark = pytest.mark.browser
expect.set_options(timeout=WAIT)

MEGABYTES = 3
TOO_LONG = re.compile(r"characters are too many: a formula on this page has at most 20,000")


def paste(form, text):
    """Paste as people do; the seconds until the page answers again."""
    form.page.evaluate("text => navigator.clipboard.writeText(text)", text)
    began = perf_counter()
    form.page.keyboard.press("ControlOrMeta+v")
    form.page.evaluate("1")
    return perf_counter() - began


@contextmanager
def asked(form):
    """The programs that the server is asked to read."""
    found = []

    def hear(request):
        if request.url.endswith("/api/parse"):
            found.append(request.post_data)

    form.page.on("request", hear)
    yield found
    form.page.remove_listener("request", hear)


def test_the_limit_of_the_page_is_that_of_the_server():
    script = Path(schemas.__file__).parent / "static" / "limits.js"
    (limit,) = re.findall(r"LONGEST = ([\d_]+);", script.read_text())
    assert int(limit) == schemas.LONGEST_FORMULA


def test_megabytes_are_refused_before_they_are_in_the_field(form):
    form.open(f="x'*x", wrt="x")
    form.reads("2*x")
    field = form.page.get_by_label("Formula", exact=True)
    field.press("End")
    with asked(form) as requests:
        # In the field they would be laid out for five seconds, and again at every key.
        assert paste(form, "x + 1 # 2\n" * (MEGABYTES * 100_000)) < 2
        expect(form.page.locator("#complaint")).to_contain_text(TOO_LONG)
    expect(form.page.locator("#complaint")).to_contain_text("3,000,004 characters")
    assert field.input_value() == "x'*x"
    assert not requests
    form.reads("2*x")
    form.page.keyboard.type("*a")
    form.reads("2*a*x")
    expect(form.page.locator("#complaint")).to_be_empty()


def test_an_address_with_a_formula_that_is_too_long(form):
    with asked(form) as requests:
        form.open(f="x+" * 10_000 + "x", wrt="x")
        expect(form.page.locator("#complaint")).to_contain_text(TOO_LONG)
        expect(form.page.locator("#panel")).to_contain_text("No derivative")
    assert not requests
    form.type("3*x'*x")
    form.reads("6*x")


def test_a_claim_is_refused_as_a_whole_and_never_cut(form):
    form.open(f="x'*x", wrt="x")
    form.reads("2*x")
    form.page.get_by_text("Compare with yours").click()
    form.page.get_by_label("Your derivative").focus()
    paste(form, "x+" * 10_000 + "x")
    expect(form.page.locator("#claim-verdict")).to_contain_text(TOO_LONG)
    assert form.page.get_by_label("Your derivative").input_value() == ""
    paste(form, "x+" * 3_000 + "x - 2999*x")
    expect(form.page.locator("#claim-verdict")).to_contain_text("the same on random data")
