/** What a core has to say, in order, until its shell takes it. */
export class OutputQueue<Output> {
  readonly #outputs: Output[] = [];
  #taken = 0;

  push(output: Output): void {
    this.#outputs.push(output);
  }

  /** The next output; undefined when there is none. */
  poll(): Output | undefined {
    const next = this.#outputs[this.#taken];
    if (this.#taken < this.#outputs.length) {
      this.#taken++;
    } else {
      this.#outputs.length = 0;
      this.#taken = 0;
    }
    return next;
  }
}
