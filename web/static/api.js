// @ts-check
/** The one way to the server. */

/** @typedef {import("./types.js").Complaint} Complaint */

/** An answer of the API that is an error, as it describes it. */
export class ApiError extends Error {
  /** @param {Complaint} complaint */
  constructor(complaint) {
    super(complaint.message);
    this.complaint = complaint;
  }
}

const RETRIES = 3;

/**
 * Post a request and give the answer; an `ApiError` where it is an error.
 * @param {string} operation
 * @param {object} body
 * @param {AbortSignal} signal
 * @returns {Promise<any>}
 */
export async function post(operation, body, signal) {
  const options = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  };
  for (let attempt = 1; ; attempt++) {
    const response = await reach(`/api/${operation}`, options);
    if (response.status === 503 && attempt < RETRIES) {
      await pause(1000 * Number(response.headers.get("Retry-After") ?? 1), signal);
      continue;
    }
    return answer(response);
  }
}

/**
 * @param {string} path
 * @returns {Promise<any>}
 */
export async function get(path) {
  return answer(await reach(path, {}));
}

/**
 * @param {string} path
 * @param {RequestInit} options
 */
async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(plain("no connection", "the server does not answer", "is tcalc serve still running?"));
  }
}

/** @param {Response} response */
async function answer(response) {
  /** @type {any} */
  let content = null;
  try {
    content = await response.json();
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
  }
  if (response.ok && content !== null) return content;
  if (content?.error) throw new ApiError(content.error);
  // Something between the page and the server has answered in its place.
  throw new ApiError(plain("no connection", `no answer of tcalc's, status ${response.status}`, "is tcalc serve still running?"));
}

/**
 * @param {string} kind
 * @param {string} message
 * @param {string} hint
 * @returns {Complaint}
 */
function plain(kind, message, hint) {
  return { kind, message, hint, source: null, line: null, column: null, end: null };
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 */
function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
