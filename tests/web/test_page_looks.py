"""How the page looks in a real browser: colours, sizes, accessibility, and its first load."""

from __future__ import annotations

import importlib
import json
import time

import pytest
from browsing import WAIT, Form

pytestmark = pytest.mark.browser


def test_light_and_dark(form, context):
    form.open()
    colour = "getComputedStyle(document.body.parentElement).backgroundColor"
    light = form.page.evaluate(colour)
    form.page.get_by_role("button", name="Switch to dark colours").click()
    dark = form.page.evaluate(colour)
    assert light != dark
    form.page.reload()
    assert form.page.evaluate(colour) == dark


def test_the_first_click_leaves_the_dark_of_the_system(form):
    form.page.emulate_media(color_scheme="dark")
    form.open()
    colour = "getComputedStyle(document.body.parentElement).backgroundColor"
    dark = form.page.evaluate(colour)
    form.page.get_by_role("button", name="Switch to light colours").click()
    assert form.page.evaluate(colour) != dark
    form.page.get_by_role("button", name="Switch to dark colours").click()
    assert form.page.evaluate(colour) == dark
    form.page.emulate_media(color_scheme="light")


LONG = " + ".join(f"c_{k}*norm2(A_{k}*x - y)^2" for k in range(1, 31))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"f": LONG, "wrt": "x"},
        {"f": "x*y"},
        {"f": "norm2(X*w - y)^2", "wrt": "w,X", "order": "2", "tab": "numpy"},
        {"f": "sum(exp(X*w))", "wrt": "w", "tab": "steps"},
        {"f": "norm2(A*tanh(B*tanh(C*tanh(D*x))) - y)^2", "wrt": "x", "tab": "steps"},
        {"f": "sum(exp(X*w))", "wrt": "w", "tab": "graph"},
        {"f": "sum(exp(X*w))", "wrt": "w,X", "tab": "cost", "order": "2"},
    ],
    ids=["first", "long", "error", "code", "steps", "long steps", "graph", "cost"],
)
def test_nothing_overflows(form, fields):
    form.open(**fields)
    form.settle()
    for width in (1440, 768, 360, 320):
        form.page.set_viewport_size({"width": width, "height": 800})
        assert form.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [320, 660, 1440])
def test_every_tab_is_in_view(form, width):
    form.page.set_viewport_size({"width": width, "height": 800})
    form.open()
    for tab in form.page.get_by_role("tab").all():
        box = tab.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width


def test_what_is_chosen_is_seen_where_the_system_sets_all_colours(form):
    form.page.emulate_media(forced_colors="active")
    form.open(f="x'*A*x +", wrt="x")
    form.page.locator(".editor .caret").wait_for(state="attached", timeout=WAIT)
    colour = "(one, name) => getComputedStyle(one)[name]"
    # The mark of the mistake is on the layer below the field.
    assert form.page.locator("#formula").evaluate(colour, "backgroundColor") == "rgba(0, 0, 0, 0)"
    form.type("x'*A*x")
    form.reads("(A + A')*x")
    chosen, other = (
        form.page.locator(f"#wrt-{name} + span").evaluate(colour, "backgroundColor")
        for name in "xA"
    )
    assert chosen != other
    switch = form.page.get_by_role("switch")
    assert switch.evaluate(colour, "borderTopStyle") == "solid"
    first, second = (
        form.page.get_by_role("tab", name=name).evaluate(colour, "borderBottomColor")
        for name in ("Mathematics", "Einstein")
    )
    assert first != second
    form.page.emulate_media(forced_colors="none")


def test_menus_stay_on_a_phone(form):
    form.page.set_viewport_size({"width": 360, "height": 740})
    form.open(f="x'*K*x")
    form.settle()
    form.page.locator("#variables-box > summary").click()
    for name in ("x", "K"):
        form.page.get_by_label(f"properties of {name}").first.click()
        form.page.locator(f"#properties-{name} .choices").wait_for()
        assert form.page.evaluate("document.documentElement.scrollWidth") <= 360
        form.page.keyboard.press("Escape")
        form.page.locator(f"#properties-{name} .choices").wait_for(state="hidden")


def test_a_long_sum_is_broken_into_lines(form):
    form.open(f=LONG, wrt="x")
    rows = form.page.locator(".result mtr")
    rows.first.wait_for(timeout=WAIT)
    assert rows.count() >= 25


@pytest.fixture(scope="module")
def bare(chromium):
    """A tab without the content policy, which keeps axe out too."""
    made = chromium.new_page(bypass_csp=True)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("path", "scheme", "width", "dialog"),
    [
        ("", "light", 1440, ""),
        ("", "dark", 360, ""),
        ("", "light", 360, "Help"),
        ("", "dark", 1440, "Help"),
        ("", "dark", 360, "Examples"),
        ("#f=x*y", "dark", 1440, ""),
        ("#f=", "light", 1440, ""),
        ("#f=sum(exp(A*x))&wrt=x&tab=steps", "light", 1440, ""),
        ("#f=sum(exp(A*x))&wrt=x&tab=cost", "dark", 1440, ""),
        ("#f=sum(exp(A*x))&tab=numpy", "light", 360, ""),
        ("api", "light", 1440, ""),
        ("api", "dark", 360, ""),
    ],
)
def test_axe_finds_nothing(bare, address, path, scheme, width, dialog):
    axe = importlib.import_module("axe_playwright_python.sync_playwright")
    bare.emulate_media(color_scheme=scheme)
    bare.set_viewport_size({"width": width, "height": 900})
    form = Form(bare, address)
    bare.goto(f"{address}/{path}")
    form.settle()
    for closed in bare.get_by_text("Compare with yours").all():
        closed.click()
    if dialog:
        bare.get_by_role("button", name=dialog).click()
        bare.locator("dialog[open] :is(.function-entry, .gallery-item)").first.wait_for()
    violations = axe.Axe().run(bare).response["violations"]
    assert not violations, json.dumps(violations, indent=1)[:3000]
    assert bare.evaluate("document.documentElement.scrollWidth") <= width
    form.leave()
    assert not form.complaints
    assert not form.elsewhere


def test_the_first_load_is_small_and_quick(chromium, address):
    page = chromium.new_page()
    sizes = {}
    page.on("response", lambda r: sizes.update({r.url: len(r.body())}) if r.ok else None)
    start = time.perf_counter()
    page.goto(address)
    page.locator(".result math").first.wait_for(timeout=WAIT)
    elapsed = time.perf_counter() - start
    page.wait_for_load_state("networkidle")
    page.close()
    assert sum(size for url, size in sizes.items() if "/font/" not in url) < 200_000
    # Under a second where nothing else runs.
    assert elapsed < 3
