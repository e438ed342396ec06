// @ts-check
/** The page: from a keystroke to a derivative. */

import { ApiError, post } from "./api.js";
import { copied } from "./clipboard.js";
import { declaredIn, needed, split, withDeclared, withKnown, write } from "./declarations.js";
import { byId, make, mathml, reachScrollers, say } from "./dom.js";
import { Editor, quoted } from "./editor.js";
import { setUpGallery } from "./gallery.js";
import { Options, chosen, ordering } from "./options.js";
import { showChecks } from "./results.js";
import { FIRST_FORMULA, decode, encode, initial } from "./state.js";
import { Tabs } from "./tabs.js";
import { setUpTheme } from "./theme.js";
import { VariableTable } from "./variables.js";
import { VIEWS } from "./views.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Parsed} Parsed */
/** @typedef {import("./types.js").Variable} Variable */
/** @typedef {import("./types.js").Complaint} Complaint */

const KEYSTROKES_APART = 15;
const PAUSE = 800;
const BEFORE_CHECK = 120;
const BEFORE_SPEECH = 700;
const REMEMBERED = 60;

class Page {
  constructor() {
    this.state = decode(location.hash, split) ?? { ...initial(), formula: FIRST_FORMULA };
    /** @type {Parsed|null} */
    this.parsed = null;
    this.request = new AbortController();
    /** @type {Map<string, any>} answers by question, so that back and forward are immediate */
    this.answers = new Map();
    /** @type {Record<string, number>} */
    this.timers = {};
    this.panel = byId("panel");
    this.editor = new Editor(byId("editor"), byId("complaint"), () => this.typed());
    this.table = new VariableTable(byId("variables"), (v) => this.declare(v), (name) => this.forget(name));
    this.options = new Options((change) => this.change(change));
    const titles = /** @type {[string, string][]} */ (Object.entries(VIEWS).map(([key, view]) => [key, view.title]));
    this.tabs = new Tabs(byId("tabs"), this.panel, titles, (tab) => this.change({ tab }));
    byId("share").addEventListener("click", () => {
      this.commit();
      copied(byId("share"), location.href);
    });
    addEventListener("popstate", () => this.restore());
    addEventListener("pagehide", () => this.commit("replace"));
    setUpTheme();
    setUpGallery((example) => this.open(example), (words) => {
      this.table.properties = words;
      if (this.parsed) this.table.show(this.parsed.variables, this.state.declared);
    });
    this.editor.text = this.state.formula;
    this.refresh();
  }

  // What the user does --------------------------------------------------------------------

  typed() {
    this.state = { ...this.state, formula: this.editor.text };
    this.later("history", PAUSE, () => this.commit());
    this.later("refresh", KEYSTROKES_APART, () => this.refresh());
  }

  /** @param {Partial<State>} change */
  change(change) {
    this.state = { ...this.state, ...change };
    this.commit();
    this.refresh();
  }

  /** @param {Variable} variable */
  declare(variable) {
    const text = write(variable);
    const item = declaredIn(this.state.formula).find((other) => other.name === variable.name);
    if (item) {
      const { formula } = this.state;
      this.change({ formula: formula.slice(0, item.start) + text + formula.slice(item.end) });
      this.editor.text = this.state.formula;
    } else this.change({ declared: { ...this.state.declared, [variable.name]: text } });
  }

  /** @param {string} name */
  forget(name) {
    const { [name]: _, ...declared } = this.state.declared;
    this.change({ declared });
  }

  /** @param {import("./types.js").Example} example */
  open(example) {
    const { mode, cse, tab } = this.state;
    this.state = {
      ...initial(), mode, cse, tab,
      formula: example.formula, declared: split(example.declarations), wrt: example.wrt.slice(0, 1),
    };
    this.editor.text = this.state.formula;
    this.commit();
    this.refresh();
  }

  // The address ---------------------------------------------------------------------------

