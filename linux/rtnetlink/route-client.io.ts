import type { Address, Family } from '../../base/address.ts';
import { WeftError } from '../../base/weft-error.ts';
import { isSystemError } from '../../native/addon.ts';
import { RouteSocket } from '../../native/netlink.ts';
import {
  encodeMessage,
  join,
  type NetlinkMessage,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  parseMessages,
} from '../netlink-message.ts';
import { isDump, isNetlinkError, NetlinkError, type NetlinkRequest, outcomeOf } from '../netlink-request.ts';
import { dumpAddresses, type InterfaceAddress, parseInterfaceAddress } from './interface-address.ts';
import { dumpLinks, getLink, type Link, type LinkReference, parseLink } from './link.ts';
import { dumpNeighbours, type Neighbour, parseNeighbour } from './neighbour.ts';
import { dumpRoutes, type HostRoute, lookUpRoute, parseRoute } from './route.ts';
import { dumpRules, type PolicyRule, parseRule } from './rule.ts';

/** A transaction ends within this. The kernel may hold its lock for long while it deletes a large namespace. */
const ROUTE_TIMEOUT_MS = 10_000;
/** Transactions that may wait for their turn on one client. */
const MAX_WAITING = 1024;
/** Requests in one transaction. */
const MAX_BATCH = 256;
/** How often a list that changed while it was read is read again. */
const DUMP_ATTEMPTS = 8;

/** What the kernel said to one request: its error or none, and its data. */
interface Answer {
  readonly error: NetlinkError | undefined;
  readonly messages: readonly NetlinkMessage[];
}

/**
 * Asks a network namespace's kernel about links, addresses and routes, and changes them. Calls are carried out one
 * after the other in the order they were made; a batch goes in one system call.
 *
 * Rejections: {@link NetlinkError} where the kernel refused, WeftError E_NETLINK where the socket itself failed.
 */
