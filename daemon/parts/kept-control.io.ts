import { type FSWatcher, watch } from 'node:fs';
import { type Warning, warningOf } from '../../base/warning.ts';
import { type ControlService, serveControl } from '../../control/control-server.io.ts';
import type { Log } from '../../host/log.ts';
import { openRunFolder } from '../../host/run-folder.io.ts';
import type { LocalSocket } from '../../native/local-socket.ts';
import { DAEMON_WARNINGS } from '../daemon-warnings.ts';

/** Whoever removes a folder removes much of it in a row: it is looked at when so long nothing more came. */
const QUIET_MS = 100;
/** A look without any event, where the folder cannot be watched, or was removed as a whole. */
const SLOW_LOOK_MS = 60_000;
/** Sockets whose names went, and that serve those who came before: no more than so many. */
const MAX_NAMELESS = 4;

interface KeptControlOptions<Request> {
  readonly runDir: string;
  readonly service: ControlService<Request>;
  /** The run folder changed, and is there with the socket: whoever else has something in it may look, too. */
  readonly onLook: () => void;
  readonly log: Log;
}

/**
 * The control socket of weftd, which is made anew where somebody removes it: a program that clears /run would else leave a
 * node that no pod can be attached to, and that nobody can ask why.
 */
export class KeptControl<Request> {
  readonly #options: KeptControlOptions<Request>;
  /** The last one has the name. */
  #sockets: LocalSocket[] = [];
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #slow: NodeJS.Timeout;
  #fault: string | undefined;
  /** Hidden or closed: the name belongs to whoever comes next. */
  #isOver = false;

  /** Throws as {@link LocalSocket.listen} does. */
  constructor(options: KeptControlOptions<Request>) {
    this.#options = options;
    this.#listen();
    this.#watch();
    this.#slow = setInterval(() => this.#look(), SLOW_LOOK_MS).unref();
  }

  /** See {@link LocalSocket.hide}. */
  hide(): void {
    this.#end();
    this.#sockets.at(-1)?.hide();
  }

  /** See {@link LocalSocket.unheard}. */
  get unheard(): number {
    return this.#sockets.reduce((sum, socket) => sum + socket.unheard, 0);
  }

  warnings(): Warning[] {
    if (this.#fault === undefined) return [];
    return [warningOf(DAEMON_WARNINGS, 'E_CONTROL_SOCKET', { path: this.#path, fault: this.#fault })];
  }

  close(): void {
    this.#end();
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  get #path(): string {
    return `${this.#options.runDir}/weft.sock`;
  }

  #listen(): void {
    this.#sockets.push(serveControl(this.#path, this.#options.service));
    if (this.#sockets.length > MAX_NAMELESS) this.#sockets.shift()!.close();
  }

  #watch(): void {
    this.#watcher?.close();
    try {
      this.#watcher = watch(this.#options.runDir, { persistent: false }, () => this.#stirred());
      this.#watcher.on('error', () => this.#stirred());
    } catch {
      // No inotify instance is left: the slow look has to do.
      this.#watcher = undefined;
    }
  }

  #stirred(): void {
    if (this.#isOver) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), QUIET_MS);
  }

  #look(): void {
    if (this.#isOver) return;
    const { runDir, onLook, log } = this.#options;
    try {
      if (!this.#sockets.at(-1)?.isNamed) {
        openRunFolder(runDir);
        this.#listen();
        this.#watch();
        this.#fault = undefined;
        log.warn('the control socket was removed by another program and put right', { path: this.#path });
      }
      onLook();
    } catch (error) {
      this.#fault = error instanceof Error ? error.message : String(error);
      log.warn('the control socket was removed and cannot be made again', { fault: this.#fault });
    }
  }

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    clearInterval(this.#slow);
    this.#watcher?.close();
  }
}
