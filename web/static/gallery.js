// @ts-check
/** The examples, as a menu in a dialog. */

import { Dialog } from "./dialogs.js";
import { make, say } from "./dom.js";

/** @typedef {import("./types.js").Example} Example */

/** @param {(example: Example) => void} chosen */
export function setUpGallery(chosen) {
  const gallery = new Dialog("gallery", ({ examples }) => groups(examples, (example) => {
    gallery.close();
    chosen(example);
    say(`Example: ${example.title}`);
  }));
  return gallery;
}

/**
 * @param {Example[]} examples
 * @param {(example: Example) => void} choose
 */
function groups(examples, choose) {
  const names = [...new Set(examples.map((example) => example.group))].sort();
  return names.flatMap((name) => [
    make("h3", {}, name),
    make("div", { class: "gallery-items" },
      ...examples
        .filter((example) => example.group === name)
        .map((example) => item(example, choose))),
  ]);
}

/**
 * @param {Example} example
 * @param {(example: Example) => void} choose
 */
function item(example, choose) {
  const lines = example.formula.split("\n");
  const shown = lines.length > 1 ? `${lines.length} lines: … ${lines.at(-1)}` : example.formula;
  return make("button", {
    type: "button", class: "gallery-item", title: `${example.about} (${example.source})`,
    "data-name": example.name, onclick: () => choose(example),
  }, make("strong", {}, example.title), make("code", {}, shown));
}