export class RouteClient {
  readonly #socket: RouteSocket;
  #sequence = 1;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(socket: RouteSocket) {
    this.#socket = socket;
  }

  /** For the namespace this process is in. */
  static open(): RouteClient {
    try {
      return new RouteClient(RouteSocket.open());
    } catch (cause) {
      throw socketFailed(cause);
    }
  }

  /**
   * For the namespace in which another process opened `fd`; it is duplicated, so the caller still closes it.
   * @throws WeftError E_NETLINK_FD where `fd` is no routing netlink socket.
   */
  static adopt(fd: number): RouteClient {
    try {
      return new RouteClient(RouteSocket.adopt(fd));
    } catch (cause) {
      const remedy = 'send the descriptor of an AF_NETLINK socket of protocol NETLINK_ROUTE';
      throw new WeftError('E_NETLINK_FD', 'the descriptor is no routing netlink socket', remedy, { cause });
    }
  }

  close(): void {
    this.#socket.close();
  }

  /** The descriptor of its socket, to be handed on; −1 once it is closed. */
  get fd(): number {
    return this.#socket.fd;
  }

  /**
   * Carries out `requests` in order. All of them are tried. Where some fail, rejects with the error of
   * the first of them; all others are done, before it and after it.
   */
  async execute(...requests: readonly NetlinkRequest[]): Promise<void> {
    for (const error of await this.attempt(...requests)) if (error) throw error;
  }

  /** Carries out `requests` in order and says of each how it went: undefined for done. */
  async attempt(...requests: readonly NetlinkRequest[]): Promise<(NetlinkError | undefined)[]> {
    return (await this.#transact(requests)).map((answer) => answer.error);
  }

  /** The interface of that index or name; undefined where there is none. */
  async link(reference: LinkReference): Promise<Link | undefined> {
    const messages = await this.#ask(getLink(reference), 'ENODEV');
    return messages.map(parseLink).find((link) => link !== undefined);
  }

  async links(): Promise<Link[]> {
    return defined((await this.#ask(dumpLinks())).map(parseLink));
  }

  /** Addresses of one interface, or of all. */
  async addresses(link?: number): Promise<InterfaceAddress[]> {
    const all = defined((await this.#ask(dumpAddresses(link), 'ENODEV')).map(parseInterfaceAddress));
    return link === undefined ? all : all.filter((entry) => entry.link === link);
  }

  /** Routes of a family in one table, or in all. */
  async routes(family: Family, table?: number): Promise<HostRoute[]> {
    // A table that was never used is ENOENT, not an empty list.
    const messages = await this.#ask(dumpRoutes(family, table), 'ENOENT');
    const all = defined(messages.map((message) => parseRoute(message)));
    return table === undefined ? all : all.filter((entry) => entry.table === table);
  }

  /** Entries of the neighbour tables of both families. */
  async neighbours(): Promise<Neighbour[]> {
    return defined((await this.#ask(dumpNeighbours())).map(parseNeighbour));
  }

  /** Rules of policy routing of a family; none where the kernel lacks it. */
  async rules(family: Family): Promise<PolicyRule[]> {
    return defined((await this.#ask(dumpRules(family), 'EOPNOTSUPP', 'EAFNOSUPPORT')).map(parseRule));
  }

  /** The route that a packet to `address` would take, or the table's `entry` for it; undefined where there is none. */
  async routeTo(
    address: Address,
    options: { readonly entry?: boolean } = {},
  ): Promise<HostRoute | undefined> {
    const refusals = ['ENETUNREACH', 'EHOSTUNREACH', 'EINVAL', 'EACCES'];
    const messages = await this.#ask(lookUpRoute(address, options), ...refusals);
    return defined(messages.map((message) => parseRoute(message, { cloned: true })))[0];
  }

  /**
   * The route that a packet to `address` would take which came in with `source` by the interface of index `link`; where it
   * would take none, the code that the kernel answers: EHOSTUNREACH, ENETUNREACH, EINVAL, EXDEV …
   */
  async forwardingRoute(
    address: Address,
    from: { readonly source: Address; readonly link: number },
  ): Promise<HostRoute | string> {
    const [answer] = await this.#transact([lookUpRoute(address, { from })]);
    if (answer!.error) return answer!.error.code;
    return (
      defined(answer!.messages.map((message) => parseRoute(message, { cloned: true })))[0] ?? 'ENETUNREACH'
    );
  }

  /** The messages that answer `request`; none where the kernel refused with one of `absent`. */
  async #ask(request: NetlinkRequest, ...absent: readonly string[]): Promise<readonly NetlinkMessage[]> {
    for (let attempt = 1; ; attempt++) {
      const [answer] = await this.#transact([request]);
      if (answer!.error && isNetlinkError(answer!.error, ...absent)) return [];
      if (answer!.error) throw answer!.error;
      const torn = answer!.messages.some((message) => (message.flags & NLM_F_DUMP_INTR) !== 0);
      if (!torn) return answer!.messages;
      if (attempt === DUMP_ATTEMPTS) throw new NetlinkError(request.what, 'EINTR', 'it keeps changing');
    }
  }

  /** Queues a transaction behind those before it. */
  async #transact(requests: readonly NetlinkRequest[]): Promise<Answer[]> {
    if (requests.length === 0) return [];
    if (this.#waiting >= MAX_WAITING || requests.length > MAX_BATCH) {
      throw new WeftError('E_NETLINK', 'too many requests to the kernel at once', 'try again later');
    }
    this.#waiting++;
    const mine = this.#last.then(() => this.#perform(requests));
    this.#last = mine.catch(() => undefined);
    try {
      return await mine;
    } finally {
      this.#waiting--;
    }
  }

  async #perform(requests: readonly NetlinkRequest[]): Promise<Answer[]> {
    const first = this.#sequence;
    this.#sequence = (first + requests.length) % 2 ** 31 || 1;
    const bytes = join(
      requests.map(({ type, flags, body }, i) => encodeMessage(type, flags, first + i, body)),
    );
    let reply: Uint8Array;
    try {
      reply = await this.#socket.transact(bytes, first, requests.length, ROUTE_TIMEOUT_MS);
    } catch (cause) {
      throw socketFailed(cause);
    }
    return answersTo(requests, first, reply);
  }
}

/** Sorts a reply by request. */
function answersTo(requests: readonly NetlinkRequest[], first: number, reply: Uint8Array): Answer[] {
  const parsed = parseMessages(reply);
  if (!parsed.ok) throw socketFailed(new Error('malformed reply'));
  const answers = requests.map(() => ({
    error: undefined as NetlinkError | undefined,
    messages: [] as NetlinkMessage[],
  }));
  for (const message of parsed.value) {
    const request = requests[message.sequence - first];
    const answer = answers[message.sequence - first];
    if (!request || !answer) continue;
    if (message.type === NLMSG_ERROR || (message.type === NLMSG_DONE && isDump(request))) {
      answer.error ??= outcomeOf(request.what, message);
      // An empty list can be torn too, and only this message says so.
      if (message.type === NLMSG_DONE) answer.messages.push(message);
    } else answer.messages.push(message);
  }
  return answers;
}

function defined<T>(items: readonly (T | undefined)[]): T[] {
  return items.filter((item) => item !== undefined);
}

function socketFailed(cause: unknown): unknown {
  if (!isSystemError(cause) && !(cause instanceof Error && cause.message === 'malformed reply')) return cause;
  return new WeftError('E_NETLINK', `the kernel's routing socket failed: ${cause.message}`, 'try again', {
    cause,
  });
}
