// @ts-check
/**
 * The shapes of what the API answers, as /openapi.json describes them.
 *
 * @typedef {{kind: string, message: string, hint: string|null, source: "formula"|"declarations"|null,
 *   line: number|null, column: number|null, end: number|null}} Complaint
 * @typedef {{name: string, dims: string[], properties: string[], guessed: boolean}} Variable
 * @typedef {{error: Complaint|null, dims: string[], variables: Variable[], text: string,
 *   latex: string, mathml: string}} Parsed
 * @typedef {{wrt: string[], kind: string, dims: string[], text: string|null, einstein: string|null,
 *   latex: string|null, mathml: string|null, einstein_mathml: string|null, operator: string|null}} Result
 * @typedef {{wrt: string[], passed: boolean|null, error: number|null, tolerance: number|null,
 *   method: string|null, directions: number|null, reason: string|null}} Check
 * @typedef {{name: string, formula: string, mathml: string, reason: string}} Step
 * @typedef {{name: string, title: string, about: string, source: string, group: string,
 *   formula: string, declarations: string, wrt: string[]}} Example
 * @typedef {{name: string, aliases: string[], elsewhere: string[], summary: string, domain: string,
 *   derivative: string, kinks: string, source: string}} Described
 *
 * All that the page can be asked, and what its address holds.
 * @typedef {{formula: string, declared: Record<string, string>, wrt: string[], order: string,
 *   mode: string, cse: boolean, tab: string, sizes: Record<string, number>}} State
 */
export {};
