// @ts-check
/** The documentation of the API, made from its OpenAPI description. */

import { get } from "./api.js";
import { byId, make } from "./dom.js";
import { setUpTheme } from "./theme.js";

const EXAMPLE = { formula: "norm2(X*w - y)^2", wrt: ["w"], notations: ["text", "latex"] };

/** @param {string} reference */
function nameOf(reference) {
  return reference.split("/").at(-1) ?? "";
}

/**
 * The type that a schema describes, with links to those that have a name.
 * @param {any} schema
 * @returns {(Node|string)[]}
 */
function type(schema) {
  if (schema.$ref) {
    const name = nameOf(schema.$ref);
    return [make("a", { href: `#${name}` }, name)];
  }
  if (schema.enum) return [schema.enum.map((/** @type {any} */ value) => JSON.stringify(value)).join(" | ")];
  if (schema.const !== undefined) return [JSON.stringify(schema.const)];
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.flatMap((/** @type {any} */ choice, /** @type {number} */ k) => (k ? [" | ", ...type(choice)] : type(choice)));
  if (schema.type === "array") return ["list of ", ...type(schema.items ?? {})];
  if (schema.type === "object" && schema.additionalProperties) return ["object of ", ...type(schema.additionalProperties)];
  return [schema.type ?? "anything"];
}

/** @param {any} schema */
function limits(schema) {
  const shown = [];
  const bounds = { minLength: "at least # characters", maxLength: "at most # characters", minItems: "at least # items",
    maxItems: "at most # items", minimum: "from #", maximum: "to #" };
  for (const [key, text] of Object.entries(bounds)) {
    if (schema[key] !== undefined) shown.push(text.replace("#", schema[key].toLocaleString("en")));
  }
  if (schema.default !== undefined && schema.default !== null) shown.push(`by default ${JSON.stringify(schema.default)}`);
  return shown.length ? `${shown.join(", ")}.` : "";
}

/** @param {[string, any]} entry */
function schemaSection([name, schema]) {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([field, inner]) =>
    make("tr", {},
      make("th", { scope: "row" }, field),
      make("td", {}, ...type(inner), required.has(field) ? make("div", {}, "required") : null),
      make("td", {}, [inner.description, limits(inner)].filter(Boolean).join(" "))));
  return make("div", { class: "schema", id: name },
    make("h3", {}, make("code", {}, name)),
    make("p", {}, schema.description ?? ""),
    make("div", { class: "table-scroller", tabindex: "0", role: "region", "aria-label": `Fields of ${name}` },
      make("table", { class: "fields" },
        make("thead", {}, make("tr", {}, ...["Field", "Type", "Meaning"].map((title) => make("th", { scope: "col" }, title)))),
        make("tbody", {}, ...rows))));
}

/**
 * @param {string} path
 * @param {string} method
 * @param {any} operation
 */
function operationSection(path, method, operation) {
  const body = operation.requestBody?.content["application/json"].schema;
  const answer = operation.responses["200"].content["application/json"].schema;
  return make("section", { class: "operation" },
    make("h2", {}, make("span", { class: "method" }, method.toUpperCase()), make("code", {}, path)),
    make("p", {}, `${operation.summary}. ${operation.description ?? ""}`),
    make("p", { class: "types" }, ...(body ? ["takes ", ...type(body), ", "] : []), "gives ", ...type(answer)));
}

/** @param {any} paths */
function failures(paths) {
  const { responses } = paths["/api/derivative"].post;
  const rows = Object.entries(responses).filter(([status]) => status !== "200");
  return make("ul", { class: "failures" }, ...rows.map(([status, { description }]) =>
    make("li", {}, make("code", {}, status), ` ${description}`)));
}

setUpTheme();
byId("example").textContent = [
  `curl ${location.origin}/api/derivative \\`,
  `  -H 'Content-Type: application/json' \\`,
  `  -d '${JSON.stringify(EXAMPLE)}'`,
].join("\n");
const { paths, components } = await get("/openapi.json");
byId("failures").append(failures(paths));
byId("operations").append(
  ...Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => operationSection(path, method, operation))));
byId("schemas").append(...Object.entries(components.schemas).map(schemaSection));
if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
