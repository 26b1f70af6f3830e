import type { ServerResponse } from 'node:http';
import { edgeSums } from './picture/edge-sums.ts';
import type { Picture, Series, Viewer } from './picture/picture.ts';
import { pictureChange } from './picture/picture-change.ts';
import { SeriesRing } from './picture/series-ring.ts';
import { viewerPicture } from './picture/viewer-picture.ts';

/** Streams at once, and of one session. */
const MAX_VIEWERS = 200;
const MAX_PER_SESSION = 10;
/** Who has taken nothing for so long is told so, and has to ask again. */
const SLOW_MS = 15_000;
/** How long the last words of a stream may take. */
const LAST_WORDS_MS = 10_000;
/** Something is said at least so often, so that both sides see when the other has gone. */
const SILENCE_MS = 10_000;

/** Why a stream ends, as the page is told. */
type StreamEnd = 'E_UI_SLOW' | 'E_UI_VIEWERS' | 'E_UI_OVER' | 'E_UI_SESSION';

/** What the page is told of each end. */
const WORDS_BY_END: Readonly<Record<StreamEnd, { readonly message: string; readonly remedy: string }>> = {
  E_UI_SLOW: { message: 'the page did not keep up', remedy: 'load it again' },
  E_UI_VIEWERS: { message: 'too many look at once', remedy: 'close other pages, or try again later' },
  E_UI_OVER: { message: "'weft ui' has ended", remedy: "run 'weft ui' again, and open its link" },
  E_UI_SESSION: { message: 'the session is over', remedy: "open a new link of 'weft ui', or sign in again" },
};

interface Stream {
  readonly response: ServerResponse;
  readonly session: string;
  group: Group;
  /** Something is under way to it, since when. */
  waitingSince: number | undefined;
  /** It was not sent what came meanwhile. */
  isBehind: boolean;
  toldAt: number;
}

/** Those who see the same: what they are sent is made once. */
interface Group {
  readonly viewer: Viewer;
  readonly series: SeriesRing;
  readonly streams: Set<Stream>;
  last: Picture | undefined;
}

/**
 * Everybody who looks at the page now. Of each no more than one message is under way: who has not taken it yet misses what
 * comes, and is sent the whole picture then; who takes nothing for {@link SLOW_MS} is let go, and told so. So the slowest
 * reader holds neither memory nor anybody else.
 */
export class LiveViewers {
  readonly #groupByKey = new Map<string, Group>();
  readonly #streams = new Set<Stream>();
  readonly #timer: NodeJS.Timeout;
  readonly #onEmpty: () => void;
  readonly #slowMs: number;
  #picture: Picture | undefined;

  /** `onEmpty`: nobody looks any more. `slowMs`: default {@link SLOW_MS}. */
  constructor(onEmpty: () => void, { slowMs = SLOW_MS }: { readonly slowMs?: number } = {}) {
    this.#onEmpty = onEmpty;
    this.#slowMs = slowMs;
    this.#timer = setInterval(() => this.#keepAlive(), Math.min(SILENCE_MS, slowMs) / 4).unref();
  }

  get count(): number {
    return this.#streams.size;
  }

