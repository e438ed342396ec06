// @ts-check
/** The state of the page, and the address that holds it. */

/** @typedef {import("./types.js").State} State */

/** @type {State} */
const INITIAL = {
  formula: "",
  declared: {},
  wrt: [],
  order: "1",
  mode: "cross-country",
  cse: true,
  tab: "mathematics",
  sizes: {},
};

export const FIRST_FORMULA = "norm2(X*w - y)^2 / 2 + c*norm2(w)^2";

const ORDERS = ["1", "2", "mixed", "3"];
const MODES = ["cross-country", "reverse", "forward", "least-degree", "tensor-order"];

/** @returns {State} */
export function initial() {
  return { ...INITIAL, declared: {}, wrt: [], sizes: {} };
}

/**
 * The fragment of the address for a state: what differs from the initial one.
 * @param {State} state
 */
export function encode(state) {
  const fields = new URLSearchParams();
  fields.set("f", state.formula);
  const declared = Object.values(state.declared).join(", ");
  if (declared) fields.set("declare", declared);
  if (state.wrt.length) fields.set("wrt", state.wrt.join(","));
  for (const key of /** @type {const} */ (["order", "mode", "tab"])) {
    if (state[key] !== INITIAL[key]) fields.set(key, state[key]);
  }
  if (!state.cse) fields.set("cse", "0");
  const sizes = Object.entries(state.sizes).map(([name, size]) => `${name}=${size}`);
  if (sizes.length) fields.set("sizes", sizes.join(","));
  return `#${fields.toString().replaceAll("%2C", ",").replaceAll("%3D", "=")}`;
}

/**
 * The title of the page for a state, as the browser's history shows it.
 * @param {State} state
 */
export function titled({ formula }) {
  const line = formula.trim().split("\n").at(-1) ?? "";
  return line ? `${line.length > 60 ? `${line.slice(0, 59)}…` : line} · tcalc` : "tcalc: derivatives of tensor expressions";
}

/**
 * The state that a fragment holds; null where it holds none.
 * @param {string} fragment
 * @param {(text: string) => Record<string, string>} split makes declarations of a text
 * @returns {State|null}
 */
export function decode(fragment, split) {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  const formula = fields.get("f");
  if (formula === null) return null;
  const state = initial();
  state.formula = formula;
  state.declared = split(fields.get("declare") ?? "");
  state.wrt = words(fields.get("wrt"));
  state.order = known(fields.get("order"), ORDERS);
  state.mode = known(fields.get("mode"), MODES);
  state.tab = fields.get("tab") ?? INITIAL.tab;
  state.cse = fields.get("cse") !== "0";
  for (const item of words(fields.get("sizes"))) {
    const [name, size] = item.split("=");
    if (name && /^[1-9]\d{0,8}$/.test(size ?? "")) state.sizes[name] = Number(size);
  }
  return state;
}

/** @param {string|null} text */
function words(text) {
  return (text ?? "").split(",").filter(Boolean);
}

/**
 * @param {string|null} value
 * @param {string[]} values the first of which is the default
 */
function known(value, values) {
  return value !== null && values.includes(value) ? value : /** @type {string} */ (values[0]);
}
