// @ts-check
/** Making and finding elements. */

/**
 * An element with attributes, listeners (`onclick`) and children.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node|string|null)} children
 * @returns {any}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (["checked", "selected", "value", "open"].includes(name)) Reflect.set(element, name, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/**
 * The element of that id, which the page has.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * An element of MathML.
 * @param {string} tag
 * @param {...(Node|string)} children
 */
export function math(tag, ...children) {
  const element = document.createElementNS("http://www.w3.org/1998/Math/MathML", tag);
  element.append(...children);
  return element;
}

/**
 * MathML from the server as a node; its text is escaped there.
 * @param {string} text
 * @returns {Element}
 */
export function mathml(text) {
  const parsed = new DOMParser().parseFromString(text, "text/html");
  return parsed.body.firstElementChild ?? math("math");
}

/**
 * A box that scrolls if what is in it is too wide, and that a keyboard can scroll.
 * @param {string} label
 * @param {string} kind
 * @param {...(Node|string)} children
 */
export function scroller(label, kind, ...children) {
  return make("div", { class: kind, tabindex: "0", role: "region", "aria-label": label }, ...children);
}

/**
 * Let the keyboard scroll the lines that turned out too long for their boxes.
 * @param {HTMLElement} root
 */
export function reachScrollers(root) {
  for (const box of root.querySelectorAll(".scroller")) {
    if (box.scrollWidth <= box.clientWidth) continue;
    box.setAttribute("tabindex", "0");
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", "A long formula");
  }
}

/**
 * Tell it to screen readers, once.
 * @param {string} message
 */
export function say(message) {
  const status = byId("status");
  if (status.textContent !== message) status.textContent = message;
}
