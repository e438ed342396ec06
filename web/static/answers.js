// @ts-check
/** What was answered before, so that back and forward are immediate. */

const REMEMBERED = 60;

export class Answers {
  constructor() {
    /** @type {Map<string, any>} */
    this.known = new Map();
  }

  /**
   * The answer to a question, from memory if it was asked before.
   * @param {string} kind
   * @param {object} question
   * @param {(question: object) => Promise<any>} ask
   */
  async to(kind, question, ask) {
    const key = JSON.stringify([kind, question]);
    if (!this.known.has(key)) {
      const answer = await ask(question);
      this.known.set(key, answer);
      if (this.known.size > REMEMBERED) this.known.delete(this.known.keys().next().value ?? "");
    }
    return this.known.get(key);
  }
}
