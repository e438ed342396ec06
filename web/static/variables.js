// @ts-check
/** The table of variables: kind, dimensions and properties of each, all to be changed. */

import { brief, possible, withOrder, withProperty } from "./declarations.js";
import { byId, make } from "./dom.js";

/** @typedef {import("./types.js").Variable} Variable */

const KINDS = ["scalar", "vector", "matrix"];
const HIGHEST_ORDER = 6;
const MOST_ROWS = 9;

export class VariableTable {
  /**
   * @param {HTMLTableElement} table
   * @param {(variable: Variable) => void} declare called when the user changes a variable
   * @param {(name: string) => void} forget called when the user wants it guessed again
   */
  constructor(table, declare, forget) {
    this.body = /** @type {HTMLElement} */ (table.querySelector("tbody"));
    this.declare = declare;
    this.forget = forget;
    /** @type {string[]} */
    this.properties = [];
    this.shown = "";
    this.all = false;
    // On a phone the derivative comes first: the table is a line until it is opened.
    byId("variables-box").open = !matchMedia("(max-width: 40rem)").matches;
    document.addEventListener("click", (event) => this.closeMenus(event.target));
    this.body.addEventListener("keydown", (event) => {
      const menu = /** @type {HTMLElement} */ (event.target).closest("details[open]");
      if (event.key === "Escape" && menu) {
        menu.removeAttribute("open");
        menu.querySelector("summary")?.focus();
      }
    });
    // Of a menu that is left by the keyboard; one that is drawn anew loses the focus to nothing.
    this.body.addEventListener("focusout", (event) => {
      if (event.relatedTarget) this.closeMenus(event.relatedTarget);
    });
  }

  /**
   * @param {Variable[]} variables
   * @param {Record<string, string>} declared those that the user declared in this table
   */
  show(variables, declared) {
    const now = JSON.stringify([variables, declared, this.properties]);
    if (now === this.shown) return;
    this.shown = now;
    byId("variables-brief").textContent = brief(variables);
    const focused = document.activeElement?.id;
    const open = this.body.querySelector("details[open]")?.id;
    const rows = variables.map((variable) => this.row(variable, variables, Object.hasOwn(declared, variable.name)));
    if (!this.all && rows.length > MOST_ROWS + 1) {
      for (const row of rows.slice(MOST_ROWS)) row.hidden = true;
      rows.push(this.opener(rows));
    }
    this.body.replaceChildren(...rows);
    if (open) document.getElementById(open)?.setAttribute("open", "");
    if (focused && !document.activeElement?.id) {
      // A button that takes a declaration back is gone with it.
      const next = focused.replace(/^reset-/, "kind-");
      (document.getElementById(focused) ?? document.getElementById(next))?.focus();
    }
  }

  /**
   * The row that shows those which are hidden.
   * @param {HTMLElement[]} rows
   */
  opener(rows) {
    const open = () => {
      this.all = true;
      for (const row of rows) row.hidden = row.contains(button);
      rows[MOST_ROWS]?.querySelector("select")?.focus();
    };
    const button = make("button", { type: "button", class: "link", onclick: open }, `show all ${rows.length} variables`);
    return make("tr", {}, make("td", { colspan: 4 }, button));
  }

  /**
   * @param {Variable} variable
   * @param {Variable[]} all
   * @param {boolean} here whether it was declared in this table
   */
  row(variable, all, here) {
    const { name } = variable;
    const forget = () => this.forget(name);
    const tag = variable.guessed
      ? make("span", { class: "guess" }, "guessed")
      : here
        ? make("span", { class: "guess" },
            make("button", { type: "button", class: "link", id: `reset-${name}`, onclick: forget,
              "aria-label": `guess ${name} again` }, "guess again"))
        : null;
    return make("tr", {},
      make("th", { scope: "row" }, name, tag),
      make("td", {}, this.kind(variable, all)),
      make("td", {}, this.dims(variable)),
      make("td", {}, this.menu(variable)),
    );
  }

  /**
   * @param {Variable} variable
   * @param {Variable[]} all
   */
  kind(variable, all) {
    const order = variable.dims.length;
    const change = (/** @type {Event} */ event) =>
      this.declare(withOrder(variable, Number(/** @type {any} */ (event.target).value), all));
    const select = make("select", { id: `kind-${variable.name}`, "aria-label": `kind of ${variable.name}`, onchange: change });
    for (let k = 0; k <= Math.max(HIGHEST_ORDER, order); k++) {
      select.append(make("option", { value: k }, KINDS[k] ?? `tensor of order ${k}`));
    }
    select.value = String(order);
    return select;
  }

  /** @param {Variable} variable */
  dims(variable) {
    const box = make("span", { class: "dims" });
    variable.dims.forEach((dim, axis) => {
      if (axis) box.append(make("span", { class: "times", "aria-hidden": "true" }, "×"));
      const change = (/** @type {Event} */ event) => {
        const dims = [...variable.dims];
        dims[axis] = /** @type {any} */ (event.target).value.trim() || dim;
        this.declare({ ...variable, dims });
      };
      box.append(make("input", {
        id: `dim-${variable.name}-${axis}`, value: dim, onchange: change, size: Math.max(2, dim.length), maxlength: 40,
        spellcheck: "false", autocomplete: "off", autocapitalize: "off",
        "aria-label": `dimension ${axis + 1} of ${variable.name}`,
      }));
    });
    if (!variable.dims.length) box.append(make("span", { class: "times" }, "a number"));
    return box;
  }

  /** @param {Variable} variable */
  menu(variable) {
    const { name, properties } = variable;
    const boxes = possible(this.properties, variable.dims.length).map((word) =>
      make("label", {},
        make("input", {
          type: "checkbox", id: `property-${name}-${word}`, checked: properties.includes(word),
          onchange: (/** @type {Event} */ event) =>
            this.declare(withProperty(variable, word, /** @type {any} */ (event.target).checked)),
        }), word));
    return make("details", { class: "properties", id: `properties-${name}` },
      make("summary", { "aria-label": `properties of ${name}: ${properties.join(", ") || "none"}` },
        properties.length ? properties.join(", ") : make("span", { class: "none" }, "none")),
      make("div", { class: "choices", role: "group", "aria-label": `properties of ${name}` }, ...boxes));
  }

  /** @param {EventTarget|null} target */
  closeMenus(target) {
    for (const menu of this.body.querySelectorAll("details[open]")) {
      if (!menu.contains(/** @type {Node} */ (target)) && document.contains(/** @type {Node} */ (target))) {
        menu.removeAttribute("open");
      }
    }
  }
}
