/**
 * The live picture: connects, and connects again where that breaks, ever more rarely. It is read by fetch, for
 * EventSource cannot say who asks.
 *
 * @import { Picture } from '../../picture/picture.ts'
 * @import { PictureChange } from '../../picture/picture-change.ts'
 * @import { Fault, Session } from './session.js'
 *
 * @typedef {object} LiveListener
 * @property {(picture: Picture) => void} onPicture
 * @property {(change: PictureChange) => void} onChange
 * @property {() => void} onHeard something came, if only a sign of life
 * @property {(reason: string, nextTryMs: number) => void} onLost
 * @property {(fault: Fault) => void} onEnd it ended for good
 */
import { EventReader } from './event-reader.js';
import { ServerFault } from './session.js';

/** Without a sign of life for so long the connection counts as lost; the server gives one every 10 s. */
const SILENCE_MS = 30_000;
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;
/** Ends of the stream after which there is no use in coming again. */
const FINAL = ['E_UI_OVER', 'E_UI_SESSION'];

export class Live {
  #session;
  #listener;
  #retryMs = FIRST_RETRY_MS;
  #isStopped = false;
  /** @type {AbortController | undefined} */
  #request;
  /** @type {(() => void) | undefined} */
  #wake;

  /**
   * @param {Session} session
   * @param {LiveListener} listener
   */
  constructor(session, listener) {
    this.#session = session;
    this.#listener = listener;
  }

  /** Reads until it ends for good or {@link stop} is called. */
  async run() {
    while (!this.#isStopped) {
      const reason = await this.#read();
      if (this.#isStopped) return;
      this.#listener.onLost(reason, this.#retryMs);
      await this.#pause(this.#retryMs);
      this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
    }
  }

  stop() {
    this.#isStopped = true;
    this.#request?.abort();
    this.#wake?.();
  }

  /** Connects anew at once: something was missed, or the network is back. */
  again() {
    this.#retryMs = FIRST_RETRY_MS;
    this.#request?.abort();
    this.#wake?.();
  }

  /** @returns {Promise<string>} why it broke */
  async #read() {
    const request = new AbortController();
    this.#request = request;
    const watch = () => setTimeout(() => request.abort(), SILENCE_MS);
    let timer = watch();
    try {
      const response = await this.#session.fetch('/api/live', { signal: request.signal });
      const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
      const decoder = new TextDecoder();
      const events = new EventReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return 'the connection ended';
        clearTimeout(timer);
        timer = watch();
        this.#listener.onHeard();
        for (const { name, data } of events.take(decoder.decode(value, { stream: true }))) {
          const ended = this.#take(name, JSON.parse(data));
          if (ended !== undefined) return ended;
        }
      }
    } catch (error) {
      if (error instanceof ServerFault && (error.status === 401 || error.status === 403)) {
        this.#end(error.fault);
        return error.message;
      }
      if (error instanceof ServerFault) return error.message;
      return request.signal.aborted ? 'nothing was heard for 30 s' : 'weft ui does not answer';
    } finally {
      clearTimeout(timer);
      request.abort();
    }
  }

  /**
   * @param {string} name
   * @param {any} data
   * @returns {string | undefined} why the stream ended, where it did
   */
  #take(name, data) {
    if (name === 'picture') {
      this.#retryMs = FIRST_RETRY_MS;
      this.#listener.onPicture(data);
    } else if (name === 'change') this.#listener.onChange(data);
    else if (name === 'end') {
      if (FINAL.includes(data.code)) this.#end(data);
      return data.message;
    }
    return undefined;
  }

  /** @param {Fault} fault */
  #end(fault) {
    this.#isStopped = true;
    this.#listener.onEnd(fault);
  }

  /** @param {number} ms */
  #pause(ms) {
    return /** @type {Promise<void>} */ (
      new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      })
    );
  }
}
