// @ts-check
/** What a derivative costs, by mode and form, for sizes that the user gives. */

import { ApiError, post } from "./api.js";
import { make } from "./dom.js";

/**
 * @typedef {{mode: string, form: string, nodes: number, order: number, flops: string, memory: string,
 *   operations: number, bytes: number}} Cost
 * @typedef {{wrt: string[], kind: string, costs: Cost[]}} Table
 * @typedef {{sizes: Record<string, number>, modes: string[], tables: Table[], next: number|null,
 *   missing: string}} Costs `missing` says which rows take too long to count
 */

/** @type {import("./views.js").View} */
export const cost = {
  title: "Cost",
  sized: true,
  ask: count,
  show: (told, resize) => [inputs(told.sizes, resize), ...progress(told), ...told.tables.filter(hasRows).map(table)],
};

/**
 * All costs, asked for in several requests where they take long to count; what is told so far is shown.
 * @param {import("./views.js").Question} question
 * @returns {Promise<Costs>}
 */
async function count({ differentiation, sizes, signal, sofar }) {
  const ask = (/** @type {number} */ start) => post("cost", { ...differentiation, sizes, start }, signal);
  /** @type {Costs} */
  const told = { ...await ask(0), missing: "" };
  const rows = told.modes.length * told.tables.length;
  for (let next = told.next; next !== null; next = told.next) {
    sofar(told);
    try {
      const more = await ask(next);
      told.tables.forEach((known, k) => known.costs.push(...more.tables[k].costs));
      told.next = more.next;
    } catch (error) {
      if (!(error instanceof ApiError && error.complaint.kind === "limit")) throw error;
      const table = /** @type {Table} */ (told.tables[Math.floor(next / told.modes.length)]);
      const row = `${told.modes[next % told.modes.length]} by ${table.wrt.join(", ")}`;
      told.missing += `${told.missing ? "; " : ""}${row}: ${error.message}`;
      told.next = next + 1 < rows ? next + 1 : null;
    }
  }
  return told;
}

/** @param {Table} table */
function hasRows({ costs }) {
  return costs.length > 0;
}

/** @param {Costs} told */
function progress({ modes, tables, next, missing }) {
  const rows = modes.length * tables.length;
  const notes = missing ? [make("p", { class: "note" }, `Not counted: ${missing}`)] : [];
  if (next === null) return notes;
  return [...notes, make("p", { class: "note counting" },
    make("progress", { value: next, max: rows, "aria-label": "Costs counted" }), ` ${next} of ${rows} counted …`)];
}

/**
 * @param {Record<string, number>} sizes
 * @param {import("./views.js").Resize} resize
 */
function inputs(sizes, resize) {
  const names = Object.keys(sizes);
  if (!names.length) return make("p", { class: "note" }, "All sizes are fixed.");
  const change = (/** @type {Event} */ event) => {
    const field = /** @type {HTMLInputElement} */ (event.target);
    if (field.checkValidity()) resize({ ...sizes, [field.name]: Number(field.value) });
  };
  return make("div", { class: "sizes", role: "group", "aria-label": "Sizes" },
    ...names.map((name) => make("label", {}, `${name} =`,
      make("input", { type: "number", name, id: `size-${name}`, value: sizes[name], min: 1, max: 1e9, step: 1,
        required: true, onchange: change }))));
}

/** @param {Table} table */
function table({ wrt, kind, costs }) {
  const least = Math.min(...costs.map((row) => row.operations));
  const most = Math.max(...costs.map((row) => row.operations), 1);
  const heads = ["Mode", "Form", "Operations", "Memory", "Highest order"];
  return make("div", { class: "table-scroller", tabindex: "0", role: "region", "aria-label": `Costs of the ${kind} by ${wrt.join(", ")}` },
    make("table", { class: "costs" },
      make("caption", {}, `${kind} by ${wrt.join(", ")}`),
      make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", {}, ...costs.map((row) => line(row, row.operations === least, row.operations / most)))));
}

/**
 * @param {Cost} row
 * @param {boolean} best
 * @param {number} share of the dearest row
 */
function line(row, best, share) {
  const bar = make("span", { class: "bar", "aria-hidden": "true" });
  bar.style.width = `${Math.max(1, 100 * share)}%`;
  return make("tr", { class: best ? "is-best" : null },
    make("th", { scope: "row" }, row.mode),
    make("td", {}, row.form),
    make("td", {}, bar, make("span", { class: "amount" }, short(row.operations)),
      make("span", { class: "polynomial" }, ...polynomial(row.flops))),
    make("td", {}, make("span", { class: "amount" }, size(row.bytes)), make("span", { class: "polynomial" }, ...polynomial(row.memory))),
    make("td", {}, String(row.order)));
}

/**
 * `2*m*n^2` as 2 m n².
 * @param {string} text
 */
function polynomial(text) {
  return text.split(/(\^\d+)/).map((part) =>
    part.startsWith("^") ? make("sup", {}, part.slice(1)) : part.replaceAll("*", "\u2009").replaceAll("-", "−"));
}

/** @param {number} number */
function short(number) {
  return new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(number);
}

/** @param {number} bytes */
function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  const k = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(bytes, 1)) / 3)));
  return `${Number((bytes / 1000 ** k).toPrecision(3))} ${units[k]}`;
}
