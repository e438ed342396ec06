"""The page in a real browser, as people use it."""

from __future__ import annotations

import importlib.util
import json
import re
import time
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
from serving import needed

from tcalc import gallery

expect = needed("playwright.sync_api", "browser").expect
pytestmark = pytest.mark.browser

DOCUMENTED = [model for model in gallery.models() if model.source == "MatrixCalculus.org"]
WAIT = 10_000
expect.set_options(timeout=WAIT)

# Chromium's own words for answers that are errors: the page asks and the server says no.
ANSWERED = "Failed to load resource: the server responded with a status of 422"


class Form:
    """The page, as a user sees it."""

    def __init__(self, page, address):
        self.page, self.address = page, address
        self.complaints, self.elsewhere = [], []
        self._listeners = {
            "console": self._heard,
            "pageerror": lambda error: self.complaints.append(str(error)),
            "request": self._asked,
        }
        for event, listener in self._listeners.items():
            page.on(event, listener)

    def leave(self):
        """Leave the tab as it was."""
        self.page.evaluate("localStorage.clear()")
        self.page.goto("about:blank")
        self.page.set_viewport_size(WIDE)
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)

    def _heard(self, message):
        if message.type in ("error", "warning") and not message.text.startswith(ANSWERED):
            self.complaints.append(message.text)

    def _asked(self, request):
        if urlsplit(request.url).scheme not in ("data", "blob") and not request.url.startswith(
            self.address
        ):
            self.elsewhere.append(request.url)

    def open(self, **fields):
        fragment = "&".join(f"{key}={quote(value)}" for key, value in fields.items())
        self.page.goto(f"{self.address}/{'#' if fragment else ''}{fragment}")
        return self

    def settle(self):
        """Wait until there is a result or a complaint."""
        done = "#panel > *, #complaint > *, #operations > *"
        self.page.locator(done).first.wait_for(timeout=WAIT)

    def type(self, formula):
        self.page.get_by_label("Formula", exact=True).fill(formula)

    def reads(self, text, where=".result .plain"):
        """Wait until a result reads so."""
        found = self.page.locator(where, has_text=re.compile(f"^{re.escape(text)}$"))
        found.first.wait_for(timeout=WAIT)

    def tab(self, title):
        self.page.get_by_role("tab", name=title).click()


WIDE = {"width": 1440, "height": 900}


@pytest.fixture(scope="module")
def context(chromium):
    made = chromium.new_context(viewport=WIDE, accept_downloads=True)
    made.grant_permissions(["clipboard-read", "clipboard-write"])
    yield made
    made.close()


# A tab takes longer to open than a page to load, so that the tests share one.
@pytest.fixture(scope="module")
def page(context):
    made = context.new_page()
    yield made
    made.close()


@pytest.fixture
def form(page, address):
    """The page; whatever a test does, nothing leaves the machine and the console stays empty."""
    made = Form(page, address)
    yield made
    made.leave()
    assert not made.complaints
    assert not made.elsewhere


@pytest.mark.parametrize("model", DOCUMENTED, ids=lambda model: model.name)
def test_documented_examples_give_their_derivative(form, client, model):
    form.open()
    by_name = {x["name"]: x for x in client.get("/api/examples").json()["examples"]}
    example = by_name[model.name]
    wrt = [model.wrt[0]]
    request = {"formula": example["formula"], "wrt": wrt, "declarations": example["declarations"]}
    (expected,) = client.post("/api/derivative", json=request).json()["results"]
    form.page.get_by_role("button", name="Examples").click()
    form.page.locator(f"[data-name={model.name}]").click()
    form.reads(expected["text"])
    assert form.page.locator(".result math").count()
    form.page.get_by_text("checked numerically, largest error").first.wait_for(timeout=WAIT)


def test_a_formula_is_typed_and_its_derivative_read(form):
    form.open()
    field = form.page.get_by_label("Formula", exact=True)
    field.fill("")
    field.press_sequentially("tr(A*X'*B*X*C)", delay=5)
    form.page.get_by_role("checkbox", name="X", exact=True).check()
    form.page.get_by_role("checkbox", name="A", exact=True).uncheck()
    form.reads("B*X*C*A + B'*X*A'*C'")
    assert form.page.locator("#reading math").count() == 1


