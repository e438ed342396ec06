"""The page in a real browser, as people use it."""

from __future__ import annotations

import importlib.util
import re

import numpy as np
import pytest
from browsing import WAIT, Form
from serving import needed

from tcalc import gallery
from tcalc.calculus import MODES

expect = needed("playwright.sync_api", "browser").expect
pytestmark = pytest.mark.browser

DOCUMENTED = [model for model in gallery.models() if model.source == "MatrixCalculus.org"]
expect.set_options(timeout=WAIT)


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


def test_help_finds_a_function_and_puts_it_into_the_formula(form):
    form.open(f="2*", wrt="K")
    form.page.get_by_label("Formula", exact=True).press("End")
    form.page.get_by_role("button", name="Help").click()
    assert form.page.get_by_text("an index that occurs twice").is_visible()
    search = form.page.get_by_label("Find a function")
    search.fill("no such thing")
    assert form.page.get_by_text("No function matches.").is_visible()
    search.fill("IdentityMatrix")
    expect(form.page.locator(".function-entry:visible")).to_have_count(1)
    assert form.page.get_by_role("button", name="eye").is_visible()
    search.fill("Log(det")
    expect(form.page.locator(".function-entry:visible")).to_have_count(1)
    form.page.get_by_role("button", name="logdet").click()
    form.page.keyboard.type("K)")
    assert form.page.get_by_label("Formula", exact=True).input_value() == "2*logdet(K)"
    form.reads("2*inv(K)'")
    for _ in ("K", ")", "logdet("):
        form.page.keyboard.press("Control+z")
    assert form.page.get_by_label("Formula", exact=True).input_value() == "2*"


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


def test_types_are_changed_by_keyboard(form):
    form.open(f="x'*A*x", wrt="x")
    form.reads("(A + A')*x")
    focused = "document.activeElement.id"
    form.page.locator("#properties-A summary").press("Enter")
    menu = form.page.locator("#properties-A .choices")
    menu.wait_for(timeout=WAIT)
    form.page.keyboard.press("Tab")
    form.page.keyboard.press("Space")
    form.reads("2*A*x")
    assert form.page.evaluate(focused) == "property-A-symmetric"
    form.page.keyboard.press("Shift+Tab")
    form.page.keyboard.press("Shift+Tab")
    menu.wait_for(state="hidden", timeout=WAIT)
    form.page.get_by_role("button", name="guess A again").press("Enter")
    form.reads("(A + A')*x")
    assert form.page.evaluate(focused) == "kind-A"


def test_a_variable_may_be_called_as_what_every_object_has(form):
    form.open(f="constructor*A*x")
    form.page.locator("#complaint .what").wait_for(timeout=WAIT)
    row = form.page.locator("#variables tr", has_text="constructor")
    assert "guessed" in row.inner_text()
    assert row.locator("summary").inner_text() == "none"


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


def test_derivatives_are_called_by_their_names(form):
    form.open(f="A*x", wrt="x")
    form.reads("A")
    orders = form.page.locator("#order option")
    assert orders.all_inner_texts()[:2] == ["first (Jacobian)", "second"]
    form.type("x'*A*x")
    form.reads("(A + A')*x")
    assert orders.all_inner_texts()[:2] == ["first (gradient)", "second (Hessian)"]


def test_a_derivative_is_by_one_variable_at_least(form):
    form.open(f="x'*x", wrt="x")
    form.reads("2*x")
    box = form.page.get_by_role("checkbox", name="x", exact=True)
    box.click()
    assert box.is_checked()
    form.reads("2*x")


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


def test_the_way_back_leads_past_short_stops_of_typing(context, address):
    form = Form(context.new_page(), address)  # the history of the other one may be full
    form.open(f="x'*x", wrt="x")
    form.reads("2*x")
    steps = form.page.evaluate("history.length")
    form.page.evaluate("() => { const now = Date.now(); Date.now = () => now; }")
    for typed in ("3*x'*x", "3*x'*x + x'*", "3*x'*x + 4*x'*x"):
        form.type(typed)
        expect(form.page).to_have_title(f"{typed} · tcalc")
    form.reads("14*x")
    assert form.page.evaluate("history.length") == steps + 1
    form.page.evaluate("() => { const now = Date.now(); Date.now = () => now + 6000; }")
    form.type("5*x'*x")
    expect(form.page).to_have_title("5*x'*x · tcalc")
    form.page.go_back()
    form.reads("14*x")
    form.page.go_back()
    form.reads("2*x")
    assert not form.complaints
    form.page.close()


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


@pytest.mark.parametrize("tab", ["mathematics", "latex"])
def test_latex_is_copied(form, tab):
    form.open(f="norm2(X*w - y)^2", wrt="w", tab=tab)
    form.page.get_by_role("button", name="Copy LaTeX").click()
    form.page.get_by_role("button", name="Copied").wait_for()
    assert form.page.evaluate("navigator.clipboard.readText()") == r"2 X^\top (X w - y)"


