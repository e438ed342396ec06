// @ts-check
/** The formula as coloured pieces, and the brackets that belong together. Pure functions. */

const TOKEN =
  /(#(?!\().*)|("[^"\n]*"|(?<=[(,] ?)'[^'\n]*')|(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|([\p{L}][\p{L}\p{N}\p{M}_]*)/gu;
const WORDS = new Set(["tensor", "for", "end"]);
const PAIRS = /** @type {Record<string, string>} */ ({ ")": "(", "]": "[", "}": "{" });

/**
 * The pieces of a text that have a colour: `[start, end, class]`, in order.
 * @param {string} text
 * @returns {[number, number, string][]}
 */
export function tokens(text) {
  /** @type {[number, number, string][]} */
  const found = [];
  for (const match of text.matchAll(TOKEN)) {
    const [whole, comment, quoted, number] = match;
    const end = match.index + whole.length;
    if (comment) found.push([match.index, end, "tok-comment"]);
    else if (quoted) found.push([match.index, end, "tok-text"]);
    else if (number) found.push([match.index, end, "tok-number"]);
    else if (WORDS.has(whole)) found.push([match.index, end, "tok-word"]);
    else if (/^\s*\(/.test(text.slice(end, end + 4))) found.push([match.index, end, "tok-name"]);
  }
  return found;
}

/**
 * The offsets of the bracket at the cursor and of its partner; empty where there is none.
 * @param {string} text
 * @param {number} cursor
 * @returns {number[]}
 */
export function pair(text, cursor) {
  for (const place of [cursor - 1, cursor]) {
    const sign = text[place] ?? "";
    if ("([{".includes(sign) && sign) return partner(text, place, 1);
    if (sign in PAIRS) return partner(text, place, -1);
  }
  return [];
}

/**
 * @param {string} text
 * @param {number} place
 * @param {1|-1} step
 */
function partner(text, place, step) {
  /** @type {string[]} */
  const open = [];
  for (let k = place; k >= 0 && k < text.length; k += step) {
    const sign = text[k] ?? "";
    const closing = sign in PAIRS;
    if (!closing && !"([{".includes(sign)) continue;
    if (closing === step < 0) open.push(sign);
    else {
      const other = open.pop() ?? "";
      const fits = closing ? PAIRS[sign] === other : PAIRS[other] === sign;
      if (!fits) return [];
      if (!open.length) return [place, k];
    }
  }
  return [];
}