def test_a_type_is_changed_by_menu(form):
    form.open(f="x'*A*x", wrt="x")
    form.reads("(A + A')*x")
    form.page.get_by_label("properties of A").first.click()
    form.page.get_by_label("symmetric", exact=True).check()
    form.reads("2*A*x")
    assert "declare=A%5Bm" in form.page.url or "declare=A%5Bn" in form.page.url
    form.page.get_by_role("button", name="guess A again").click()
    form.reads("(A + A')*x")
    form.page.get_by_label("kind of A").select_option("scalar")
    form.reads("2*A*x")
    form.page.get_by_label("dimension 1 of x").fill("7")
    form.page.get_by_label("dimension 1 of x").press("Enter")
    form.page.get_by_text("gradient, axes [7]").wait_for(timeout=WAIT)


def test_a_type_that_does_not_fit_is_told_and_taken_back(form):
    form.open(f="norm2(X*w - y)^2", wrt="w")
    form.reads("2*X'*(X*w - y)")
    form.page.get_by_label("kind of y").select_option("matrix")
    form.page.locator("#complaint .what").wait_for(timeout=WAIT)
    assert form.page.get_by_label("kind of y").input_value() == "2"
    form.page.get_by_role("button", name="guess y again").click()
    form.page.locator("#complaint .what").wait_for(state="detached", timeout=WAIT)
    assert form.page.get_by_label("kind of y").input_value() == "1"


def test_a_wrong_guess_is_mended_though_the_formula_is_wrong_by_it(form):
    form.open(f="y'*inv(K + s^2*eye(n))*y", wrt="y")
    form.page.locator("#complaint .what").wait_for(timeout=WAIT)
    form.page.get_by_label("kind of s").select_option("scalar")
    form.page.locator("#complaint .what").wait_for(state="detached", timeout=WAIT)
    form.page.get_by_text("gradient, axes [n]").wait_for(timeout=WAIT)


def test_a_declaration_in_the_formula_is_edited_in_place(form):
    form.open(f="tensor K[n,n], y[n]\ny'*inv(K)*y", wrt="y")
    form.page.get_by_label("properties of K").first.click()
    form.page.get_by_label("spd", exact=True).check()
    form.reads("2*inv(K)*y")
    assert (
        form.page.get_by_label("Formula", exact=True)
        .input_value()
        .startswith("tensor K[n,n] spd, y")
    )


def test_orders_modes_and_several_variables(form):
    form.open(f="norm2(X*w - y)^2", wrt="w")
    form.page.get_by_label("derivative", exact=True).select_option("2")
    form.reads("2*X'*X")
    form.page.get_by_role("checkbox", name="X", exact=True).check()
    form.page.locator(".result").nth(2).wait_for(timeout=WAIT)
    assert form.page.locator(".result").count() == 3
    form.page.get_by_label("derivative", exact=True).select_option("mixed")
    expect(form.page.locator(".result")).to_have_count(1)
    form.page.get_by_label("mode", exact=True).select_option("forward")
    expect(form.page).to_have_url(re.compile("mode=forward"))


def test_a_link_holds_the_whole_state(form, context, address):
    form.open(f="x'*A*x", wrt="x", declare="A[n,n] symmetric", order="2", tab="latex")
    form.page.get_by_role("button", name="Copy link").click()
    form.page.get_by_role("button", name="Copied").wait_for()
    link = form.page.evaluate("navigator.clipboard.readText()")
    other = Form(context.new_page(), address)
    other.page.goto(link)
    other.reads("2 A", ".result .code")
    assert other.page.get_by_label("derivative", exact=True).input_value() == "2"
    assert other.page.locator("#properties-A summary").inner_text() == "symmetric"
    assert not other.complaints
    other.page.close()


@pytest.mark.parametrize("tab", ["nope", "__proto__", "constructor"])
def test_links_with_nonsense_open_what_there_is(form, tab):
    form.open(f="x'*x", wrt="nobody", order="9", mode="sideways", sizes="m=-1,=", tab=tab)
    form.reads("2*x")


def test_a_link_with_a_wrong_declaration_can_be_mended(form):
    form.open(f="x'*x", declare="x[")
    expect(form.page.locator("#complaint .what")).to_contain_text("in the table of variables")
    form.page.get_by_role("button", name="guess x again").click()
    form.reads("2*x")


def test_a_formula_that_is_too_long_is_told(form):
    form.open(f="x'*x", wrt="x")
    form.reads("2*x")
    form.type("x + " * 6000)
    expect(form.page.locator("#panel .failure")).to_contain_text("the limit is 20,000 characters")


