import { WeftError } from '../../base/weft-error.ts';
import { isSystemError } from '../../native/addon.ts';
import { NetfilterSocket } from '../../native/netlink.ts';
import { NLMSG_ERROR, parseMessages } from '../netlink-message.ts';
import { NetlinkError, outcomeOf } from '../netlink-request.ts';
import { type ElementStep, encodeElements } from './nftables-batch.ts';

/** A transaction ends within this. The kernel takes one at a time, and another program's may be large. */
const TIMEOUT_MS = 15_000;
/** A larger request needs more room than a socket has by default (net.core.wmem_default). */
const MOST_BYTES = 128 * 1024;

/**
 * Changes elements of sets and maps of one table of the family inet, in this process's network namespace, without nft: that
 * takes a process for each change, which reads the names of everything that the machine has in nftables.
 */
export class ElementWriter {
  readonly #table: string;
  readonly #socket: NetfilterSocket;
  #sequence = 0;

  private constructor(table: string, socket: NetfilterSocket) {
    this.#table = table;
    this.#socket = socket;
  }

  /** Throws SystemError. */
  static open(table: string): ElementWriter {
    return new ElementWriter(table, NetfilterSocket.open());
  }

  /** By which the events of its transactions are known: see `RulesetChange`. */
  get port(): number {
    return this.#socket.port;
  }

  /**
   * Carries out `steps`, in order, as one transaction. False, and nothing is done, where they are too many for one. One call
   * at a time.
   * @throws WeftError E_NFT, E_NOT_ROOT: nothing was done, but after E_NFT for a kernel that did not answer.
   */
  async carryOut(steps: readonly ElementStep[]): Promise<boolean> {
    if (steps.every(({ elements }) => elements.length === 0)) return true;
    this.#sequence = (this.#sequence + 1) % 2 ** 31 || 1;
    const sequence = this.#sequence;
    const batch = encodeElements(this.#table, steps, sequence);
    if (batch.length > MOST_BYTES) return false;
    const failure = await this.#transact(batch, sequence);
    if (failure === undefined) return true;
    // Sockets have less room here than by default.
    if (isSystemError(failure) && failure.code === 'EMSGSIZE') return false;
    const isForbidden = failure instanceof NetlinkError && failure.code === 'EPERM';
    throw isForbidden
      ? new WeftError('E_NOT_ROOT', 'packet rules may not be set', 'run as root or with CAP_NET_ADMIN', {
          cause: failure,
        })
      : new WeftError('E_NFT', `the kernel refused to change packet rules: ${failure.message}`, 'try again', {
          cause: failure,
        });
  }

  close(): void {
    this.#socket.close();
  }

  async #transact(batch: Uint8Array, sequence: number): Promise<Error | undefined> {
    let reply: Uint8Array;
    try {
      reply = await this.#socket.transact(batch, sequence, TIMEOUT_MS);
    } catch (error) {
      if (isSystemError(error)) return error;
      throw error;
    }
    const messages = parseMessages(reply);
    const answer = messages.ok ? messages.value.find(({ type }) => type === NLMSG_ERROR) : undefined;
    if (answer === undefined) return new Error('malformed reply');
    return outcomeOf('change of elements', answer);
  }
}