  /** Begins a stream on `response`, whose head has not been sent yet. False where there are too many. */
  begin(
    response: ServerResponse,
    { session, viewer }: { readonly session: string; readonly viewer: Viewer },
  ): boolean {
    if (this.#streams.size >= MAX_VIEWERS) return false;
    const [oldest, ...others] = [...this.#streams].filter((stream) => stream.session === session);
    if (oldest !== undefined && others.length + 1 >= MAX_PER_SESSION) this.#end(oldest, 'E_UI_VIEWERS');
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.flushHeaders();
    const now = performance.now();
    const stream: Stream = {
      ...{ response, session, isBehind: true, waitingSince: undefined, toldAt: now },
      group: this.#groupOf(viewer),
    };
    this.#streams.add(stream);
    stream.group.streams.add(stream);
    response.once('close', () => this.#forget(stream));
    response.on('error', () => {});
    if (stream.group.last !== undefined) this.#tell(stream, eventBytes('picture', stream.group.last));
    return true;
  }

  /** There is a new picture. */
  show(picture: Picture): void {
    this.#picture = picture;
    for (const group of this.#groupByKey.values()) {
      const before = group.last;
      const now = seenBy(group, picture);
      group.last = now;
      const change = before === undefined ? undefined : eventBytes('change', pictureChange(before, now));
      let whole: Buffer | undefined;
      for (const stream of [...group.streams]) {
        if (this.#isBusy(stream)) stream.isBehind = true;
        else if (change !== undefined && !stream.isBehind) this.#tell(stream, change);
        else {
          whole ??= eventBytes('picture', now);
          this.#tell(stream, whole);
        }
      }
    }
  }

  /** The rights of a session have become others. */
  changeViewer(session: string, viewer: Viewer): void {
    for (const stream of this.#streams) {
      if (stream.session !== session || keyOf(stream.group.viewer) === keyOf(viewer)) continue;
      this.#leaveGroup(stream);
      stream.group = this.#groupOf(viewer);
      stream.group.streams.add(stream);
      // What it has seen so far is no part of what it sees now.
      stream.isBehind = true;
    }
  }

  endSession(session: string, why: StreamEnd): void {
    for (const stream of [...this.#streams]) if (stream.session === session) this.#end(stream, why);
  }

  /** Whether somebody of this session looks. */
  has(session: string): boolean {
    return [...this.#streams].some((stream) => stream.session === session);
  }

  /** Ends all streams, and takes no more. */
  close(why: StreamEnd): void {
    clearInterval(this.#timer);
    for (const stream of [...this.#streams]) this.#end(stream, why);
  }

  /** Says something to those who have heard nothing for a while, and lets those go who take nothing. */
  #keepAlive(): void {
    const now = performance.now();
    for (const stream of [...this.#streams])
      if (!this.#isBusy(stream) && now - stream.toldAt > SILENCE_MS) this.#write(stream, COMMENT);
  }

  /** Whether something is under way to a stream; ends it where that has been so for too long. */
  #isBusy(stream: Stream): boolean {
    const { waitingSince } = stream;
    if (waitingSince === undefined) return false;
    if (performance.now() - waitingSince > this.#slowMs) this.#end(stream, 'E_UI_SLOW');
    return true;
  }

  #tell(stream: Stream, bytes: Buffer): void {
    stream.isBehind = false;
    this.#write(stream, bytes);
  }

  #write(stream: Stream, bytes: Buffer): void {
    stream.toldAt = performance.now();
    stream.waitingSince = stream.toldAt;
    stream.response.write(bytes, () => {
      stream.waitingSince = undefined;
      const { last } = stream.group;
      if (stream.isBehind && last !== undefined && this.#streams.has(stream))
        this.#tell(stream, eventBytes('picture', last));
    });
  }

  #end(stream: Stream, why: StreamEnd): void {
    this.#forget(stream);
    const { response } = stream;
    response.end(eventBytes('end', { code: why, ...WORDS_BY_END[why] }));
    setTimeout(() => response.destroy(), LAST_WORDS_MS).unref();
  }

  #forget(stream: Stream): void {
    if (!this.#streams.delete(stream)) return;
    this.#leaveGroup(stream);
    if (this.#streams.size > 0) return;
    this.#picture = undefined;
    this.#onEmpty();
  }

  #leaveGroup(stream: Stream): void {
    const { group } = stream;
    group.streams.delete(stream);
    if (group.streams.size === 0) this.#groupByKey.delete(keyOf(group.viewer));
  }

  #groupOf(viewer: Viewer): Group {
    const key = keyOf(viewer);
    const known = this.#groupByKey.get(key);
    if (known !== undefined) return known;
    const group: Group = { viewer, series: new SeriesRing(), streams: new Set(), last: undefined };
    if (this.#picture !== undefined) group.last = seenBy(group, this.#picture);
    this.#groupByKey.set(key, group);
    return group;
  }
}

/** What a group sees of a picture, with one more point in the series of what they see. */
function seenBy({ viewer, series }: Group, picture: Picture): Picture {
  if (viewer.namespaces !== null)
    series.push(picture.at, edgeSums(viewerPicture(picture, viewer, NO_SERIES).edges));
  return viewerPicture(picture, viewer, series.series());
}

function keyOf(viewer: Viewer): string {
  return JSON.stringify(viewer);
}

const NO_SERIES: Series = { at: [], lines: [] };
const COMMENT = Buffer.from(': still here\n\n');

function eventBytes(event: 'picture' | 'change' | 'end', data: object): Buffer {
  return Buffer.from(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}