  /** @param {"push"|"replace"} [how] */
  commit(how = "push") {
    clearTimeout(this.timers.history);
    const address = encode(this.state);
    const untouched = !location.hash && this.state.formula === FIRST_FORMULA && how === "replace";
    if (address === location.hash || untouched) return;
    if (how === "push") history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  }

  restore() {
    this.state = decode(location.hash, split) ?? { ...initial(), formula: FIRST_FORMULA };
    this.editor.text = this.state.formula;
    this.refresh();
  }

  // From the formula to the result --------------------------------------------------------

  async refresh() {
    clearTimeout(this.timers.refresh);
    clearTimeout(this.timers.check);
    this.request.abort();
    this.request = new AbortController();
    const { signal } = this.request;
    if (!Object.hasOwn(VIEWS, this.state.tab)) this.state.tab = "mathematics";
    this.tabs.select(this.state.tab);
    byId("cse-switch").hidden = !this.view.common;
    try {
      const parsed = await this.ask("parse", this.program, (question) => post("parse", question, signal));
      signal.throwIfAborted();
      if (this.shows(parsed)) await this.differentiate(signal);
    } catch (error) {
      if (error instanceof ApiError) this.fail(error.complaint);
      else if (!signal.aborted) throw error;
    }
  }

  /**
   * Show what was understood of the formula; whether there is anything to differentiate.
   * @param {Parsed} parsed
   */
  shows(parsed) {
    const empty = !this.state.formula.trim();
    this.editor.show(empty ? null : parsed.error);
    byId("reading").classList.toggle("is-stale", parsed.error !== null);
    if (parsed.error) {
      const before = this.parsed?.variables ?? [];
      const variables = parsed.variables.length ? withKnown(parsed.variables, before) : before;
      this.table.show(withDeclared(variables, this.state.declared), this.state.declared);
      this.options.show(this.state, variables);
      const stale = !empty && this.panel.querySelector(":scope > :not(.reason)") !== null;
      if (!stale) this.note(empty ? "Type a formula above." : "No derivative: the formula has an error.");
      this.settle(true, stale);
      if (!empty) this.later("speech", BEFORE_SPEECH, () => say(`Error: ${parsed.error?.message}`));
      return false;
    }
    this.parsed = parsed;
    byId("reading").replaceChildren(mathml(parsed.mathml));
    byId("reading-shape").textContent = shape(parsed.dims);
    this.table.show(parsed.variables, this.state.declared);
    this.options.show(this.state, parsed.variables);
    return true;
  }

  /** @param {AbortSignal} signal */
  async differentiate(signal) {
    const wrt = chosen(this.state.wrt, this.parsed?.variables ?? []);
    const { order, mixed } = ordering(this.state.order);
    const nothing = this.nothingToShow(wrt, mixed);
    if (nothing) {
      this.note(nothing);
      this.settle(true, false);
      return;
    }
    const differentiation = { ...this.program, wrt, order, mixed };
    const { view } = this;
    const { mode, cse, sizes, tab } = this.state;
    const sofar = (/** @type {any} */ part) => {
      signal.throwIfAborted();
      this.present(view, part);
      this.panel.setAttribute("aria-busy", "true");
    };
    const question = { program: this.program, differentiation, mode, wrt, cse, sizes, signal, sofar };
    const slow = setTimeout(() => this.panel.classList.add("is-stale"), 250);
    const key = { tab, differentiation, mode, cse: view.common && cse, sizes: view.sized && sizes };
    try {
      const answer = await this.ask("view", key, () => view.ask(question));
      signal.throwIfAborted();
      this.present(view, answer);
      this.later("speech", BEFORE_SPEECH, () => this.speak(answer));
    } finally {
      clearTimeout(slow);
    }
    this.later("check", BEFORE_CHECK, () => this.check({ ...differentiation, mode }, signal));
  }

