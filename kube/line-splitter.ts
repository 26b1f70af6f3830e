/** Bytes that one object of a watch may have; the API server itself allows 1.5 MB in etcd. */
export const MAX_LINE_BYTES = 4 * 1024 * 1024;

/** Cuts a stream of bytes into lines of UTF-8 text, however the bytes are cut. Keeps what it is given. */
export class LineSplitter {
  #parts: Uint8Array[] = [];
  #length = 0;

  /** The lines that `bytes` completes, without their ends. Throws a RangeError where a line is too long. */
  push(bytes: Uint8Array): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, start)) {
      this.#take(bytes.subarray(start, at));
      lines.push(this.#finish());
      start = at + 1;
    }
    this.#take(bytes.subarray(start));
    return lines;
  }

  #take(part: Uint8Array): void {
    if (part.length === 0) return;
    this.#length += part.length;
    if (this.#length > MAX_LINE_BYTES) throw new RangeError(`a line of over ${MAX_LINE_BYTES} bytes`);
    this.#parts.push(part);
  }

  #finish(): string {
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.#length = 0;
    return new TextDecoder().decode(all);
  }
}
