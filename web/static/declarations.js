// @ts-check
/** Declarations as text: `X[m,n] spd`. All functions here are pure. */

/** @typedef {import("./types.js").Variable} Variable */

const NAME = /^\s*([\p{L}][\p{L}\p{N}\p{M}_]*)/u;
const SQUARE = ["symmetric", "spd", "psd", "diagonal", "orthogonal"];
const MATRIX = [...SQUARE, "lower", "upper"];
const FRESH = ["m", "n", "k", "l", "p", "q", "r", "s", "h", "d"];

/**
 * A variable as the text of its declaration.
 * @param {{name: string, dims: string[], properties: string[]}} variable
 */
export function write({ name, dims, properties }) {
  return [`${name}[${dims.join(",")}]`, ...properties].join(" ");
}

/**
 * The first variables as declarations, for a line that stands for their table.
 * @param {{name: string, dims: string[], properties: string[]}[]} variables
 * @param {number} most how many are written
 */
export function brief(variables, most = 8) {
  const first = variables.length > most + 1 ? variables.slice(0, most) : variables;
  const written = first.map((variable) => write(variable).replace("[]", ""));
  const more = variables.length - first.length;
  return written.join(", ") + (more ? `, and ${more} more` : "");
}

/**
 * The items of a list of declarations, with their places.
 * @param {string} text
 * @returns {{name: string, text: string, start: number, end: number}[]}
 */
export function items(text) {
  const found = [];
  let depth = 0;
  let start = 0;
  for (let k = 0; k <= text.length; k++) {
    const sign = text[k];
    if (sign === "[") depth++;
    if (sign === "]") depth--;
    if (k === text.length || (sign === "," && depth === 0)) {
      const item = text.slice(start, k);
      const name = NAME.exec(item)?.[1];
      const before = item.length - item.trimStart().length;
      const after = item.trimEnd().length;
      if (name) found.push({ name, text: item.trim(), start: start + before, end: start + after });
      start = k + 1;
    }
  }
  return found;
}

/**
 * A text of declarations as texts by name.
 * @param {string} text
 * @returns {Record<string, string>}
 */
export function split(text) {
  return Object.fromEntries(items(text).map((item) => [item.name, item.text]));
}

/**
 * Variables as they are declared, which they are not yet if the program has an error.
 * @param {Variable[]} variables
 * @param {Record<string, string>} declared
 * @returns {Variable[]}
 */
export function withDeclared(variables, declared) {
  return variables.map((variable) => {
    if (!Object.hasOwn(declared, variable.name)) return variable;
    const [, dims = "", properties = ""] = /\[([^\]]*)\](.*)/.exec(declared[variable.name] ?? "") ?? [];
    const words = (/** @type {string} */ list, /** @type {RegExp} */ at) => list.split(at).map((word) => word.trim()).filter(Boolean);
    return { ...variable, dims: words(dims, /,/), properties: words(properties, /\s+/), guessed: false };
  });
}

/**
 * Variables of a wrong program, whose dimensions were not inferred: with those of before.
 * @param {Variable[]} variables
 * @param {Variable[]} before
 * @returns {Variable[]}
 */
export function withKnown(variables, before) {
  return variables.map((variable) => {
    const known = before.find((other) => other.name === variable.name);
    const same = known && variable.guessed && known.dims.length === variable.dims.length;
    return same ? { ...variable, dims: known.dims } : variable;
  });
}

/**
 * The declarations in a program: the items of its `tensor` statements.
 * @param {string} program
 */
export function declaredIn(program) {
  const found = [];
  const statement = /(^|[\n;])([ \t]*tensor[ \t]+)((?:\[[^\]]*\]|[^\n;#[])*)/gu;
  for (const match of program.matchAll(statement)) {
    const offset = match.index + (match[1] ?? "").length + (match[2] ?? "").length;
    for (const item of items(match[3] ?? "")) {
      found.push({ ...item, start: item.start + offset, end: item.end + offset });
    }
  }
  return found;
}

/**
 * The declarations that a program needs in addition: of names that occur in it, undeclared.
 * @param {string} program
 * @param {Record<string, string>} declared
 */
export function needed(program, declared) {
  const own = new Set(declaredIn(program).map((item) => item.name));
  const used = new Set(program.match(/[\p{L}][\p{L}\p{N}\p{M}_]*/gu) ?? []);
  return Object.entries(declared)
    .filter(([name]) => used.has(name) && !own.has(name))
    .map(([, text]) => text)
    .join(", ");
}

/**
 * A variable with another number of axes; axes that stay keep their dimensions.
 * @param {Variable} variable
 * @param {number} order
 * @param {Variable[]} all
 * @returns {Variable}
 */
export function withOrder(variable, order, all) {
  const dims = variable.dims.slice(0, order).map(simple);
  const taken = new Set(all.flatMap((other) => [other.name, ...other.dims]));
  const free = FRESH.filter((name) => !taken.has(name));
  while (dims.length < order) dims.push(free.shift() ?? `n${dims.length}`);
  const properties = variable.properties.filter((word) => order >= 2 || !MATRIX.includes(word));
  return { ...variable, dims, properties };
}

/**
 * A variable with a property more or less; what makes a matrix square makes its dimensions equal.
 * @param {Variable} variable
 * @param {string} property
 * @param {boolean} has
 * @returns {Variable}
 */
export function withProperty(variable, property, has) {
  const rest = variable.properties.filter((word) => word !== property);
  const dims = variable.dims.map(simple);
  if (has && SQUARE.includes(property)) dims[dims.length - 1] = /** @type {string} */ (dims.at(-2));
  return { ...variable, dims, properties: has ? [...rest, property] : rest };
}

/**
 * The properties that a tensor with so many axes can have.
 * @param {string[]} properties
 * @param {number} order
 */
export function possible(properties, order) {
  return properties.filter((word) => order >= 2 || !MATRIX.includes(word));
}

/**
 * A dimension that can be declared: an inferred one may be a polynomial, which gets a name.
 * @param {string} dim
 * @param {number} axis
 */
function simple(dim, axis) {
  return /^([\p{L}][\p{L}\p{N}_]*|[1-9]\d*)$/u.test(dim) ? dim : `n${axis + 1}`;
}
