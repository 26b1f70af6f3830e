import type { Endpoint } from '../../base/endpoint.ts';
import type { Host, VirtualNetwork } from './virtual-network.ts';

/** The system's own patience. */
const CONNECT_TIMEOUT_MS = 5_000;
const RETRANSMIT_MS = 200;
/** After an outage TCP notices within this that its packets pass again. */
const RESUME_MS = 1_500;
/** Bytes that wait unacknowledged for so long break the connection. */
const GIVE_UP_MS = 60_000;

/** What an end of a connection tells its owner. */
export interface EndEvents {
  /** The dialled connection stands. */
  connected(): void;
  received(bytes: Uint8Array): void;
  /** Gone, or never came about. Nothing follows. */
  closed(): void;
}

/** One end of a connection, as its owner holds it. */
export interface End {
  write(bytes: Uint8Array): void;
  /** Sends what was written, then closes; the owner hears no more. */
  close(): void;
  /** Cuts the connection without a word to anybody (the machine lost power). */
  vanish(): void;
}

interface Side extends End {
  readonly host: Host;
  events: EndEvents | undefined;
  /** Nothing of this side arrives at the other before this instant, for order is kept. */
  floor: number;
  /** Written by this side, and held up by an outage. */
  stalled: (Uint8Array | 'fin')[];
  stalledSince: number | undefined;
}

interface Connection {
  readonly number: number;
  readonly sides: [Side, Side];
  over: boolean;
}

/** Somebody connects to a host: the events of its end, or undefined to refuse. */
export type Accept = (end: End, remote: Endpoint) => EndEvents | undefined;

/**
 * TCP between the hosts of a {@link VirtualNetwork}: ordered streams that arrive cut at random places. In an outage
 * they stall; some break with it, some at one end alone.
 */
export class VirtualTcp {
  readonly #network: VirtualNetwork;
  readonly #acceptByHost = new Map<Host, Accept>();
  readonly #open = new Set<Connection>();
  #lastNumber = 0;
  #lastPort = 30_000;

