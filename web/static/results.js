// @ts-check
/** Derivatives as they are shown: their headings, their badges, their notations. */

import { copyButton, copyButtons } from "./clipboard.js";
import { make, math, mathml, scroller } from "./dom.js";

/** @typedef {import("./types.js").Result} Result */
/** @typedef {import("./types.js").Check} Check */

const LONGEST_PLAIN = 600;

/** The most characters of an operator form, which names no common parts. */
const LONGEST_OPERATOR = 300;

/**
 * One derivative under its heading.
 * @param {Result} result
 * @param {Node[]} content
 * @param {Node[]} buttons
 */
function article(result, content, buttons) {
  const title = `${result.kind} by ${result.wrt.join(", ")}`;
  const axes = result.dims.length ? `axes [${result.dims.join(", ")}]` : "a number";
  const symbol = math("math", quotient(result.wrt));
  symbol.setAttribute("aria-hidden", "true");
  return make("article", { class: "result", "aria-label": title },
    make("div", { class: "result-head" },
      make("h3", {}, symbol, make("span", { class: "only-spoken" }, title)),
      make("p", { class: "note" }, `${result.kind}, ${axes}`),
      make("p", { class: "badge", "data-wrt": result.wrt.join(","), hidden: true }),
      make("div", { class: "buttons" }, ...buttons)),
    ...content);
}

/**
 * ∂²f / ∂x ∂y as MathML.
 * @param {string[]} wrt
 * @param {string} value what is differentiated
 */
export function quotient(wrt, value = "f") {
  const raised = (/** @type {Node} */ base, /** @type {number} */ power) =>
    power > 1 ? math("msup", base, math("mn", String(power))) : base;
  /** @type {[string, number][]} */
  const runs = [];
  for (const name of wrt) {
    const last = runs.at(-1);
    if (last && last[0] === name) last[1]++;
    else runs.push([name, 1]);
  }
  const below = runs.flatMap(([name, power]) => [math("mi", "∂"), raised(math("mi", name), power)]);
  const above = [raised(math("mi", "∂"), wrt.length), math("mi", value)];
  return math("mfrac", math("mrow", ...above), math("mrow", ...below));
}

/** @param {Result} result */
export function mathematics(result) {
  const text = result.text ?? "";
  const content = [formula(result.mathml ?? "", text)];
  if (text.length <= LONGEST_PLAIN) content.push(make("pre", { class: "plain" }, text));
  if (result.operator && result.operator.length <= LONGEST_OPERATOR) {
    content.push(make("p", { class: "note" }, "as an operator: ", make("code", {}, result.operator)));
  }
  return article(result, content, copyButtons({
    LaTeX: () => result.latex ?? "",
    text: () => text,
    MathML: () => result.mathml ?? "",
  }));
}

/** @param {Result} result */
export function einstein(result) {
  const text = result.einstein ?? "";
  const content = [formula(result.einstein_mathml ?? "", text), scroller("The derivative as text", "plain", text)];
  return article(result, content, [copyButton("Copy text", () => text)]);
}

/** @param {Result} result */
export function latex(result) {
  const text = result.latex ?? "";
  const code = scroller("LaTeX", "code wraps", make("code", {}, text));
  return article(result, [code], [copyButton("Copy LaTeX", () => text)]);
}

/**
 * @param {string} markup
 * @param {string} text
 */
function formula(markup, text) {
  const shown = mathml(markup);
  shown.setAttribute("aria-label", text.slice(0, 1000));
  return scroller("The derivative as mathematics", "formula-box", shown);
}

/**
 * Write the outcome of checks into the badges of a page: one on each result, one over all.
 * @param {Check[]|null} checks null while they run
 * @param {HTMLElement} overall
 * @param {HTMLElement} panel
 */
export function showChecks(checks, overall, panel) {
  const badges = /** @type {HTMLElement[]} */ ([...panel.querySelectorAll(".badge[data-wrt]")]);
  const several = badges.length > 1;
  if (checks === null) {
    tell(overall, "", "checking numerically …", "");
    for (const badge of badges) badge.hidden = true;
    return;
  }
  for (const badge of badges) {
    const check = checks.find((other) => other.wrt.join(",") === badge.dataset.wrt);
    if (check && several) tell(badge, ...verdict([check], "checked"));
    else badge.hidden = true;
  }
  tell(overall, ...verdict(checks));
}

/**
 * Write something into a badge.
 * @param {HTMLElement} badge
 * @param {string} kind
 * @param {string} text
 * @param {string} more
 */
export function tell(badge, kind, text, more) {
  badge.hidden = false;
  badge.className = `badge ${kind}`;
  badge.textContent = text;
  badge.title = more;
}

/**
 * @param {Check[]} checks
 * @param {string} [checked] how to call it
 * @returns {[string, string, string]} the class, the text, and what more there is to say
 */
function verdict(checks, checked = "checked numerically") {
  const unknown = checks.find((check) => check.passed === null);
  const wrong = checks.find((check) => check.passed === false);
  const first = checks[0];
  if (wrong) {
    return ["is-bad", `✗ differs from numerical derivatives: error ${scientific(wrong.error)}`, wrong.method ?? ""];
  }
  if (unknown || !first) return ["", "not checked numerically", unknown?.reason ?? ""];
  const worst = Math.max(...checks.map((check) => check.error ?? 0));
  const more = `on random data, against ${first.method}, in ${first.directions} random directions`;
  return ["is-good", `✓ ${checked}, largest error ${scientific(worst)}`, more];
}

/** @param {number|null} number */
export function scientific(number) {
  if (number === null) return "not finite";
  if (number === 0) return "0";
  const [digits, power] = number.toExponential(1).split("e");
  const raised = [...String(Number(power))].map((sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(sign)])).join("");
  return `${digits}\u00a0×\u00a010${raised}`;
}
