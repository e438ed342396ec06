/** The modules of the page that need no page. Run by test_scripts.py. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Answers } from "../../web/static/answers.js";
import { ApiError, post } from "../../web/static/api.js";
import {
  brief, declaredIn, items, needed, possible, split, withDeclared, withKnown, withOrder, withProperty,
  write,
} from "../../web/static/declarations.js";
import { LONGEST, limitLength, tooLong } from "../../web/static/limits.js";
import { chosen, ordering } from "../../web/static/options.js";
import { decode, encode, initial, titled } from "../../web/static/state.js";
import { pair, tokens } from "../../web/static/tokens.js";

const variable = (name, dims, properties = [], guessed = false) => ({ name, dims, properties, guessed });

test("pieces of a formula have their colours", () => {
  const text = 'tensor A\nsum(2.5e3*x_1) # exp(x)';
  const found = tokens(text).map(([start, end, kind]) => [text.slice(start, end), kind]);
  assert.deepEqual(found, [
    ["tensor", "tok-word"], ["sum", "tok-name"], ["2.5e3", "tok-number"], ["# exp(x)", "tok-comment"],
  ]);
  assert.deepEqual(tokens('#("i->", x)').map(([, , kind]) => kind), ["tok-text"]);
  assert.deepEqual(tokens("#('i->', x')").map(([start, end]) => [start, end]), [[2, 7]]);
});

test("brackets find their partners, and only those that fit", () => {
  const text = "f(a[i]*(b))";
  assert.deepEqual(pair(text, text.length), [10, 1]);
  assert.deepEqual(pair(text, 2), [1, 10]);
  assert.deepEqual(pair(text, 6), [5, 3]);
  assert.deepEqual(pair("(a]", 3), []);
  assert.deepEqual(pair("((a)", 1), []);
  assert.deepEqual(pair("abc", 2), []);
});

test("declarations are taken apart and put together", () => {
  const text = " X[m, n] spd ,y[m],  c";
  assert.deepEqual(items(text).map((item) => item.text), ["X[m, n] spd", "y[m]", "c"]);
  for (const { text: found, start, end } of items(text)) assert.equal(text.slice(start, end), found);
  assert.deepEqual(split(text), { X: "X[m, n] spd", y: "y[m]", c: "c" });
  assert.equal(write(variable("K", ["n", "n"], ["spd"])), "K[n,n] spd");
  const many = Array.from({ length: 12 }, (_, k) => variable(`x${k}`, k ? ["n"] : []));
  assert.equal(brief(many, 3), "x0, x1[n], x2[n], and 9 more");
  assert.equal(brief(many.slice(0, 4), 3), "x0, x1[n], x2[n], x3[n]");
  assert.equal(brief([], 3), "");
});

test("declarations in a program are found where they stand", () => {
  const program = "tensor K[n,n] spd, y[n] # not Z[n]\na = 1; tensor c\ny'*K*y + a*c";
  const found = declaredIn(program);
  assert.deepEqual(found.map((item) => item.text), ["K[n,n] spd", "y[n]", "c"]);
  for (const { text, start, end } of found) assert.equal(program.slice(start, end), text);
});

test("only what a program lacks is declared beside it", () => {
  const declared = { K: "K[n,n] spd", x: "x[n]", gone: "gone[k]" };
  assert.equal(needed("tensor K[n,n]\nx'*K*x", declared), "x[n]");
});

test("another order keeps axes, and takes fresh names for new ones", () => {
  const all = [variable("A", ["m", "n"], ["positive"]), variable("k", ["m"])];
  assert.deepEqual(withOrder(all[0], 3, all).dims, ["m", "n", "l"]);
  assert.deepEqual(withOrder(all[0], 0, all).dims, []);
  assert.deepEqual(withOrder(variable("A", ["n", "n"], ["spd", "constant"]), 1, all).properties, ["constant"]);
  assert.deepEqual(withOrder(variable("A", ["m + n"]), 2, []).dims, ["n1", "m"]);
});

test("what makes a matrix square makes its dimensions equal", () => {
  const symmetric = withProperty(variable("A", ["m", "n"]), "symmetric", true);
  assert.deepEqual([symmetric.dims, symmetric.properties], [["m", "m"], ["symmetric"]]);
  assert.deepEqual(withProperty(symmetric, "symmetric", false).properties, []);
  assert.deepEqual(possible(["symmetric", "positive"], 1), ["positive"]);
});

test("of a wrong program the table keeps what is known", () => {
  const guessed = variable("x", ["p"], [], true);
  assert.deepEqual(withKnown([guessed], [variable("x", ["n"])])[0].dims, ["n"]);
  assert.deepEqual(withKnown([guessed], [variable("x", ["n", "n"])])[0].dims, ["p"]);
  const [shown] = withDeclared([guessed], { x: "x[n, n] spd positive" });
  assert.deepEqual(shown, variable("x", ["n", "n"], ["spd", "positive"]));
  const called = variable("constructor", ["n"], [], true);
  assert.deepEqual(withDeclared([called], {}), [called]);
});

test("an address holds the whole state", () => {
  const state = {
    ...initial(), formula: "x'*A*x + α % & # = \n1", declared: { A: "A[n,n] symmetric constant", x: "x[n]" },
    wrt: ["x", "A"], order: "mixed", mode: "reverse", cse: false, tab: "cost", sizes: { n: 20 },
  };
  assert.deepEqual(decode(encode(state), split), state);
  assert.equal(encode({ ...initial(), formula: "x" }), "#f=x");
  assert.equal(decode("", split), null);
});

test("nonsense in an address is left out", () => {
  const found = decode("#f=x&order=9&mode=up&sizes=m=-1,=,n=07,k=5,__proto__=3&wrt=,,x", split);
  assert.deepEqual({ ...found, sizes: Object.entries(found.sizes) }, {
    ...initial(), formula: "x", wrt: ["x"], sizes: [["k", 5]],
  });
});

test("a page is called after its formula", () => {
  assert.equal(titled({ ...initial(), formula: "a = 1\nx'*x\n" }), "x'*x · tcalc");
  assert.match(titled({ ...initial(), formula: "x + ".repeat(40) }), /^.{59}… · tcalc$/);
  assert.match(titled(initial()), /^tcalc: /);
});

test("without a wish the usual variable is differentiated by", () => {
  const variables = [variable("c", []), variable("X", ["m", "n"]), variable("w", ["n"])];
  assert.deepEqual(chosen(["w", "nobody"], variables), ["w"]);
  assert.deepEqual(chosen([], variables), ["w"]);
  assert.deepEqual(chosen([], [variable("q", [], ["constant"]), variable("r", [])]), ["r"]);
  assert.deepEqual(chosen(["w"], []), []);
  assert.deepEqual(ordering("mixed"), { order: 2, mixed: true });
  assert.deepEqual(ordering("3"), { order: 3, mixed: false });
});

test("a question is asked once, unless its answer failed or was forgotten", async () => {
  const answers = new Answers();
  let asked = 0;
  const ask = async ({ k }) => { asked++; return k; };
  assert.equal(await answers.to("view", { k: 0 }, ask), 0);
  assert.equal(await answers.to("view", { k: 0 }, ask), 0);
  assert.equal(asked, 1);
  await assert.rejects(answers.to("view", { k: "bad" }, async () => { throw new Error("no"); }));
  assert.equal(await answers.to("view", { k: "bad" }, ask), "bad");
  for (let k = 1; k <= 60; k++) await answers.to("view", { k }, ask);
  asked = 0;
  await answers.to("view", { k: 0 }, ask);
  assert.equal(asked, 1);
});

/** Let `fetch` give these responses, one after the other; give the number of calls. */
function answering(t, ...responses) {
  const calls = t.mock.method(globalThis, "fetch", async (_path, { signal }) => {
    signal.throwIfAborted();
    const response = responses.shift();
    if (response instanceof Error) throw response;
    return response;
  });
  return () => calls.mock.callCount();
}