  /**
   * @param {import("./views.js").View} view
   * @param {any} answer
   */
  present(view, answer) {
    const typing = document.activeElement;
    this.panel.replaceChildren(...view.show(answer, (changed) => this.change({ sizes: changed })));
    if (typing instanceof HTMLInputElement && typing.id.startsWith("size-")) {
      const field = byId(typing.id);
      field?.focus();
      if (field) field.value = typing.value;
    }
    reachScrollers(this.panel);
    this.settle(false);
  }

  /**
   * Why there is no result for what is chosen; empty where there is one.
   * @param {string[]} wrt
   * @param {boolean} mixed
   */
  nothingToShow(wrt, mixed) {
    if (!wrt.length) return "A formula without variables has no derivatives.";
    if (mixed && wrt.length < 2) return "A mixed derivative is by two variables or more: choose another one above.";
    if (this.view.scalar && this.parsed?.dims.length) return "Steps are written for functions whose value is a number: take the sum of this one.";
    return "";
  }

  /**
   * @param {object} differentiation
   * @param {AbortSignal} signal
   */
  async check(differentiation, signal) {
    const badge = byId("badge");
    try {
      showChecks(null, badge, this.panel);
      const { checks } = await this.ask("check", differentiation, (question) => post("check", question, signal));
      if (!signal.aborted) showChecks(checks, badge, this.panel);
    } catch (error) {
      if (signal.aborted) return;
      const reason = error instanceof Error ? error.message : String(error);
      showChecks([{ wrt: [], passed: null, error: null, tolerance: null, method: null, directions: null, reason }], badge, this.panel);
    }
  }

  /**
   * The answer to a question, from memory if it was asked before.
   * @param {string} kind
   * @param {object} question
   * @param {(question: object) => Promise<any>} ask
   */
  async ask(kind, question, ask) {
    const key = JSON.stringify([kind, question]);
    const known = this.answers.get(key);
    if (known) return known;
    const answer = await ask(question);
    this.answers.set(key, answer);
    if (this.answers.size > REMEMBERED) this.answers.delete(this.answers.keys().next().value ?? "");
    return answer;
  }

  /** @param {string} text why there is no result */
  note(text) {
    this.panel.replaceChildren(make("p", { class: "note reason" }, text));
  }

  // Small things --------------------------------------------------------------------------

  get program() {
    const { formula, declared } = this.state;
    return { formula, declarations: needed(formula, declared) };
  }

  get view() {
    return /** @type {import("./views.js").View} */ (VIEWS[this.state.tab]);
  }

  /** @param {Complaint} complaint */
  fail(complaint) {
    this.panel.replaceChildren(make("div", { class: "failure" },
      make("p", { class: "what" }, ...quoted(complaint.message)),
      complaint.hint ? make("p", { class: "hint" }, ...quoted(complaint.hint)) : null));
    this.settle(false);
    byId("badge").hidden = true;
    say(`Error: ${complaint.message}`);
  }

  /**
   * @param {boolean} stale whether what is shown belongs to an earlier formula
   * @param {boolean} [dimmed]
   */
  settle(stale, dimmed = stale) {
    this.panel.classList.toggle("is-stale", dimmed);
    this.panel.setAttribute("aria-busy", String(dimmed));
    if (stale) byId("badge").hidden = true;
  }

  /** @param {any} answer */
  speak(answer) {
    const first = answer.results?.[0];
    if (first) say(`${first.kind} by ${first.wrt.join(", ")}: ${(first.text ?? first.einstein ?? first.latex ?? "").slice(0, 300)}`);
  }

  /**
   * @param {string} name
   * @param {number} delay
   * @param {() => void} what
   */
  later(name, delay, what) {
    clearTimeout(this.timers[name]);
    this.timers[name] = window.setTimeout(what, delay);
  }
}

/** @param {string[]} dims */
function shape(dims) {
  const kinds = ["a number", "a vector", "a matrix"];
  const kind = kinds[dims.length] ?? `a tensor of order ${dims.length}`;
  return dims.length ? `${kind} [${dims.join(", ")}]` : kind;
}

new Page();