def test_the_function_itself_is_copied_too(form):
    form.open(f="log(1 + exp(a))", wrt="a")
    form.reads("sigmoid(a)")
    for notation, text in (("LaTeX", r"\operatorname{softplus}(a)"), ("text", "softplus(a)")):
        form.page.get_by_role("button", name=f"Copy the function as {notation}").click()
        expect(form.page.get_by_text("Copied").first).to_be_visible()
        assert form.page.evaluate("navigator.clipboard.readText()") == text


def test_a_derivative_is_compared_with_ones_own(form):
    form.open(f="norm2(X*w - y)^2", wrt="w")
    form.reads("2*X'*(X*w - y)")
    form.page.get_by_text("Compare with yours").click()
    field, verdict = form.page.get_by_label("Your derivative"), form.page.locator("#claim-verdict")
    field.press_sequentially("2*X'*X*w - 2*X'*y")
    expect(verdict).to_contain_text("✓ the same on random data")
    field.fill("X'*(X*w - y)")
    expect(verdict).to_contain_text("✗ not the same")
    field.fill("X'*(X*w - z)")
    expect(verdict).to_contain_text("the claim names 'z', which is not a variable of the function")
    field.fill("X'*(X*w - y)")
    expect(verdict).to_contain_text("✗ not the same")
    form.type("norm2(X*w - y)^2/2")  # it is compared anew
    expect(verdict).to_contain_text("✓ the same on random data")
    field.fill("")
    expect(verdict).to_be_empty()
    form.page.get_by_role("checkbox", name="X", exact=True).check()
    expect(field).to_have_count(0)


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


def test_steps_have_the_names_of_the_formula(form):
    form.open(f="r = X*w - y\nloss = norm2(r)^2", wrt="w", tab="steps")
    form.page.get_by_text("The derivatives of loss by each step").wait_for(timeout=WAIT)
    assert form.page.get_by_text("the derivative of loss by itself").count() == 1
    assert form.page.locator("#panel mfrac").last.text_content() == "∂loss∂w"


def test_steps_are_those_of_the_first_derivative_whatever_order_is_chosen(form):
    form.open(f="exp(x'*x)", wrt="x", tab="steps", order="mixed")
    form.page.get_by_text("Steps are those of the first derivative.").wait_for(timeout=WAIT)
    assert form.page.locator("#panel mfrac").last.text_content() == "∂f∂x"
    form.open(f="exp(x'*x)", wrt="x", tab="steps")
    form.page.locator("#panel mfrac").last.wait_for(timeout=WAIT)
    assert not form.page.get_by_text("Steps are those of").count()


def test_the_steps_end_in_an_equation_or_in_parts_with_names(form):
    form.open(f="norm2(x)^2", wrt="x", tab="steps")
    form.page.locator("#panel .scroller math mfrac").last.wait_for(timeout=WAIT)
    form.open(f=gallery.load("kalman_filter").program, wrt="A", tab="steps")
    form.page.get_by_text("in terms of the parts named above it").wait_for(timeout=WAIT)


def test_an_operator_is_shown_where_it_is_short(form):
    form.open(f="norm2(U*V' - T)^2", wrt="U", order="2")
    form.page.get_by_text("as an operator: 2 (V'*V ⊗ I)").wait_for(timeout=WAIT)
    layers = ["tanh(A*x)", *[f"tanh(A{k}*h{k})" for k in range(1, 5)]]
    net = "\n".join(f"h{k} = {layer}" for k, layer in enumerate(layers, 1))
    form.open(f=f"{net}\nnorm2(h5)^2", wrt="A", order="2")
    form.page.locator(".result", has_text="Hessian by A").wait_for(timeout=WAIT)
    assert form.page.get_by_text("as an operator").count() == 0


def test_costs_are_shown_as_they_are_counted(form):
    variables = "X[b,n], W1[n,n], W2[n,n], W3[n,n], W4[n,n]"
    formula = f"tensor {variables}\nsum(exp(tanh(tanh(tanh(X*W1')*W2')*W3')*W4'))"
    form.open(f=formula, wrt="X,W1,W2,W3,W4", order="2", tab="cost")
    form.page.locator(".counting progress").wait_for(timeout=WAIT)
    assert form.page.locator(".costs tbody tr").count() > 0
    form.page.locator(".counting").wait_for(state="detached", timeout=3 * WAIT)
    assert form.page.locator(".costs caption").count() == 15
    assert form.page.locator(".costs tbody tr").count() == 15 * 2 * len(MODES)


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"f": "A*x", "wrt": "x", "tab": "steps"}, "value is a number"),
        ({"f": "x'*x", "wrt": "x", "order": "mixed"}, "at least two variables"),
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
    # Alt with an arrow is the browser's.
    form.page.keyboard.press("Alt+ArrowRight")
    assert form.page.evaluate("document.activeElement.id") == focused


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
