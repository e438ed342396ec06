// @ts-check
/** The page: from a keystroke to a derivative. */

import { Answers } from "./answers.js";
import { ApiError, post } from "./api.js";
import { copied, copyButtons } from "./clipboard.js";
import { declaredIn, needed, split, withDeclared, withKnown, write } from "./declarations.js";
import { byId, make, mathml, say } from "./dom.js";
import { Editor } from "./editor.js";
import { setUpGallery } from "./gallery.js";
import { setUpHelp } from "./help.js";
import { LONGEST, tooLong } from "./limits.js";
import { Options, chosen, ordering } from "./options.js";
import { Panel } from "./panel.js";
import { FIRST_FORMULA, decode, encode, initial, titled } from "./state.js";
import { Tabs } from "./tabs.js";
import { setUpTheme } from "./theme.js";
import { VariableTable } from "./variables.js";
import { VIEWS } from "./views.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Parsed} Parsed */
/** @typedef {import("./types.js").Variable} Variable */

/** Milliseconds before what follows a keystroke. */
const AFTER = { refresh: 15, check: 120, speech: 700, history: 800, retry: 3000 };
/** Milliseconds after which what was typed is worth a way back. */
const LASTING = 5000;

class Page {
  constructor() {
    this.state = initial();
    /** @type {Parsed|null} */
    this.parsed = null;
    this.request = new AbortController();
    this.answers = new Answers();
    /** @type {Record<string, number>} */
    this.timers = {};
    /** When the address was changed by typing; 0 where it was by something else. */
    this.written = 0;
    this.panel = new Panel();
    this.editor = new Editor(byId("editor"), byId("complaint"), () => this.typed());
    this.table = new VariableTable(byId("variables"), (v) => this.declare(v), (name) => this.forget(name));
    this.options = new Options((change) => this.change(change));
    const titles = /** @type {[string, string][]} */ (Object.entries(VIEWS).map(([key, view]) => [key, view.title]));
    this.tabs = new Tabs(byId("tabs"), this.panel.box, titles, (tab) => this.change({ tab }));
    byId("share").addEventListener("click", () => {
      this.commit();
      copied(byId("share"), location.href);
    });
    addEventListener("popstate", () => this.restore());
    addEventListener("pagehide", () => this.commit("replace"));
    addEventListener("online", () => this.refresh());
    byId("reading-copy").append(...copyButtons({
      LaTeX: () => this.parsed?.latex ?? "",
      text: () => this.parsed?.text ?? "",
      MathML: () => this.parsed?.mathml ?? "",
    }, "Copy the function as"));
    setUpTheme();
    this.gallery = setUpGallery((example) => this.open(example));
    setUpHelp((text) => this.editor.insert(text), (words) => {
      this.table.properties = words;
      if (this.parsed) this.table.show(this.parsed.variables, this.state.declared);
    });
    this.restore();
  }

  // What the user does --------------------------------------------------------------------

  typed() {
    this.state = { ...this.state, formula: this.editor.text };
    this.later("history", () => this.write());
    this.later("refresh", () => this.refresh());
  }

  /** @param {Partial<State>} change */
  change(change) {
    this.state = { ...this.state, ...change };
    this.editor.text = this.state.formula;
    this.commit();
    this.refresh();
  }

  /** @param {Variable} variable */
  declare(variable) {
    const text = write(variable);
    const { formula, declared } = this.state;
    const item = declaredIn(formula).find((other) => other.name === variable.name);
    if (item) this.change({ formula: formula.slice(0, item.start) + text + formula.slice(item.end) });
    else this.change({ declared: { ...declared, [variable.name]: text } });
  }

  /** @param {string} name */
  forget(name) {
    const { [name]: _, ...declared } = this.state.declared;
    this.change({ declared });
  }

  /** @param {import("./types.js").Example} example */
  open({ formula, declarations, wrt }) {
    const { mode, cse, tab } = this.state;
    this.change({ ...initial(), mode, cse, tab, formula, declared: split(declarations), wrt: wrt.slice(0, 1) });
  }

  // The address ---------------------------------------------------------------------------

  /** @param {"push"|"replace"} [how] */
  commit(how = "push") {
    clearTimeout(this.timers.history);
    this.written = 0;
    if (this.state.formula.length > LONGEST) return;
    const address = encode(this.state);
    const untouched = !location.hash && this.state.formula === FIRST_FORMULA && how === "replace";
    if (address === location.hash || untouched) return;
    if (how === "push") history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    document.title = titled(this.state);
  }

  /** Commit what is typed: the way back leads past half-written formulas and short stops. */
  write() {
    this.commit(this.written && Date.now() - this.written < LASTING ? "replace" : "push");
    this.written = this.editor.error ? Infinity : Date.now();
  }

  restore() {
    this.state = decode(location.hash, split) ?? { ...initial(), formula: FIRST_FORMULA };
    this.written = 0;
    document.title = titled(this.state);
    this.editor.text = this.state.formula;
    this.refresh();
  }

  // From the formula to the result --------------------------------------------------------

