// @ts-check
/** The panel of the derivative: an answer, or why there is none; and the badge above it. */

import { byId, make, reachScrollers } from "./dom.js";
import { quoted } from "./editor.js";
import { showChecks, tell } from "./results.js";

/** @typedef {import("./types.js").Check} Check */
/** @typedef {import("./types.js").Complaint} Complaint */

/** Milliseconds of waiting that nobody notices. */
const UNNOTICED = 250;

export class Panel {
  constructor() {
    this.box = byId("panel");
    this.badge = byId("badge");
    this.waiting = 0;
  }

  /** Whether there is a result on it, be it an earlier one. */
  get filled() {
    return this.box.querySelector(":scope > :not(.reason)") !== null;
  }

  /** An answer is under way: if it takes long, what is shown is marked as an earlier one. */
  expect() {
    clearTimeout(this.waiting);
    this.waiting = window.setTimeout(() => {
      this.fade(true);
      this.box.setAttribute("aria-busy", "true");
      tell(this.badge, "", "computing …", "");
    }, UNNOTICED);
  }

  /** No answer comes: nothing is asked, or nothing is left of it. */
  rest() {
    clearTimeout(this.waiting);
    this.box.setAttribute("aria-busy", "false");
  }

  /**
   * @param {Node[]} content
   * @param {boolean} [more] whether this is a part, and the rest is under way
   */
  show(content, more = false) {
    const typing = document.activeElement;
    this.replace(...content);
    if (typing instanceof HTMLInputElement && typing.id && !typing.isConnected) {
      const field = document.getElementById(typing.id);
      field?.focus();
      if (field instanceof HTMLInputElement) field.value = typing.value;
    }
    reachScrollers(this.box);
    this.box.setAttribute("aria-busy", String(more));
    if (more) tell(this.badge, "", "computing …", "");
    else this.check(null);
  }

  /**
   * The outcome of the check of what is shown.
   * @param {Check[]|null} checks null while it runs
   */
  check(checks) {
    showChecks(checks, this.badge, this.box);
  }

  /** @param {...(string|Node)} reason why there is no result */
  note(...reason) {
    this.replace(make("p", { class: "note reason" }, ...reason));
    this.badge.hidden = true;
  }

  /** What is shown belongs to an earlier formula, and stays as such. */
  outdate() {
    this.rest();
    this.fade(true);
    this.badge.hidden = true;
  }

  /**
   * @param {Complaint} complaint
   * @param {(() => void)|null} again to be called for another attempt; null where it is no use
   */
  fail({ message, hint }, again) {
    this.badge.hidden = true;
    const said = this.box.querySelector(".failure .what");
    if (said?.textContent === message.replaceAll("`", "")) {
      // A further attempt failed as the last one did, and its button may have the focus.
      this.rest();
      this.fade(false);
      return;
    }
    this.replace(make("div", { class: "failure reason" },
      make("p", { class: "what" }, ...quoted(message)),
      hint ? make("p", { class: "hint" }, ...quoted(hint)) : null,
      again && make("button", { type: "button", class: "small-button", onclick: again }, "Try again")));
  }

  /** @param {...Node} content */
  replace(...content) {
    this.rest();
    this.fade(false);
    this.box.replaceChildren(...content);
  }

  /** @param {boolean} faded */
  fade(faded) {
    this.box.classList.toggle("is-stale", faded);
  }
}
