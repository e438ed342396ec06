// @ts-check
/** What each tab asks for, and how it shows the answer. */

import { post } from "./api.js";
import { comparison } from "./claims.js";
import { copyButton, downloadButton } from "./clipboard.js";
import { cost } from "./costs.js";
import { make, math, mathml, scroller } from "./dom.js";
import { einstein, latex, mathematics, quotient } from "./results.js";

/** @typedef {import("./types.js").Result} Result */
/** @typedef {import("./types.js").Step} Step */
/**
 * The request that the page is about, and the wishes beside it.
 * @typedef {{program: object, differentiation: object, mode: string, wrt: string[], cse: boolean,
 *   sizes: Record<string, number>, signal: AbortSignal, sofar: (part: any) => void}} Question
 * `sofar` shows an answer of which more is to come
 * @typedef {(sizes: Record<string, number>) => void} Resize
 * @typedef {{title: string, ask: (question: Question) => Promise<any>,
 *   show: (answer: any, resize: Resize) => Node[], common?: boolean, sized?: boolean, scalar?: boolean}} View
 * `scalar` is one that has first derivatives of numbers only
 */

/**
 * @param {string} title
 * @param {string[]} notations
 * @param {(result: Result) => Node} show
 * @returns {View}
 */
function notation(title, notations, show) {
  return {
    title,
    common: true,
    ask: ({ differentiation, mode, cse, signal }) =>
      post("derivative", { ...differentiation, mode, notations, cse: cse ? null : false }, signal),
    show: ({ results }) => results.map(show),
  };
}

const formulas = notation("Mathematics", ["text", "mathml", "latex"], mathematics);

/** @type {View} */
const mathematical = {
  ...formulas,
  ask: async (question) => {
    const { differentiation, mode } = question;
    return { ...await formulas.ask(question), derivative: { ...differentiation, mode } };
  },
  show: ({ results, derivative }) => {
    const shown = results.map(mathematics);
    return results.length === 1 ? [...shown, comparison(derivative)] : shown;
  },
};

/**
 * @param {string} title
 * @param {string} backend
 * @returns {View}
 */
function code(title, backend) {
  return {
    title,
    sized: true,
    ask: ({ differentiation, mode, sizes, signal }) =>
      post("code", { ...differentiation, mode, backend, sizes }, signal),
    show: ({ source, filename, returns }) => [
      make("div", { class: "result-head" },
        make("p", { class: "note" }, `evaluate(…) returns ${returns.join(", ")}`),
        make("div", { class: "buttons" },
          copyButton("Copy code", () => source),
          downloadButton("Download module", filename, source))),
      scroller(`${title} module`, "code", make("code", {}, source)),
    ],
  };
}

/** @type {View} */
const graph = {
  title: "Graph",
  ask: ({ differentiation, mode, signal }) => post("draw", { ...differentiation, mode }, signal),
  show: ({ svg }) => {
    const picture = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
    return [
      make("div", { class: "result-head" },
        make("p", { class: "note" }, "Operands are below what is computed from them; colours show the orders of tensors."),
        make("div", { class: "buttons" },
          copyButton("Copy SVG", () => svg),
          downloadButton("Download SVG", "graph.svg", svg, "image/svg+xml"))),
      scroller("Expression graph", "picture", picture),
    ];
  },
};

/** @type {View} */
const steps = {
  title: "Steps",
  scalar: true,
  ask: async ({ program, wrt, signal }) => ({
    wrt,
    answers: await Promise.all(wrt.map((name) => post("explain", { ...program, wrt: name }, signal))),
  }),
  show: ({ wrt, answers }) => answers.flatMap((/** @type {any} */ { values, cotangents, result }, /** @type {number} */ k) => [
    make("h3", { class: "steps-heading" }, "The function, one operation at a time"),
    lines(values),
    make("h3", { class: "steps-heading" }, `The derivatives of ${values.at(-1).name} by each step, from the last one back`),
    lines(cotangents),
    make("h3", { class: "steps-heading" }, "Put together and simplified"),
    ...together(quotient([/** @type {string} */ (wrt[k])], values.at(-1).name), result),
  ]),
};

/**
 * The result, as an equation where it is one formula.
 * @param {Node} left
 * @param {Step} result
 */
function together(left, result) {
  const formula = (/** @type {Node} */ node) => make("div", { class: "scroller" }, node);
  return result.formula.includes("\n")
    ? [make("p", { class: "note" }, "The last line, in terms of the parts named above it:"), formula(mathml(result.mathml))]
    : [formula(equation(left, result))];
}

/**
 * @param {Node} left
 * @param {Step} result
 */
function equation(left, result) {
  const formula = mathml(result.mathml);
  formula.prepend(left, math("mo", "="));
  return formula;
}

/** @param {Step[]} list */
function lines(list) {
  const reasons = list.some((step) => step.reason);
  return make("ol", { class: reasons ? "steps with-reasons" : "steps" },
    ...list.map((step) => make("li", {},
      make("div", { class: "scroller" }, mathml(step.mathml)),
      step.reason ? make("span", { class: "note" }, step.reason) : null)));
}

/** @type {Record<string, View>} */
export const VIEWS = {
  mathematics: mathematical,
  einstein: notation("Einstein", ["einstein", "einstein_mathml"], einstein),
  latex: notation("LaTeX", ["latex"], latex),
  numpy: code("NumPy", "numpy"),
  cupy: code("CuPy", "cupy"),
  graph,
  cost,
  steps,
};
