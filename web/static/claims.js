// @ts-check
/** Whether a derivative that the user has found is the same. */

import { ApiError, post } from "./api.js";
import { make } from "./dom.js";
import { quoted } from "./editor.js";
import { limitLength } from "./limits.js";
import { scientific } from "./results.js";

/** @typedef {import("./types.js").Check} Check */

const PAUSE = 300;

/** What the user wrote, which stays while formulas change. */
const kept = { text: "", open: false };

/**
 * A field for the user's own formula, and the verdict on it.
 * @param {object} derivative the request whose result it is compared with
 */
export function comparison(derivative) {
  const verdict = make("p", { id: "claim-verdict", class: "claim-verdict", role: "status" });
  let request = new AbortController();
  let timer = 0;
  const compare = async () => {
    request.abort();
    request = new AbortController();
    const { signal } = request;
    if (!kept.text.trim()) return verdict.replaceChildren();
    try {
      const { checks } = await post("check", { ...derivative, claim: kept.text }, signal);
      tell(verdict, ...said(checks[0]));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      const { message, hint } = error.complaint;
      tell(verdict, "", hint ? `${message}: ${hint}` : message);
    }
  };
  const field = make("input", {
    id: "claim", value: kept.text, placeholder: "a formula in the same variables",
    autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-describedby": "claim-verdict",
    oninput: () => {
      kept.text = field.value;
      clearTimeout(timer);
      timer = window.setTimeout(compare, PAUSE);
    },
  });
  limitLength(field, ({ message, hint }) => tell(verdict, "", `${message}: ${hint}`));
  if (kept.open) compare();
  const box = make("details", { class: "claim", open: kept.open, ontoggle: () => { kept.open = box.open; } },
    make("summary", {}, "Compare with yours"),
    make("label", { for: "claim" }, "Your derivative"), field, verdict);
  return box;
}

/**
 * @param {Check} check
 * @returns {[string, string]}
 */
function said({ passed, error, reason }) {
  if (passed === null) return ["", reason ?? ""];
  return passed
    ? ["is-good", `✓ the same on random data; largest difference ${scientific(error)}`]
    : ["is-bad", `✗ not the same: on random data it differs by ${scientific(error)}, relative to the largest entry`];
}

/**
 * @param {HTMLElement} verdict
 * @param {string} kind
 * @param {string} text
 */
function tell(verdict, kind, text) {
  verdict.className = `claim-verdict ${kind}`;
  verdict.replaceChildren(...quoted(text));
}
