// @ts-check
/** Light or dark: the system's wish, until the user says otherwise. */

import { byId } from "./dom.js";

const KEY = "tcalc-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

/** @returns {string|null} */
function wish() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage is switched off
  }
}

function apply() {
  const wished = wish();
  const theme = wished ?? (dark.matches ? "dark" : "light");
  if (wished) document.documentElement.dataset.theme = wished;
  const button = byId("theme");
  const other = theme === "dark" ? "light" : "dark";
  button.textContent = theme === "dark" ? "☀" : "☾";
  button.setAttribute("aria-label", `Switch to ${other} colours`);
  button.title = `Switch to ${other} colours`;
}

export function setUpTheme() {
  apply();
  dark.addEventListener("change", apply);
  byId("theme").addEventListener("click", () => {
    const other = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem(KEY, other);
    } catch {
      document.documentElement.dataset.theme = other;
      return;
    }
    apply();
  });
}
