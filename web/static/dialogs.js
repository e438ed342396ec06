// @ts-check
/** Dialogs over the page, whose content comes from the server. */

import { ApiError, get } from "./api.js";
import { byId, make } from "./dom.js";

/** Milliseconds before a list that did not come is asked for again. */
const AGAIN = 3000;

export class Dialog {
  /**
   * A dialog `name` with a button `open-name` that opens it, one `close-name`, and a list `name-list`.
   * @param {string} name
   * @param {(answer: any) => Node[]} fill makes its list of the answer
   */
  constructor(name, fill) {
    this.box = byId(name);
    this.list = byId(`${name}-list`);
    this.path = `/api/${byId(`open-${name}`).dataset.list}`;
    this.fill = fill;
    this.filled = false;
    this.again = 0;
    byId(`open-${name}`).addEventListener("click", () => this.open());
    byId(`close-${name}`).addEventListener("click", () => this.close());
    this.box.addEventListener("click", (/** @type {Event} */ event) => {
      if (event.target === this.box) this.close();
    });
    this.load();
  }

  open() {
    this.box.showModal();
    if (!this.filled) this.load();
  }

  close() {
    this.box.close();
  }

  async load() {
    clearTimeout(this.again);
    try {
      this.list.replaceChildren(...this.fill(await get(this.path)));
      this.filled = true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.list.replaceChildren(make("p", { class: "failure" }, error.message));
      this.again = window.setTimeout(() => this.load(), AGAIN);
    }
  }
}
