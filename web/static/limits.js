// @ts-check
/** How long the texts of a user may be. */

/** @typedef {import("./types.js").Complaint} Complaint */

/** The most characters of a formula that the server takes. */
export const LONGEST = 20_000;

/**
 * What is wrong with a text of so many characters.
 * @param {number} length
 * @returns {Complaint}
 */
export function tooLong(length) {
  const [has, most] = [length, LONGEST].map((number) => number.toLocaleString("en"));
  return {
    kind: "limit",
    message: `${has} characters are too many: a formula on this page has at most ${most}`,
    hint: "the command line and Python take longer programs: `tcalc gradient model.tc`",
    source: null, line: null, column: null, end: null,
  };
}

/**
 * Refuse a text that is too long before it is in a field: a browser takes seconds to lay it out.
 * @param {HTMLTextAreaElement|HTMLInputElement} field
 * @param {(complaint: Complaint) => void} refused
 */
export function limitLength(field, refused) {
  field.addEventListener("beforeinput", (/** @type {Event} */ event) => {
    const { data, dataTransfer } = /** @type {InputEvent} */ (event);
    const added = (data ?? dataTransfer?.getData("text/plain") ?? "").length;
    const kept = field.value.length - ((field.selectionEnd ?? 0) - (field.selectionStart ?? 0));
    if (!added || kept + added <= LONGEST) return;
    event.preventDefault();
    refused(tooLong(kept + added));
  });
}
