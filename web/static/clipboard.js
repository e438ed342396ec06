// @ts-check
/** Texts out of the page: copies and downloads. */

import { make, say } from "./dom.js";

/** @param {string} text */
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Pages that come over plain HTTP from another machine have no clipboard of their own.
  const field = make("textarea", { class: "only-spoken" }, text);
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("no clipboard");
}

/**
 * A button that copies a text and says so.
 * @param {string} title
 * @param {() => string} text
 * @param {...(Node|string)} shown where it is not the title
 */
export function copyButton(title, text, ...shown) {
  const content = shown.length ? shown : [title];
  const button = make("button", { type: "button", class: "small-button", onclick: () => copied(button, text()) }, ...content);
  return button;
}

/**
 * Buttons that copy the same in several notations.
 * @param {Record<string, () => string>} texts by notation
 * @param {string} [what] what they say to screen readers before the notation
 */
export function copyButtons(texts, what = "Copy") {
  const spoken = () => make("span", { class: "only-spoken" }, `${what} `);
  return [
    make("span", { class: "note", "aria-hidden": "true" }, "Copy"),
    ...Object.entries(texts).map(([notation, text]) => copyButton(`${what} ${notation}`, text, spoken(), notation)),
  ];
}

/**
 * @param {HTMLElement} button
 * @param {string} text
 */
export async function copied(button, text) {
  const content = [...button.childNodes];
  if (button.dataset.busy) return;
  button.dataset.busy = "yes";
  try {
    await copy(text);
    button.textContent = "Copied";
    say("Copied");
  } catch {
    button.textContent = "No clipboard";
  }
  setTimeout(() => {
    button.replaceChildren(...content);
    delete button.dataset.busy;
  }, 1200);
}

/**
 * @param {string} title
 * @param {string} filename
 * @param {string} text
 * @param {string} [type]
 */
export function downloadButton(title, filename, text, type = "text/x-python") {
  const start = () => {
    const address = URL.createObjectURL(new Blob([text], { type }));
    make("a", { href: address, download: filename }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  };
  return make("button", { type: "button", class: "small-button", onclick: start }, title);
}
