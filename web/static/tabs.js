// @ts-check
/** Tabs as screen readers know them: arrows move, and what they move to is shown. */

import { make } from "./dom.js";

export class Tabs {
  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} panel
   * @param {[string, string][]} entries key and title of each
   * @param {(key: string) => void} changed
   */
  constructor(list, panel, entries, changed) {
    this.panel = panel;
    this.changed = changed;
    this.buttons = entries.map(([key, title]) =>
      make("button", {
        type: "button", role: "tab", id: `tab-${key}`, "data-key": key, "aria-controls": panel.id,
        onclick: () => this.changed(key),
      }, title));
    list.append(...this.buttons);
    list.addEventListener("keydown", (event) => this.move(event));
  }

  /** @param {string} key */
  select(key) {
    for (const button of this.buttons) {
      const selected = button.dataset.key === key;
      button.setAttribute("aria-selected", String(selected));
      button.tabIndex = selected ? 0 : -1;
      if (selected) this.panel.setAttribute("aria-labelledby", button.id);
    }
  }

  /** @param {KeyboardEvent} event */
  move(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return; // Alt with an arrow is the way back
    const here = this.buttons.indexOf(document.activeElement);
    const last = this.buttons.length - 1;
    const places = { ArrowRight: here === last ? 0 : here + 1, ArrowLeft: here <= 0 ? last : here - 1, Home: 0, End: last };
    if (!(event.key in places)) return;
    event.preventDefault();
    const button = this.buttons[places[/** @type {keyof typeof places} */ (event.key)]];
    button.focus();
    this.changed(button.dataset.key);
  }
}