def test_a_server_that_is_gone_is_told(form):
    form.open(f="x'*x", wrt="x")
    form.reads("2*x")
    form.page.route("**/api/*", lambda route: route.fulfill(status=502, body="<html>"))
    form.type("x'*y")
    expect(form.page.locator("#panel .failure")).to_contain_text("no answer of tcalc's, status 502")
    form.page.route("**/api/*", lambda route: route.abort())
    form.type("x'*z")
    expect(form.page.locator("#panel .failure")).to_contain_text("the server does not answer")
    form.page.unroute("**/api/*")
    form.type("3*x'*x")
    form.reads("6*x")
    form.complaints[:] = [x for x in form.complaints if "Failed to load resource" not in x]


def test_back_and_forward(form):
    form.open(f="x'*x", wrt="x")
    form.reads("2*x")
    form.tab("LaTeX")
    form.reads("2 x", ".result .code")
    form.page.get_by_label("derivative", exact=True).select_option("2")
    form.reads("2 I_m", ".result .code")
    form.page.go_back()
    form.reads("2 x", ".result .code")
    form.page.go_back()
    form.reads("2*x")
    form.page.go_forward()
    form.reads("2 x", ".result .code")


MARKED = """() => {
  const layer = document.querySelector(".editor-layer");
  const caret = layer.querySelector(".caret");
  const wrong = [...layer.querySelectorAll(".wrong")];
  const before = document.createRange();
  before.setStart(layer, 0);
  before.setEndBefore(caret);
  const left = (element) => element.getBoundingClientRect().left;
  const marked = wrong.map((element) => element.textContent).join("");
  return [before.toString(), marked, left(caret) - left(wrong[0])];
}"""
STYLES = """(keys) => keys.map((key) =>
  [...document.querySelectorAll(".editor > *")].map((element) => getComputedStyle(element)[key]))"""
LAYOUT = [
    *("fontFamily", "fontSize", "lineHeight", "letterSpacing", "tabSize", "whiteSpace"),
    *("overflowWrap", "paddingLeft", "paddingTop", "width", "height"),
]


@pytest.mark.parametrize("formula", ["x'*y + x*y", "(x'*y\n  + 𝐱λ*)", "norm2(A*x - ", "x'*"])
def test_an_error_stands_under_its_character(form, client, formula):
    form.open()
    form.type(formula)
    form.page.locator("#complaint .what").wait_for(timeout=WAIT)
    error = client.post("/api/parse", json={"formula": formula}).json()["error"]
    before, wrong, offset = form.page.evaluate(MARKED)
    lines = formula.split("\n")
    *above, last = lines[: error["line"]]
    assert before == "\n".join([*above, last[: error["column"] - 1]])
    assert wrong == (last[error["column"] - 1 : error["end"] - 1] or "\u00a0")
    assert abs(offset) < 1
    # The text area above the layer has its characters at the same places.
    for layer, field in form.page.evaluate(STYLES, LAYOUT):
        assert layer == field
    assert form.page.get_by_label("Formula", exact=True).get_attribute("aria-invalid") == "true"


def test_an_error_goes_when_it_is_mended(form):
    form.open()
    form.type("x'*")
    form.page.locator("#complaint .what").wait_for(timeout=WAIT)
    form.type("x'*x")
    form.page.locator("#complaint .what").wait_for(state="detached", timeout=WAIT)
    form.page.get_by_role("checkbox", name="x", exact=True).wait_for()


def test_matching_brackets_are_shown(form):
    form.open()
    form.type("sum(exp(x))")
    form.page.get_by_label("Formula", exact=True).press("End")
    expect(form.page.locator(".paired")).to_have_text(["(", ")"])


def test_latex_is_copied(form):
    form.open(f="norm2(X*w - y)^2", wrt="w", tab="latex")
    form.page.get_by_role("button", name="Copy LaTeX").click()
    form.page.get_by_role("button", name="Copied").wait_for()
    assert form.page.evaluate("navigator.clipboard.readText()") == r"2 X^\top (X w - y)"


