// @ts-check
/** The formula field: colours, matching brackets, and the error under the very character. */

import { make, say } from "./dom.js";
import { limitLength } from "./limits.js";
import { pair, tokens } from "./tokens.js";

/** @typedef {import("./types.js").Complaint} Complaint */

const LONGEST_COLOURED = 6000;

export class Editor {
  /**
   * @param {HTMLElement} box
   * @param {HTMLElement} complaint where errors are explained
   * @param {() => void} changed called after every keystroke
   */
  constructor(box, complaint, changed) {
    this.box = box;
    this.layer = /** @type {HTMLElement} */ (box.querySelector("pre"));
    this.field = /** @type {HTMLTextAreaElement} */ (box.querySelector("textarea"));
    this.complaint = complaint;
    /** @type {Complaint|null} */
    this.error = null;
    this.field.addEventListener("input", () => {
      this.error = this.error && { ...this.error, line: null };
      this.paint();
      changed();
    });
    document.addEventListener("selectionchange", () => {
      if (document.activeElement === this.field) this.paint();
    });
    this.field.addEventListener("blur", () => this.paint());
    limitLength(this.field, (refusal) => this.refuse(refusal));
  }

  get text() {
    return this.field.value;
  }

  set text(value) {
    if (value !== this.field.value) this.field.value = value;
    this.paint();
  }

  /**
   * Put a text where the cursor is, as if it were typed.
   * @param {string} text
   */
  insert(text) {
    this.field.focus();
    // The one way that the browser can undo.
    if (document.execCommand("insertText", false, text)) return;
    this.field.setRangeText(text, this.field.selectionStart, this.field.selectionEnd, "end");
    this.field.dispatchEvent(new Event("input"));
  }

  /** @param {Complaint|null} error */
  show(error) {
    this.error = error;
    this.box.classList.toggle("is-wrong", error !== null);
    this.field.setAttribute("aria-invalid", String(error !== null));
    this.complaint.replaceChildren(...(error ? explained(error) : []));
    this.paint();
  }

  /**
   * Explain why a text is not in the field, which is as it was.
   * @param {Complaint} refusal
   */
  refuse(refusal) {
    this.complaint.replaceChildren(...explained(refusal));
    say(`Error: ${refusal.message}`);
  }

  paint() {
    const text = this.field.value;
    const focused = document.activeElement === this.field;
    const coloured = text.length <= LONGEST_COLOURED ? tokens(text) : [];
    const paired = focused ? pair(text, this.field.selectionStart) : [];
    const mistake = this.error ? stretch(text, this.error) : null;
    // A last line that is empty has a height too.
    this.layer.replaceChildren(...pieces(text, coloured, paired, mistake), "\u200b");
  }
}

/**
 * A text with its colours, its matching brackets, and the mark of its mistake.
 * @param {string} text
 * @param {[number, number, string][]} coloured
 * @param {number[]} paired
 * @param {[number, number]|null} mistake
 */
function pieces(text, coloured, paired, mistake) {
  const [from, to] = mistake ?? [-1, -1];
  const cuts = new Set([0, text.length, ...paired, ...paired.map((k) => k + 1)]);
  for (const [start, end] of coloured) cuts.add(start).add(end);
  if (mistake) cuts.add(from).add(Math.min(to, text.length));
  const ordered = [...cuts].sort((a, b) => a - b);
  /** @type {(Node|string)[]} */
  const made = [];
  let next = 0;
  ordered.forEach((start, k) => {
    if (start === from) made.push(make("span", { class: "caret" }));
    while (next < coloured.length && (coloured[next]?.[1] ?? 0) <= start) next++;
    const token = coloured[next];
    const names = [];
    if (token && token[0] <= start) names.push(token[2]);
    if (paired.includes(start)) names.push("paired");
    if (start >= from && start < to) names.push("wrong");
    const piece = text.slice(start, ordered[k + 1] ?? start);
    if (piece) made.push(names.length ? make("span", { class: names.join(" ") }, piece) : piece);
    // At the end of the text there is no character to mark.
    else if (start === from) made.push(make("span", { class: "wrong" }, "\u00a0"));
  });
  return made;
}

/**
 * The offsets of the mistake in the text, if it has a place there; columns count characters, not
 * their halves.
 * @param {string} text
 * @param {Complaint} error
 * @returns {[number, number]|null}
 */
function stretch(text, error) {
  if (error.line === null || error.column === null || error.source !== "formula") return null;
  const lines = text.split("\n");
  const line = lines[error.line - 1] ?? "";
  const before = lines.slice(0, error.line - 1).reduce((sum, other) => sum + other.length + 1, 0);
  const characters = [...line];
  const upTo = (/** @type {number} */ column) => characters.slice(0, column - 1).join("").length;
  return [before + upTo(error.column), before + upTo(error.end ?? error.column + 1)];
}

/** @param {Complaint} error */
function explained(error) {
  const place = error.line && error.line > 1 ? ` (line ${error.line})` : "";
  const where = error.source === "declarations" ? "in the table of variables: " : "";
  return [
    make("p", { class: "what" }, ...quoted(`${where}${error.message}${place}`)),
    error.hint ? make("p", { class: "hint" }, ...quoted(error.hint)) : null,
  ].filter((child) => child !== null);
}

/**
 * A message with what it quotes in backquotes as code.
 * @param {string} text
 */
export function quoted(text) {
  return text.split("`").map((part, k) => (k % 2 ? make("code", {}, part) : part));
}