  async refresh() {
    for (const name of ["refresh", "check", "retry", "speech"]) clearTimeout(this.timers[name]);
    this.request.abort();
    this.request = new AbortController();
    const { signal } = this.request;
    if (!Object.hasOwn(VIEWS, this.state.tab)) this.state.tab = "mathematics";
    this.tabs.select(this.state.tab);
    byId("cse-switch").hidden = !this.view.common;
    const { length } = this.state.formula;
    if (length > LONGEST) {
      this.shows({ error: tooLong(length), dims: [], variables: [], text: "", latex: "", mathml: "" });
      return;
    }
    this.panel.expect();
    let read = false;
    try {
      const parsed = await this.answers.to("parse", this.program, (question) => post("parse", question, signal));
      signal.throwIfAborted();
      read = true;
      if (this.shows(parsed)) await this.differentiate(signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      byId("reading").classList.toggle("is-stale", !read);
      this.fail(error);
    }
  }

  /**
   * Show what was understood of the formula; whether there is anything to differentiate.
   * @param {Parsed} parsed
   */
  shows(parsed) {
    const { error } = parsed;
    const empty = !this.state.formula.trim();
    this.editor.show(empty ? null : error);
    byId("reading").classList.toggle("is-stale", error !== null);
    if (error) {
      const before = this.parsed?.variables ?? [];
      const variables = parsed.variables.length ? withKnown(parsed.variables, before) : before;
      this.table.show(withDeclared(variables, this.state.declared), this.state.declared);
      this.options.show(this.state, variables, !this.parsed?.dims.length);
      if (empty) this.panel.note("Type a formula above, or open ", this.exampleLink(), ".");
      else if (this.panel.filled) this.panel.outdate();
      else this.panel.note("No derivative: the formula has an error.");
      if (!empty) this.later("speech", () => say(`Error: ${error.message}`));
      return false;
    }
    this.parsed = parsed;
    byId("reading").replaceChildren(mathml(parsed.mathml));
    byId("reading-shape").textContent = shape(parsed.dims);
    byId("reading-copy").hidden = false;
    this.table.show(parsed.variables, this.state.declared);
    this.options.show(this.state, parsed.variables, !parsed.dims.length);
    return true;
  }

  exampleLink() {
    return make("button", { type: "button", class: "link", onclick: () => this.gallery.open() }, "an example");
  }

  /** @param {AbortSignal} signal */
  async differentiate(signal) {
    const wrt = chosen(this.state.wrt, this.parsed?.variables ?? []);
    const { view } = this;
    const { order, mixed } = ordering(view.scalar ? "1" : this.state.order);
    const nothing = this.nothingToShow(wrt, mixed);
    if (nothing) {
      this.panel.note(nothing);
      return;
    }
    const differentiation = { ...this.program, wrt, order, mixed };
    const { mode, cse, sizes, tab } = this.state;
    const lower = view.scalar && this.state.order !== "1";
    const notes = () => (lower ? [make("p", { class: "note" }, "Steps are those of the first derivative.")] : []);
    const present = (/** @type {any} */ answer, /** @type {boolean} */ more) => {
      signal.throwIfAborted();
      this.panel.show([...notes(), ...view.show(answer, (changed) => this.change({ sizes: changed }))], more);
    };
    const sofar = (/** @type {any} */ part) => present(part, true);
    const question = { program: this.program, differentiation, mode, wrt, cse, sizes, signal, sofar };
    const key = { tab, differentiation, mode, cse: view.common && cse, sizes: view.sized && sizes };
    const answer = await this.answers.to("view", key, () => view.ask(question));
    present(answer, false);
    this.later("speech", () => speak(answer));
    this.later("check", () => this.check({ ...differentiation, mode }, signal));
  }

  /**
   * Why there is no result for what is chosen; empty where there is one.
   * @param {string[]} wrt
   * @param {boolean} mixed
   */
  nothingToShow(wrt, mixed) {
    if (!wrt.length) return "A formula without variables has no derivatives.";
    if (mixed && wrt.length < 2) return "A mixed derivative needs at least two variables: choose another one above.";
    if (this.view.scalar && this.parsed?.dims.length) return "Steps are shown only for functions whose value is a number: take the sum of this one.";
    return "";
  }

  /**
   * @param {object} differentiation
   * @param {AbortSignal} signal
   */
  async check(differentiation, signal) {
    try {
      const { checks } = await this.answers.to("check", differentiation, (question) => post("check", question, signal));
      if (!signal.aborted) this.panel.check(checks);
    } catch (error) {
      if (signal.aborted) return;
      const reason = error instanceof Error ? error.message : String(error);
      this.panel.check([{ wrt: [], passed: null, error: null, tolerance: null, method: null, directions: null, reason }]);
    }
  }

  /** @param {ApiError} error */
  fail({ complaint }) {
    const passing = ["busy", "no connection"].includes(complaint.kind);
    this.panel.fail(complaint, passing ? () => this.refresh() : null);
    say(`Error: ${complaint.message}`);
    // Whoever starts the server again need not touch the page.
    if (complaint.kind === "no connection") this.later("retry", () => this.refresh());
  }

  // Small things --------------------------------------------------------------------------

  get program() {
    const { formula, declared } = this.state;
    return { formula, declarations: needed(formula, declared) };
  }

  get view() {
    return /** @type {import("./views.js").View} */ (VIEWS[this.state.tab]);
  }

  /**
   * @param {keyof AFTER} name
   * @param {() => void} what
   */
  later(name, what) {
    clearTimeout(this.timers[name]);
    this.timers[name] = window.setTimeout(what, AFTER[name]);
  }
}

/** @param {any} answer */
function speak({ results }) {
  const [first] = results ?? [];
  if (first) say(`${first.kind} by ${first.wrt.join(", ")}: ${(first.text ?? first.einstein ?? first.latex ?? "").slice(0, 300)}`);
}

/** @param {string[]} dims */
function shape(dims) {
  const kinds = ["a number", "a vector", "a matrix"];
  const kind = kinds[dims.length] ?? `a tensor of order ${dims.length}`;
  return dims.length ? `${kind} [${dims.join(", ")}]` : kind;
}

new Page();
