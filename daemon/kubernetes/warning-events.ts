import type { Instant } from '../../base/instant.ts';
import { printable } from '../../base/printable.ts';
import { TokenBucket } from '../../base/token-bucket.ts';
import { type Warning, warningLine } from '../../base/warning.ts';
import { type EventSubject, eventSubject } from './event-subjects.ts';

/** A warning is told once it has stood for so long: what goes by itself, as at a start, is no event. Milliseconds. */
export const PATIENCE_MS: Readonly<Record<Warning['severity'], number>> = { error: 60_000, warning: 300_000 };
/** One that is gone for so long is over; it is then told anew when it comes again. */
export const OVER_AFTER_MS = 300_000;
/** It says something else than was told: told anew, but not sooner than this after the last. */
export const CHANGE_EVERY_MS = 600_000;
/** It stands still: its event is told to go on. The API forgets events after an hour. */
export const REPEAT_EVERY_MS = 1_800_000;
/** Of all events of this node together. */
const BURST = 5;
const PER_SECOND = 1 / 60;
/** The API's bound of a note, in bytes. */
const MAX_NOTE_BYTES = 1024;

/** Something that is to be told to the API. */
export interface WarningEvent {
  readonly code: string;
  readonly subject: Exclude<EventSubject, 'nobody'>;
  readonly note: string;
  /** How often it was told before with these words: 0 makes an event, more counts one up. */
  readonly before: number;
}

interface Standing {
  /** Since it stands without having been over. */
  readonly since: Instant;
  lastSeenAt: Instant;
  /** What was told last: its words, and these without numbers. */
  told:
    | { readonly note: string; readonly shape: string; readonly at: Instant; readonly times: number }
    | undefined;
}

/**
 * Which of the warnings that stand are to be told by an event of Kubernetes now. Nothing waits here: what cannot be told is
 * told later if it still stands then. Memory is bounded by the number of codes.
 */
export class WarningEvents {
  readonly #standingByCode = new Map<string, Standing>();
  readonly #rate = new TokenBucket(BURST, PER_SECOND);

  /**
   * What is to be told, errors first. `isSpeaker`: this node tells also what concerns the whole cluster.
   * Each that was told is to be noted by {@link told}.
   */
  due(
    warnings: readonly Warning[],
    { isSpeaker, now }: { readonly isSpeaker: boolean; readonly now: Instant },
  ): WarningEvent[] {
    const byCode = Map.groupBy(warnings, ({ code }) => code);
    for (const [code, { lastSeenAt }] of this.#standingByCode)
      if (!byCode.has(code) && now - lastSeenAt >= OVER_AFTER_MS) this.#standingByCode.delete(code);
    const due: (WarningEvent & { readonly severity: Warning['severity'] })[] = [];
    for (const [code, same] of byCode) {
      const standing = this.#see(code, now);
      const subject = eventSubject(code);
      const { severity } = same[0]!;
      if (subject === 'nobody' || (subject === 'cluster' && !isSpeaker)) continue;
      if (now - standing.since < PATIENCE_MS[severity]) continue;
      const note = noteOf(same);
      const { told } = standing;
      const event = { code, subject, severity };
      if (told === undefined) due.push({ ...event, note, before: 0 });
      else if (shapeOf(note) !== told.shape && now - told.at >= CHANGE_EVERY_MS)
        due.push({ ...event, note, before: 0 });
      else if (now - told.at >= REPEAT_EVERY_MS) due.push({ ...event, note: told.note, before: told.times });
    }
    return due
      .sort((a, b) => Number(b.severity === 'error') - Number(a.severity === 'error'))
      .map(({ severity: _, ...event }) => event);
  }

  /** Whether one more may be told now: takes a place of the rate. */
  admit(now: Instant): boolean {
    return this.#rate.take(now);
  }

  /** The API has taken it. */
  told({ code, note, before }: WarningEvent, now: Instant): void {
    const standing = this.#standingByCode.get(code);
    if (standing) standing.told = { note, shape: shapeOf(note), at: now, times: before + 1 };
  }

  #see(code: string, now: Instant): Standing {
    const known = this.#standingByCode.get(code) ?? { since: now, lastSeenAt: now, told: undefined };
    known.lastSeenAt = now;
    this.#standingByCode.set(code, known);
    return known;
  }
}

/** All of one code in one text, which the API takes. */
function noteOf(warnings: readonly Warning[]): string {
  const lines = warnings.map((warning) => printable(warningLine(warning), MAX_NOTE_BYTES));
  let note = '';
  for (const [i, line] of lines.entries()) {
    const rest = lines.length - i;
    const more = rest === 1 ? '' : ` (and ${rest - 1} more, see 'weft status')`;
    const longer = note === '' ? line : `${note}. ${line}`;
    if (bytesOf(longer + more) > MAX_NOTE_BYTES)
      return note === '' ? cut(line) : `${note} (and ${rest} more, see 'weft status')`;
    note = longer;
  }
  return note;
}

function cut(line: string): string {
  let text = line;
  while (bytesOf(text) > MAX_NOTE_BYTES - 3) text = text.slice(0, -8);
  return `${text}…`;
}

/** What a note says, whatever the time: how long, how often and how many make no new event. */
function shapeOf(note: string): string {
  return note.replace(/\b\d+ (s|min|times|%|more)\b/g, '#').replace(/\(\d+:/g, '(#:');
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}
