// @ts-check
/** Light or dark: the system's wish, until the user says otherwise. */

import { byId } from "./dom.js";

const KEY = "tcalc-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

/** @type {string|null} what the user chose, kept here too where the browser stores nothing */
let wish = stored();

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage is switched off
  }
}

/** The theme that is not shown now, to which the button switches. */
function other() {
  return (wish ?? (dark.matches ? "dark" : "light")) === "dark" ? "light" : "dark";
}

function apply() {
  if (wish) document.documentElement.dataset.theme = wish;
  const button = byId("theme");
  const label = `Switch to ${other()} colours`;
  button.textContent = other() === "light" ? "☀" : "☾";
  button.setAttribute("aria-label", label);
  button.title = label;
}

export function setUpTheme() {
  apply();
  dark.addEventListener("change", apply);
  byId("theme").addEventListener("click", () => {
    wish = other();
    try {
      localStorage.setItem(KEY, wish);
    } catch {
      // storage is switched off: the choice lasts as long as the page
    }
    apply();
  });
}
