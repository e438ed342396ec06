// @ts-check
/** What each tab asks for, and how it shows the answer. */

import { post } from "./api.js";
import { copyButton, downloadButton } from "./clipboard.js";
import { make, mathml, scroller } from "./dom.js";
import { einstein, latex, mathematics } from "./results.js";

/** @typedef {import("./types.js").Result} Result */
/** @typedef {import("./types.js").Step} Step */
/**
 * The request that the page is about, and the wishes beside it.
 * @typedef {{program: object, differentiation: object, wrt: string[], cse: boolean, signal: AbortSignal}} Question
 * @typedef {{title: string, ask: (question: Question) => Promise<any>,
 *   show: (answer: any) => Node[], common: boolean}} View
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
    ask: ({ differentiation, cse, signal }) =>
      post("derivative", { ...differentiation, notations, cse: cse ? null : false }, signal),
    show: ({ results }) => results.map(show),
  };
}

/**
 * @param {string} title
 * @param {string} backend
 * @returns {View}
 */
function code(title, backend) {
  return {
    title,
    common: false,
    ask: ({ differentiation, signal }) => post("code", { ...differentiation, backend }, signal),
    show: ({ source, filename, returns }) => [
      make("div", { class: "result-head" },
        make("p", { class: "note" }, `evaluate(…) gives ${returns.join(", ")}`),
        make("div", { class: "buttons" },
          copyButton("Copy code", () => source),
          downloadButton("Download module", filename, source))),
      scroller(`${title} module`, "code", make("code", {}, source)),
    ],
  };
}

/** @type {View} */
const steps = {
  title: "Steps",
  common: false,
  ask: ({ program, wrt, signal }) =>
    Promise.all(wrt.map((name) => post("explain", { ...program, wrt: name }, signal))),
  show: (answers) => answers.flatMap(({ values, cotangents, result }, /** @type {number} */ k) => [
    make("h3", { class: "steps-heading" }, "The function, one operation at a time"),
    lines(values),
    make("h3", { class: "steps-heading" }, `The derivatives of f by each step, from the last one back`),
    lines(cotangents),
    make("h3", { class: "steps-heading" }, "Put together and simplified"),
    lines([result]),
  ]),
};

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
  mathematics: notation("Mathematics", ["text", "mathml"], mathematics),
  einstein: notation("Einstein", ["einstein", "einstein_mathml"], einstein),
  latex: notation("LaTeX", ["latex"], latex),
  numpy: code("NumPy", "numpy"),
  cupy: code("CuPy", "cupy"),
  steps,
};
