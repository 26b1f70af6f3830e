import { earliest, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { Origin, Path } from '../datapath/datapath.ts';
import { encodeTokenMessage } from './control-message.ts';
import type { HandedTunnel } from './handover/handed-tunnels.ts';
import { type Challenge, Paths, samePath } from './paths.ts';
import type { TunnelContext } from './tunnel-context.ts';
import { COUNTER_BY_ANSWER } from './tunnel-counters.ts';
import { TunnelMtu } from './tunnel-mtu.ts';
import { TunnelPorts } from './tunnel-ports.ts';

/**
 * Puts the choice of {@link Paths} on a tunnel: tells the datapath which path is in use, sends challenges and answers
 * those of the peer, and begins the search for the path MTU anew with each new path.
 */
export class TunnelPath {
  readonly paths: Paths;
  readonly mtu: TunnelMtu;
  readonly ports: TunnelPorts;
  readonly #peer: PeerId;
  readonly #context: TunnelContext;

  constructor(peer: PeerId, context: TunnelContext) {
    this.#peer = peer;
    this.#context = context;
    this.paths = new Paths({ random: context.random });
    this.mtu = new TunnelMtu(peer, context);
    this.ports = new TunnelPorts(peer, context);
  }

  get current(): Path | undefined {
    return this.paths.current;
  }

  /** Takes a path into use that was proven; undefined: there is none any more. */
  use(path: Path | undefined, now: Instant): void {
    const before = this.paths.current;
    this.paths.use(path, now);
    if (path === undefined) {
      this.mtu.stop();
      this.ports.restart();
      this.#context.datapath.setPath(this.#peer, undefined);
    } else if (before === undefined || !samePath(before, path)) this.#taken(now);
  }

  /** See {@link Paths.resume}; `full`: the largest size that both ends take. */
  resume(handed: Pick<HandedTunnel, 'path' | 'observed' | 'provenMtu'>, full: number, now: Instant): void {
    if (handed.path === undefined) return;
    this.paths.resume(handed.path, handed.observed, now);
    this.#context.datapath.setPath(this.#peer, handed.path);
    this.mtu.resume(full, handed.provenMtu, now);
  }

  /** Sends along the path in use; where there is none, back along `fallback`. False where neither can be. */
  send(body: Uint8Array, fallback?: Path): boolean {
    const { datapath } = this.#context;
    if (this.paths.current !== undefined) return datapath.sendControl(this.#peer, body);
    return fallback !== undefined && datapath.sendControl(this.#peer, body, { via: fallback });
  }

  /** A valid packet came from elsewhere than the path in use. */
  moved(from: Origin, now: Instant): void {
    this.challenge(this.paths.moved(from, now));
  }

  /** The peer shook hands from `from`. Where that is another path than ours, ours is perhaps dead: see paths.ts. */
  askBoth(from: Path, now: Instant): void {
    if (this.paths.current !== undefined && !samePath(this.paths.current, from)) this.paths.suspect();
    this.challenge(this.paths.moved(from, now));
  }

  challenge(challenges: readonly Challenge[]): void {
    for (const { path, token } of challenges) {
      this.#context.counters.add('path.challenged');
      this.#context.datapath.sendControl(this.#peer, encodeTokenMessage('challenge', token), { via: path });
    }
  }

  /** Back where it came from, and where we know the peer: the challenge may have been copied and sent ahead. */
  answerChallenge(token: Uint8Array, from: Origin): void {
    const body = encodeTokenMessage('answer', token);
    const { likeliest } = this.paths;
    this.#context.datapath.sendControl(this.#peer, body, { via: from });
    if (likeliest === undefined || samePath(likeliest, from)) return;
    this.#context.datapath.sendControl(this.#peer, body, { via: likeliest });
  }

  /** The peer answered a challenge. True where another path is in use now. */
  answered(token: Uint8Array, now: Instant): boolean {
    const outcome = this.paths.answered(token, now);
    this.#context.counters.add(COUNTER_BY_ANSWER[outcome]);
    if (outcome !== 'moved') return false;
    this.#taken(now);
    return true;
  }

  /** Sends what is due; only with a session. */
  tick(now: Instant): void {
    this.challenge(this.paths.tick(now));
    if (this.paths.current === undefined) return;
    this.mtu.tick(now);
    this.ports.tick(now);
  }

  nextTimeout(): Instant | undefined {
    return earliest(
      this.paths.nextTimeout(),
      this.paths.current === undefined ? undefined : this.mtu.nextTimeout(),
      this.paths.current === undefined ? undefined : this.ports.nextTimeout(),
    );
  }

  /** {@link Paths.current} has changed to another path. */
  #taken(now: Instant): void {
    this.#context.datapath.setPath(this.#peer, this.paths.current);
    this.mtu.restart(now);
    this.ports.restart();
  }
}
