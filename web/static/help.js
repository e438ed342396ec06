// @ts-check
/** Help: the notation in brief, and every function with its derivative. */

import { Dialog } from "./dialogs.js";
import { byId, make } from "./dom.js";

/** @typedef {import("./types.js").Described} Described */

/**
 * @param {(text: string) => void} insert puts a text into the formula
 * @param {(properties: string[]) => void} known called with the words for properties
 */
export function setUpHelp(insert, known) {
  const help = new Dialog("help", ({ functions, properties }) => {
    known(properties);
    return functions.map((/** @type {Described} */ one) => entry(one, (text) => {
      help.close();
      insert(text);
    }));
  });
  const field = byId("help-search");
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    let found = 0;
    for (const row of help.list.children) {
      row.hidden = !row.dataset.words.includes(wanted);
      found += row.hidden ? 0 : 1;
    }
    byId("help-none").hidden = found > 0;
    byId("help-brief").hidden = wanted !== "";
  });
  return help;
}

/**
 * @param {Described} one
 * @param {(text: string) => void} insert
 */
function entry({ name, aliases, elsewhere, summary, domain, derivative, kinks, source }, insert) {
  const facts = [
    ["also", aliases.join(", ")], ["elsewhere", elsewhere.join(", ")], ["derivative", derivative],
    ["defined for", domain === "all numbers" ? "" : domain], ["at kinks", kinks], ["from", source],
  ].filter(([, text]) => text);
  const words = [name, ...aliases, ...elsewhere, summary].join(" ").toLowerCase();
  return make("div", { class: "function-entry", "data-words": words },
    make("button", { type: "button", class: "link", title: `Put ${name}( into the formula`, onclick: () => insert(`${name}(`) }, name),
    make("div", {},
      make("p", {}, summary),
      ...facts.map(([title, text]) => make("p", { class: "note" }, `${title}: ${text}`))));
}
