/**
 * Who looks: the one-time token of the link is given for a session, which lives in this tab only.
 *
 * @typedef {{ readonly code: string, readonly message: string, readonly remedy: string }} Fault
 */

const KEPT_AS = 'weft-session';

/** An answer of the server that says what is wrong, and what to do. */
export class ServerFault extends Error {
  /**
   * @param {number} status
   * @param {Fault} fault
   */
  constructor(status, fault) {
    super(fault.message);
    this.name = 'ServerFault';
    this.status = status;
    this.fault = fault;
  }
}

/** The session of this tab. */
export class Session {
  /** @type {string | null} */
  #session = sessionStorage.getItem(KEPT_AS);

  get isOpen() {
    return this.#session !== null;
  }

  /** Takes the token out of the address, so that it is in no history; null where there is none. */
  takeLinkToken() {
    const token = location.hash.slice(1);
    if (token === '') return null;
    history.replaceState(null, '', location.pathname);
    return token;
  }

  /**
   * @param {{ readonly token: string } | { readonly kubernetesToken: string }} proof
   */
  async open(proof) {
    const answer = await this.ask('/api/session', { method: 'POST', body: proof });
    this.#session = answer.session;
    sessionStorage.setItem(KEPT_AS, answer.session);
  }

  /** Whether the server takes tokens of Kubernetes. */
  async takesTokens() {
    return (await this.ask('/api/session')).tokens === true;
  }

  forget() {
    this.#session = null;
    sessionStorage.removeItem(KEPT_AS);
  }

  async close() {
    await this.ask('/api/session', { method: 'DELETE' }).catch(() => {});
    this.forget();
  }

  /**
   * What the server answers in JSON.
   *
   * @param {string} path
   * @param {{ readonly method?: string, readonly body?: unknown }} [request]
   * @returns {Promise<any>}
   * @throws {ServerFault} where it refuses
   */
  async ask(path, { method = 'GET', body } = {}) {
    const response = await this.fetch(path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return response.status === 204 ? undefined : response.json();
  }

  /**
   * @param {string} path
   * @param {RequestInit} [options]
   * @throws {ServerFault} where the server refuses
   */
  async fetch(path, options = {}) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (this.#session !== null) headers.authorization = `Bearer ${this.#session}`;
    if (options.body !== undefined) headers['content-type'] = 'application/json';
    const response = await fetch(path, { ...options, headers, cache: 'no-store', credentials: 'omit' });
    if (response.ok) return response;
    const answer = await response.json().catch(() => undefined);
    throw new ServerFault(response.status, {
      code: 'E_UI_HTTP',
      message: `weft ui answered ${response.status}`,
      remedy: '',
      ...answer?.error,
    });
  }
}
