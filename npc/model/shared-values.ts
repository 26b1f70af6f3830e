/**
 * Values that never change, each kept once however many objects carry it. It holds weakly what it gave out, so what nobody
 * has any more is forgotten.
 */
export class SharedValues<T extends object> {
  readonly #valueByText = new Map<string, WeakRef<T>>();
  readonly #gone = new FinalizationRegistry<string>((text) => {
    if (this.#valueByText.get(text)?.deref() === undefined) this.#valueByText.delete(text);
  });

  /** The value that `text` stands for, which `make` makes where nobody has it. */
  of(text: string, make: () => T): T {
    const known = this.#valueByText.get(text)?.deref();
    if (known !== undefined) return known;
    const value = make();
    this.#valueByText.set(text, new WeakRef(value));
    this.#gone.register(value, text);
    return value;
  }
}
