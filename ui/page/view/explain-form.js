/**
 * Asks which policies decide about a connection, and which would with others.
 *
 * @import { PolicyExplainResult } from '../../../control/npc-request.ts'
 * @import { EdgeRow } from '../../picture/picture.ts'
 * @import { PictureStore } from '../live/picture-store.js'
 * @import { Session } from '../live/session.js'
 */

import { ServerFault } from '../live/session.js';
import { element } from './dom.js';

/** The form for one edge. It is made once, so that what is written there stays while the picture changes. */
export class ExplainForm {
  #session;
  #source = input('explain-source');
  #target = input('explain-target');
  #port = input('explain-port');
  #policies = element('textarea', { id: 'explain-with', spellcheck: 'false', rows: '5' });
  #answer = element('div', { class: 'verdict', role: 'status', hidden: true });
  #send = element('button', { type: 'submit', class: 'quiet', text: 'Ask' });

  /**
   * @param {Session} session
   * @param {PictureStore} picture
   * @param {EdgeRow} edge
   */
  constructor(session, picture, edge) {
    this.#session = session;
    this.#source.value = endOf(picture, edge.source);
    this.#target.value = endOf(picture, edge.target);
    const first = edge.ports[0];
    this.#port.value = first?.port == null ? '' : `${first.port}/${first.protocol.toLowerCase()}`;
    const mayTry = picture.head?.viewer.namespaces === null;
    this.element = element(
      'section',
      {},
      element('h3', { text: 'Which policies decide' }),
      element(
        'form',
        { class: 'ask', onsubmit: (/** @type {Event} */ event) => this.#ask(event) },
        field('From (pod or address)', this.#source),
        field('To', this.#target),
        field('Port of the pod', this.#port),
        mayTry &&
          element(
            'details',
            {},
            element('summary', { text: 'What if there were other policies' }),
            field('Policies, as YAML; one of the same name replaces what is there', this.#policies),
          ),
        element('div', { class: 'row' }, this.#send),
        this.#answer,
      ),
    );
  }

  /** @param {Event} event */
  async #ask(event) {
    event.preventDefault();
    this.#send.disabled = true;
    const policies = this.#policies.value.trim();
    try {
      /** @type {PolicyExplainResult} */
      const result = await this.#session.ask('/api/explain', {
        method: 'POST',
        body: {
          source: this.#source.value.trim(),
          destination: this.#target.value.trim(),
          port: this.#port.value.trim(),
          ...(policies === '' ? {} : { with: policies }),
        },
      });
      this.#answer.textContent = explanation(result, policies !== '');
    } catch (error) {
      const fault = error instanceof ServerFault ? error.fault : undefined;
      this.#answer.textContent =
        fault === undefined
          ? 'weft ui does not answer'
          : [fault.message, fault.remedy].filter((each) => each !== '').join('; ');
    }
    this.#answer.hidden = false;
    this.#send.disabled = false;
  }
}

/**
 * @param {PolicyExplainResult} result
 * @param {boolean} isTried
 */
function explanation({ passes, egress, ingress, unhonoured }, isTried) {
  const would = isTried ? 'would ' : '';
  const verdict = passes
    ? `${would}${isTried ? 'pass' : 'passes'}`
    : `✕ ${would}${isTried ? 'be denied' : 'is denied'}`;
  return [
    `A new connection ${verdict}.`,
    `Leaving: ${egress.passes ? 'passes' : '✕ denied'}, ${egress.because}`,
    `Arriving: ${ingress.passes ? 'passes' : '✕ denied'}, ${ingress.because}`,
    ...unhonoured.map(({ policy, reasons }) => `Not understood: ${policy}: ${reasons.join('; ')}`),
  ].join('\n');
}

/**
 * A pod of the workload, as the question names it.
 *
 * @param {PictureStore} picture
 * @param {string} id
 */
function endOf(picture, id) {
  const row = picture.workloads.get(id);
  const pod = row?.pods[0];
  if (row === undefined || pod === undefined) return '';
  return row.kind === 'workload' && row.namespace !== null ? `${row.namespace}/${pod.name}` : pod.address;
}

/** @param {string} id */
function input(id) {
  return element('input', { type: 'text', id, autocomplete: 'off', spellcheck: 'false', maxlength: '320' });
}

/**
 * @param {string} text
 * @param {HTMLElement} control
 */
function field(text, control) {
  return element('label', { class: 'field wide' }, element('span', { text }), control);
}