const busy = () => new Response('{"error": {"kind": "busy", "message": "too many"}}', { status: 503, headers: { "Retry-After": "0" } });

test("a busy server is asked three times", async (t) => {
  const { signal } = new AbortController();
  const first = answering(t, busy(), busy(), new Response('{"x": 1}'));
  assert.deepEqual(await post("parse", {}, signal), { x: 1 });
  assert.equal(first(), 3);
  t.mock.restoreAll();
  const second = answering(t, busy(), busy(), busy(), new Response("{}"));
  await assert.rejects(post("parse", {}, signal), (error) => error.complaint.kind === "busy");
  assert.equal(second(), 3);
});

test("who leaves waits for no busy server", async (t) => {
  const leaving = new AbortController();
  const calls = answering(t, new Response("{}", { status: 503, headers: { "Retry-After": "60" } }));
  const asked = post("parse", {}, leaving.signal);
  await new Promise((resolve) => setTimeout(resolve, 10));
  leaving.abort();
  await assert.rejects(asked, { name: "AbortError" });
  assert.equal(calls(), 1);
});

test("whatever answers in the server's place is no answer", async (t) => {
  const { signal } = new AbortController();
  const foreign = [
    new Response("<html>", { status: 502 }), new Response("<html>"), new Response('{"detail": "no"}', { status: 404 }),
    new Response("null", { status: 500 }), new TypeError("Failed to fetch"),
  ];
  for (const response of foreign) {
    answering(t, response);
    await assert.rejects(post("parse", {}, signal), (error) =>
      error instanceof ApiError && error.complaint.kind === "no connection");
    t.mock.restoreAll();
  }
});

test("what makes a text too long is refused before it is in the field", () => {
  const refused = [];
  /** A field, and what becomes of an event before a change of it. */
  const change = (value, [selectionStart, selectionEnd], event) => {
    const listeners = {};
    const field = {
      value, selectionStart, selectionEnd, addEventListener: (name, listener) => { listeners[name] = listener; },
    };
    limitLength(field, ({ message }) => refused.push(message));
    let prevented = false;
    listeners.beforeinput({ ...event, preventDefault: () => { prevented = true; } });
    return prevented;
  };
  const long = "x".repeat(LONGEST);
  assert.equal(change("", [0, 0], { data: long }), false);
  assert.equal(change("y", [0, 1], { data: long }), false);
  assert.equal(change("y", [0, 0], { data: long }), true);
  assert.equal(change("y", [1, 1], { data: null, dataTransfer: { getData: () => long } }), true);
  assert.equal(change(long, [0, 0], { data: "x" }), true);
  // What deletes, and what the browser does by itself, has no text.
  assert.equal(change(`${long}y`, [0, 0], { data: null, dataTransfer: null }), false);
  assert.equal(refused.length, 3);
  assert.match(tooLong(1_234_567).message, /^1,234,567 characters .* at most 20,000$/);
});