def test_the_module_is_downloaded_and_runs(form, tmp_path):
    form.open(f="norm2(X*w - y)^2", wrt="w", tab="numpy")
    with form.page.expect_download() as download:
        form.page.get_by_role("button", name="Download module").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    spec = importlib.util.spec_from_file_location("downloaded", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    random = np.random.default_rng(0)
    X, w, y = random.random((5, 3)), random.random(3), random.random(5)
    value, gradient = module.evaluate(X=X, w=w, y=y)
    np.testing.assert_allclose(value, np.sum((X @ w - y) ** 2))
    np.testing.assert_allclose(gradient, 2 * X.T @ (X @ w - y))


@pytest.mark.parametrize("title", ["Einstein", "CuPy", "Graph", "Cost", "Steps"])
def test_every_tab_shows_something(form, title):
    form.open(f="norm2(X*w - y)^2", wrt="w")
    form.tab(title)
    shown = {
        "Einstein": ".result math",
        "CuPy": ".code",
        "Graph": ".picture svg",
        "Cost": ".costs tbody tr",
        "Steps": ".steps math",
    }
    form.page.locator(shown[title]).first.wait_for(timeout=WAIT)


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"f": "A*x", "wrt": "x", "tab": "steps"}, "value is a number"),
        ({"f": "x'*x", "wrt": "x", "order": "mixed"}, "two variables or more"),
        ({"f": "2 + 3"}, "without variables"),
    ],
    ids=["steps", "mixed", "constant"],
)
def test_where_there_is_nothing_to_show_it_says_why(form, fields, note):
    form.open(**fields)
    form.page.locator("#panel .note", has_text=note).wait_for(timeout=WAIT)


def test_tabs_are_used_by_keyboard(form):
    form.open(f="x'*x", wrt="x")
    form.page.get_by_role("tab", name="Mathematics").focus()
    form.page.keyboard.press("ArrowRight")
    form.page.keyboard.press("ArrowRight")
    form.reads("2 x", ".result .code")
    form.page.keyboard.press("Home")
    form.reads("2*x")
    focused = form.page.evaluate("document.activeElement.id")
    assert focused == "tab-mathematics"


def test_light_and_dark(form, context):
    form.open()
    colour = "getComputedStyle(document.body.parentElement).backgroundColor"
    light = form.page.evaluate(colour)
    form.page.get_by_role("button", name="Switch to dark colours").click()
    dark = form.page.evaluate(colour)
    assert light != dark
    form.page.reload()
    assert form.page.evaluate(colour) == dark


LONG = " + ".join(f"c_{k}*norm2(A_{k}*x - y)^2" for k in range(1, 31))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"f": LONG, "wrt": "x"},
        {"f": "x*y"},
        {"f": "norm2(X*w - y)^2", "wrt": "w,X", "order": "2", "tab": "numpy"},
        {"f": "sum(exp(X*w))", "wrt": "w", "tab": "steps"},
        {"f": "sum(exp(X*w))", "wrt": "w", "tab": "graph"},
        {"f": "sum(exp(X*w))", "wrt": "w,X", "tab": "cost", "order": "2"},
    ],
    ids=["first", "long", "error", "code", "steps", "graph", "cost"],
)
def test_nothing_overflows(form, fields):
    form.open(**fields)
    form.settle()
    for width in (1440, 768, 360):
        form.page.set_viewport_size({"width": width, "height": 800})
        assert form.page.evaluate("document.documentElement.scrollWidth") <= width


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
    ("path", "scheme", "width"),
    [
        ("", "light", 1440),
        ("", "dark", 360),
        ("#f=x*y", "dark", 1440),
        ("#f=sum(exp(A*x))&wrt=x&tab=steps", "light", 1440),
        ("#f=sum(exp(A*x))&wrt=x&tab=cost", "dark", 1440),
        ("#f=sum(exp(A*x))&tab=numpy", "light", 360),
        ("api", "light", 1440),
        ("api", "dark", 360),
    ],
)
def test_axe_finds_nothing(bare, address, path, scheme, width):
    axe = importlib.import_module("axe_playwright_python.sync_playwright")
    bare.emulate_media(color_scheme=scheme)
    bare.set_viewport_size({"width": width, "height": 900})
    form = Form(bare, address)
    bare.goto(f"{address}/{path}")
    form.settle()
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


UNTIL_SHOWN = """(text) => new Promise((resolve) => {
  const field = document.getElementById("formula");
  const start = performance.now();
  const seen = new MutationObserver((changes) => {
    if (!changes.some((change) => change.type === "childList")) return;
    seen.disconnect();
    requestAnimationFrame(() => resolve(performance.now() - start));
  });
  seen.observe(document.getElementById("panel"), {childList: true});
  field.value = text;
  field.dispatchEvent(new Event("input"));
})"""


@pytest.mark.slow
@pytest.mark.parametrize("model", DOCUMENTED, ids=lambda model: model.name)
def test_a_derivative_follows_the_last_keystroke_within_100_ms(form, model):
    form.open()
    program = [
        line for line in model.program.splitlines() if line and not line.startswith("tensor")
    ]
    formula = "\n".join(program)
    times = [form.page.evaluate(UNTIL_SHOWN, f"{k}*({formula})") for k in range(1, 6)]
    assert sorted(times)[len(times) // 2] < 100
