// @ts-check
/** Derivatives as they are shown: their headings, their badges, their notations. */

import { copyButton } from "./clipboard.js";
import { make, mathml, scroller } from "./dom.js";

/** @typedef {import("./types.js").Result} Result */
/** @typedef {import("./types.js").Check} Check */

const LONGEST_PLAIN = 600;

/**
 * One derivative under its heading.
 * @param {Result} result
 * @param {Node[]} content
 * @param {Node[]} buttons
 */
function article(result, content, buttons) {
  const title = `${result.kind} by ${result.wrt.join(", ")}`;
  const axes = result.dims.length ? `axes [${result.dims.join(", ")}]` : "a number";
  return make("article", { class: "result", "aria-label": title },
    make("div", { class: "result-head" },
      make("h3", {}, mathml(quotient(result)), make("span", { class: "only-spoken" }, title)),
      make("p", { class: "note" }, `${result.kind}, ${axes}`),
      make("p", { class: "badge", "data-wrt": result.wrt.join(","), hidden: true }),
      make("div", { class: "buttons" }, ...buttons)),
    ...content);
}

/**
 * ∂²f / ∂x ∂y as MathML.
 * @param {{wrt: string[]}} result
 */
export function quotient(result) {
  const script = (/** @type {string} */ base, /** @type {number} */ power) =>
    power > 1 ? `<msup>${base}<mn>${power}</mn></msup>` : base;
  /** @type {[string, number][]} */
  const runs = [];
  for (const name of result.wrt) {
    const last = runs.at(-1);
    if (last && last[0] === name) last[1]++;
    else runs.push([name, 1]);
  }
  const below = runs.map(([name, power]) => `<mi>∂</mi>${script(`<mi>${name}</mi>`, power)}`).join("");
  const above = `${script("<mi>∂</mi>", result.wrt.length)}<mi>f</mi>`;
  return `<math aria-hidden="true"><mfrac><mrow>${above}</mrow><mrow>${below}</mrow></mfrac></math>`;
}

/** @param {Result} result */
export function mathematics(result) {
  const text = result.text ?? "";
  const content = [formula(result.mathml ?? "", text)];
  if (text.length <= LONGEST_PLAIN) content.push(make("pre", { class: "plain" }, text));
  if (result.operator) {
    content.push(make("p", { class: "note" }, "as an operator: ", make("code", {}, result.operator)));
  }
  return article(result, content, [
    copyButton("Copy text", () => text),
    copyButton("Copy MathML", () => result.mathml ?? ""),
  ]);
}

/** @param {Result} result */
export function einstein(result) {
  const text = result.einstein ?? "";
  const content = [formula(result.einstein_mathml ?? "", text), make("pre", { class: "plain" }, text)];
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
  if (shown instanceof Element) shown.setAttribute("aria-label", text.slice(0, 1000));
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
    paint(overall, "", "checking numerically …", "");
    for (const badge of badges) badge.hidden = true;
    return;
  }
  for (const badge of badges) {
    const check = checks.find((other) => other.wrt.join(",") === badge.dataset.wrt);
    if (check && several) paint(badge, ...verdict([check], "checked"));
    else badge.hidden = true;
  }
  paint(overall, ...verdict(checks));
}

/**
 * @param {HTMLElement} badge
 * @param {string} kind
 * @param {string} text
 * @param {string} more
 */
function paint(badge, kind, text, more) {
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
    return ["is-bad", `✗ differs from differences: error ${scientific(wrong.error)}`, wrong.method ?? ""];
  }
  if (unknown || !first) return ["", "not checked numerically", unknown?.reason ?? ""];
  const worst = Math.max(...checks.map((check) => check.error ?? 0));
  const more = `on random data, against ${first.method}, in ${first.directions} random directions`;
  return ["is-good", `✓ ${checked}, largest error ${scientific(worst)}`, more];
}

/** @param {number|null} number */
function scientific(number) {
  if (number === null) return "not finite";
  if (number === 0) return "0";
  const [digits, power] = number.toExponential(1).split("e");
  const raised = [...String(Number(power))].map((sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(sign)])).join("");
  return `${digits}\u00a0×\u00a010${raised}`;
}
