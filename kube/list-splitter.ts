const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** The key of the list's elements, and what is kept of any key. */
const ITEMS = 'items';
const MAX_KEY = ITEMS.length + 1;

/**
 * Takes a list of the API apart as its bytes come: the elements of `items`, each as the bytes of its own JSON, and the
 * head, which is the list with `items` empty. So nobody has to hold a page of hundreds of objects, or parse it whole.
 *
 * What is no JSON is not refused here: one of the elements, or the head, is no JSON then. Keeps what it is given until the
 * element is complete.
 */
export class ListSplitter {
  readonly #head: Uint8Array[] = [];
  /** Of the element that is not complete yet. */
  #element: Uint8Array[] = [];
  /** Brackets and braces that are open. */
  #depth = 0;
  #isInText = false;
  #isEscaped = false;
  /** The text that began last at depth 1, as far as it is kept. */
  #key = '';
  /** The key was `items`, and its value comes next. */
  #areItemsNext = false;
  #isInItems = false;

  /** The elements that `bytes` completes. */
  push(bytes: Uint8Array): Uint8Array[] {
    const elements: Uint8Array[] = [];
    let start = 0;
    const finish = (end: number): void => {
      this.#element.push(bytes.subarray(start, end));
      const element = joined(this.#element);
      this.#element = [];
      if (!isBlank(element)) elements.push(element);
    };
    for (let at = 0; at < bytes.length; at++) {
      if (this.#isInText && this.#depth > 1 && !this.#isEscaped) at = endOfPlain(bytes, at);
      const byte = bytes[at]!;
      if (this.#isInText) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === QUOTE) this.#isInText = false;
        if (this.#depth === 1 && this.#isInText && this.#key.length < MAX_KEY)
          this.#key += String.fromCharCode(byte);
      } else if (byte === QUOTE) {
        this.#isInText = true;
        if (this.#depth === 1) {
          this.#key = '';
          this.#areItemsNext = false;
        }
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (this.#areItemsNext && byte === OPEN_BRACKET) {
          this.#isInItems = true;
          this.#head.push(bytes.subarray(start, at + 1));
          start = at + 1;
        }
        this.#areItemsNext = false;
        this.#depth++;
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        this.#depth--;
        if (this.#isInItems && this.#depth === 1) {
          finish(at);
          this.#isInItems = false;
          start = at;
        }
      } else if (this.#depth === 1) {
        if (byte === COLON) this.#areItemsNext = this.#key === ITEMS;
        else if (byte === COMMA) this.#key = '';
      } else if (byte === COMMA && this.#isInItems && this.#depth === 2) {
        finish(at);
        start = at + 1;
      }
    }
    (this.#isInItems ? this.#element : this.#head).push(bytes.subarray(start));
    return elements;
  }

  /** The list with `items` empty, once all bytes came. */
  head(): Uint8Array {
    return joined([...this.#head, ...this.#element]);
  }
}

/** The first byte from `at` on that may end a text or escapes the next one; the last one where there is none. */
function endOfPlain(bytes: Uint8Array, at: number): number {
  const last = bytes.length - 1;
  let end = at;
  while (end < last && bytes[end] !== QUOTE && bytes[end] !== BACKSLASH) end++;
  return end;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Whether nothing but white space is in it: an empty list has no element. */
function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09);
}
