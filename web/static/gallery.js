// @ts-check
/** The examples, as a menu in a dialog. */

import { ApiError, get } from "./api.js";
import { byId, make, say } from "./dom.js";

/** @typedef {import("./types.js").Example} Example */

/** Open the dialog. */
export function openGallery() {
  byId("gallery").showModal();
}

/**
 * @param {(example: Example) => void} chosen
 * @param {(properties: string[]) => void} known called with the words for properties
 */
export function setUpGallery(chosen, known) {
  const dialog = byId("gallery");
  const choose = (/** @type {Example} */ example) => {
    dialog.close();
    chosen(example);
    say(`Example: ${example.title}`);
  };
  let filled = false;
  const fill = async () => {
    try {
      const { examples, properties } = await get("/api/examples");
      known(properties);
      byId("gallery-list").replaceChildren(...groups(examples, choose));
      filled = true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      byId("gallery-list").replaceChildren(make("p", { class: "failure" }, error.message));
    }
  };
  byId("open-gallery").addEventListener("click", () => {
    openGallery();
    if (!filled) fill();
  });
  byId("close-gallery").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (/** @type {Event} */ event) => {
    if (event.target === dialog) dialog.close();
  });
  fill();
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
