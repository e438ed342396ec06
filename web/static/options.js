// @ts-check
/** By which variables, to which order, in which mode. */

import { byId, make, say } from "./dom.js";

/** @typedef {import("./types.js").Variable} Variable */
/** @typedef {import("./types.js").State} State */

const USUAL = ["w", "x", "X", "W", "A"];

/**
 * The variables to differentiate by: the wanted ones that there are, else the usual one.
 * @param {string[]} wanted
 * @param {Variable[]} variables
 */
export function chosen(wanted, variables) {
  const names = variables.map((variable) => variable.name);
  const there = wanted.filter((name) => names.includes(name));
  if (there.length || !names.length) return there;
  const moving = variables.filter((variable) => !variable.properties.includes("constant"));
  const usual = USUAL.find((name) => names.includes(name));
  return [usual ?? moving[0]?.name ?? /** @type {string} */ (names[0])];
}

/**
 * The field `order` of a request.
 * @param {string} order
 */
export function ordering(order) {
  return order === "mixed" ? { order: 2, mixed: true } : { order: Number(order), mixed: false };
}

export class Options {
  /** @param {(change: Partial<State>) => void} changed */
  constructor(changed) {
    this.changed = changed;
    this.wrt = byId("wrt");
    for (const key of ["order", "mode"]) {
      byId(key).addEventListener("change", (/** @type {any} */ event) => changed({ [key]: event.target.value }));
    }
    byId("cse").addEventListener("change", (/** @type {any} */ event) => changed({ cse: event.target.checked }));
    byId("options").addEventListener("submit", (/** @type {Event} */ event) => event.preventDefault());
    this.shown = "";
  }

  /**
   * @param {State} state
   * @param {Variable[]} variables
   * @param {boolean} scalar whether the value of the function is a number
   */
  show(state, variables, scalar) {
    byId("order").options[0].text = scalar ? "first (gradient)" : "first (Jacobian)";
    byId("order").options[1].text = scalar ? "second (Hessian)" : "second";
    byId("order").value = state.order;
    byId("mode").value = state.mode;
    byId("cse").checked = state.cse;
    const wrt = chosen(state.wrt, variables);
    const now = JSON.stringify([wrt, variables.map((variable) => variable.name)]);
    if (now === this.shown) return;
    this.shown = now;
    const focused = document.activeElement?.id;
    this.wrt.replaceChildren(...variables.map(({ name }) =>
      make("label", { class: "chip" },
        make("input", {
          type: "checkbox", id: `wrt-${name}`, value: name, checked: wrt.includes(name),
          onchange: (/** @type {any} */ event) => this.choose(event.target, wrt),
        }),
        make("span", {}, name))));
    if (focused?.startsWith("wrt-")) document.getElementById(focused)?.focus();
  }

  /**
   * @param {HTMLInputElement} box the one that the user changed
   * @param {string[]} before
   */
  choose(box, before) {
    const now = [...this.wrt.querySelectorAll("input:checked")].map(({ value }) => value);
    if (!now.length) {
      box.checked = true;
      say("A derivative needs at least one variable");
      return;
    }
    // In the order in which they were chosen, as blocks of a Hessian are read.
    this.changed({ wrt: [...before.filter((name) => now.includes(name)), ...now.filter((name) => !before.includes(name))] });
  }
}
