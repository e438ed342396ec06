"""What the page does while it waits, where nobody answers, and where it cannot run."""

from __future__ import annotations

import json

import pytest
from browsing import WAIT
from serving import needed

expect = needed("playwright.sync_api", "browser").expect
pytestmark = pytest.mark.browser
expect.set_options(timeout=WAIT)

BUSY = {"error": {"kind": "busy", "message": "there are too many requests", "hint": None}}


@pytest.fixture
def unanswered(form):
    """The page, whose failed requests the console may tell of."""
    yield form
    form.page.unroute("**/api/*")
    form.complaints[:] = [x for x in form.complaints if "Failed to load resource" not in x]


@pytest.mark.parametrize("operation", ["parse", "derivative"])
def test_while_an_answer_is_under_way_nothing_is_called_checked(form, operation):
    form.open(f="x'*x", wrt="x")
    form.page.get_by_text("checked numerically, largest error").wait_for()
    held = []
    form.page.route(f"**/api/{operation}", lambda route: held.append(route))
    form.type("3*x'*x")
    expect(form.page.locator("#badge")).to_have_text("computing …")
    expect(form.page.locator("#panel")).to_have_attribute("aria-busy", "true")
    for route in held:
        route.continue_()
    form.page.unroute(f"**/api/{operation}")
    form.reads("6*x")
    form.page.get_by_text("checked numerically, largest error").wait_for()
    expect(form.page.locator("#panel")).to_have_attribute("aria-busy", "false")


def test_what_is_overtaken_is_never_shown(form):
    form.open(f="x'*x", wrt="x")
    form.reads("2*x")
    held, gone = [], []

    def lost(request):
        gone.append(request.failure)

    form.page.on("requestfailed", lost)
    form.page.route(
        "**/api/derivative", lambda route: route.continue_() if held else held.append(route)
    )
    form.type("5*x'*x")
    expect(form.page.locator("#badge")).to_have_text("computing …")
    form.type("7*x'*x")
    form.reads("14*x")
    held[0].continue_()
    form.page.get_by_text("checked numerically, largest error").wait_for()
    form.reads("14*x")
    # The server is told, too, and ends what it computes.
    assert "net::ERR_ABORTED" in gone
    form.page.unroute("**/api/derivative")
    form.page.remove_listener("requestfailed", lost)


def test_a_server_that_comes_back_is_asked_again(unanswered):
    form = unanswered
    form.open(f="x'*x", wrt="x")
    form.reads("2*x")
    form.page.route("**/api/*", lambda route: route.abort())
    form.type("3*x'*x")
    expect(form.page.locator("#panel .failure")).to_contain_text("the server does not answer")
    form.page.unroute("**/api/*")
    form.reads("6*x")


def test_properties_and_examples_come_though_they_did_not_at_first(unanswered):
    form = unanswered
    form.page.route("**/api/*", lambda route: route.abort())
    form.open(f="x'*A*x", wrt="x")
    form.page.get_by_role("button", name="Examples").click()
    expect(form.page.locator("#gallery-list .failure")).to_be_visible()
    form.page.unroute("**/api/*")
    form.page.locator("#gallery-list .gallery-item").first.wait_for()
    form.page.keyboard.press("Escape")
    form.reads("(A + A')*x")
    form.page.get_by_label("properties of A").first.click()
    form.page.get_by_label("symmetric", exact=True).check()
    form.reads("2*A*x")


def test_a_server_at_its_limit_is_asked_three_times_and_then_by_hand(unanswered):
    form = unanswered
    asked = []

    def refuse(route):
        asked.append(route.request.url.rpartition("/")[2])
        headers = {"Retry-After": "0", "Content-Type": "application/json"}
        route.fulfill(status=503, headers=headers, body=json.dumps(BUSY))

    form.open(f="x'*x", wrt="x")
    form.reads("2*x")
    form.page.route("**/api/*", refuse)
    form.type("3*x'*x")
    expect(form.page.locator("#panel .failure")).to_contain_text("there are too many requests")
    assert asked.count("parse") == 3
    form.page.unroute("**/api/*")
    form.page.get_by_role("button", name="Try again").click()
    form.reads("6*x")


def test_an_empty_page_offers_examples(form):
    form.open(f="x'*x", wrt="x")
    form.reads("2*x")
    form.type("")
    form.page.get_by_role("button", name="an example").click()
    form.page.locator("[data-name=ridge]").click()
    form.page.get_by_text("checked numerically, largest error").wait_for()


def test_a_long_program_scrolls_in_its_field_with_the_cursor(form):
    form.open()
    form.type("\n".join(f"x{k} = exp({k}*x)" for k in range(60)) + "\nsum(x59)")
    field = form.page.get_by_label("Formula", exact=True)
    field.press("Control+End")
    field.press_sequentially(" + sum(x3)")
    box = "document.querySelector('.editor')"
    shown, whole, top = form.page.evaluate(
        f"[{box}.clientHeight, {box}.scrollHeight, {box}.scrollTop]"
    )
    assert shown < 0.61 * form.page.viewport_size["height"] < whole
    assert top + shown > whole - 40
    field.press("Control+Home")
    assert form.page.evaluate(f"{box}.scrollTop") < 40


def test_on_paper_there_is_nothing_to_click(form):
    form.open(f="norm2(X*w - y)^2", wrt="w")
    form.reads("2*X'*(X*w - y)")
    form.page.get_by_role("button", name="Switch to dark colours").click()
    form.page.emulate_media(media="print")
    for seen in ("#reading math", ".result .formula-box math", "#badge", "#tab-mathematics"):
        assert form.page.locator(seen).is_visible(), seen
    for hidden in ("#open-gallery", "#tab-latex", ".result .buttons", "#formula", "#cse-switch"):
        assert not form.page.locator(hidden).is_visible(), hidden
    ink = form.page.evaluate("getComputedStyle(document.body).color")
    assert max(map(int, ink.removeprefix("rgb(").removesuffix(")").split(","))) < 60
    form.page.emulate_media(media="screen")


def test_without_javascript_it_says_what_is_missing(chromium, address):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator(".noscript").is_visible()
    context.close()