  constructor(network: VirtualNetwork) {
    this.#network = network;
    network.onChange = () => this.#pathsChanged();
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** From now on `host` listens; undefined: nobody does, and who connects is refused. */
  listen(host: Host, accept: Accept | undefined): void {
    if (accept === undefined) this.#acceptByHost.delete(host);
    else this.#acceptByHost.set(host, accept);
  }

  /** Connects `from` with whoever listens at `to`; ends in `connected` or `closed`. */
  dial(from: Host, to: Endpoint, events: EndEvents): End {
    const network = this.#network;
    const target = network.listener(to);
    const connection = this.#connection(from, target ?? from);
    const [near, far] = connection.sides;
    near.events = events;
    const fail = (ms: number): void => network.queue.in(ms, () => this.#lose(connection, near));
    if (target === undefined) {
      fail(CONNECT_TIMEOUT_MS);
      return near;
    }
    const lateMs = network.chance(network.weather.loss) ? 1_000 : 0; // a SYN is sent again after a second
    network.queue.in(network.delay() + lateMs, () => {
      if (connection.over) return;
      if (!this.#passes(near, far)) return fail(CONNECT_TIMEOUT_MS);
      const remote = `${from.mapped.slice(0, from.mapped.lastIndexOf(':'))}:${++this.#lastPort}` as Endpoint;
      const accepted = this.#acceptByHost.get(target)?.(far, remote);
      if (accepted === undefined) return fail(network.delay());
      far.events = accepted;
      network.queue.in(network.delay(), () => near.events?.connected());
    });
    return near;
  }

  /** Breaks at random what an outage holds up: at both ends, at one, or at none. */
  breakSome(): void {
    for (const connection of [...this.#open]) {
      const [a, b] = connection.sides;
      if (this.#passes(a, b)) continue;
      const fate = this.#network.below(4);
      if (fate & 1 && a.events) this.#lose(connection, a);
      if (fate & 2 && b.events) this.#lose(connection, b);
    }
  }

  /** All connections of `host` break, at both ends: its address is gone. */
  breakAll(host: Host): void {
    for (const connection of [...this.#open]) {
      const { sides } = connection;
      if (!sides.some((side) => side.host === host)) continue;
      for (const side of sides) if (side.events) this.#lose(connection, side);
    }
  }

  #connection(from: Host, to: Host): Connection {
    const connection: Connection = {
      number: ++this.#lastNumber,
      sides: [] as unknown as [Side, Side],
      over: false,
    };
    for (const [i, host] of [from, to].entries()) {
      const side: Side = {
        host,
        events: undefined,
        floor: 0,
        stalled: [],
        stalledSince: undefined,
        write: (bytes) => this.#write(connection, i as 0 | 1, bytes),
        close: () => this.#close(connection, i as 0 | 1),
        vanish: () => {
          side.events = undefined;
          this.#forgetIfOver(connection);
        },
      };
      connection.sides.push(side);
    }
    this.#open.add(connection);
    return connection;
  }

  #write(connection: Connection, direction: 0 | 1, bytes: Uint8Array): void {
    if (connection.over) return;
    this.#network.tap.stream(connection.number, direction, bytes);
    for (let at = 0; at < bytes.length; ) {
      const rest = bytes.length - at;
      const length = rest > 1 && this.#network.chance(0.3) ? 1 + this.#network.below(rest) : rest;
      this.#send(connection, direction, bytes.slice(at, at + length));
      at += length;
    }
  }

  #close(connection: Connection, direction: 0 | 1): void {
    if (connection.over) return;
    connection.sides[direction].events = undefined;
    this.#send(connection, direction, 'fin');
  }

  #send(connection: Connection, direction: 0 | 1, what: Uint8Array | 'fin', extraMs = 0): void {
    const side = connection.sides[direction];
    if (side.stalled.length > 0 && extraMs === 0) {
      side.stalled.push(what);
      return;
    }
    const network = this.#network;
    const resentMs = network.chance(network.weather.loss) ? RETRANSMIT_MS * (1 + network.below(3)) : 0;
    side.floor = Math.max(side.floor, network.queue.now + network.delay() + resentMs + extraMs);
    network.queue.at(side.floor, () => this.#arrive(connection, direction, what));
  }

  #arrive(connection: Connection, direction: 0 | 1, what: Uint8Array | 'fin'): void {
    if (connection.over) return;
    const side = connection.sides[direction];
    const other = connection.sides[1 - direction]!;
    if (side.stalled.length > 0 || !this.#passes(side, other)) {
      side.stalled.push(what);
      side.stalledSince ??= this.#network.queue.now;
      return;
    }
    if (other.events === undefined) {
      // Nobody is there any more: the answer is a reset.
      this.#network.queue.in(this.#network.delay(), () => this.#lose(connection, side));
      return;
    }
    if (what === 'fin') this.#lose(connection, other);
    else other.events.received(what);
  }

  /** `side` learns that the connection is gone. The other one may not know for long. */
  #lose(connection: Connection, side: Side): void {
    const { events } = side;
    side.events = undefined;
    this.#forgetIfOver(connection);
    events?.closed();
  }

  #forgetIfOver(connection: Connection): void {
    if (connection.sides.every((each) => each.events === undefined)) {
      connection.over = true;
      this.#open.delete(connection);
    }
  }

  /** Data in one direction needs its acknowledgements in the other. */
  #passes(a: Side, b: Side): boolean {
    return !this.#network.isCut(a.host, b.host) && !this.#network.isCut(b.host, a.host);
  }

  #pathsChanged(): void {
    const { queue, below } = { queue: this.#network.queue, below: (n: number) => this.#network.below(n) };
    for (const connection of [...this.#open]) {
      for (const direction of [0, 1] as const) {
        const side = connection.sides[direction];
        if (side.stalled.length === 0 || !this.#passes(side, connection.sides[1 - direction]!)) continue;
        if (queue.now - side.stalledSince! > GIVE_UP_MS) {
          this.#lose(connection, side);
          continue;
        }
        const resumeMs = 1 + below(RESUME_MS);
        const waiting = side.stalled.splice(0);
        side.stalledSince = undefined;
        for (const what of waiting) this.#send(connection, direction, what, resumeMs);
      }
    }
  }
}
