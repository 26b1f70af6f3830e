/**
 * Reads the text of server-sent events (WHATWG HTML, 9.2.6), in whatever pieces it comes. Comments are no events.
 *
 * @typedef {{ readonly name: string, readonly data: string }} ServerEvent
 */
export class EventReader {
  #rest = '';
  #name = '';
  /** @type {string[]} */
  #data = [];

  /**
   * @param {string} text
   * @returns {ServerEvent[]} those that are complete now
   */
  take(text) {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    /** @type {ServerEvent[]} */
    const events = [];
    for (const each of lines) {
      const line = each.endsWith('\r') ? each.slice(0, -1) : each;
      if (line === '') {
        if (this.#data.length > 0)
          events.push({ name: this.#name || 'message', data: this.#data.join('\n') });
        this.#name = '';
        this.#data = [];
      } else this.#field(line);
    }
    return events;
  }

  /** @param {string} line */
  #field(line) {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') this.#name = value;
    if (name === 'data') this.#data.push(value);
  }
}
