import { deepEqual, equal, ok } from 'node:assert/strict';
import fc from 'fast-check';
import { after, type Instant, instant } from '../../../base/instant.ts';
import { LOG_BURST, LOG_REFILL_MS, Log, MAX_LOG_KEYS } from '../../../host/log.ts';

class Page {
  readonly lines: string[] = [];
  at: Instant = instant(0);
  write(line: string): void {
    this.lines.push(line);
  }
  now(): Instant {
    return this.at;
  }
  date(): string {
    return 'DATE';
  }
}

function text(page: Page): Log {
  return new Log(page, { level: 'debug', format: 'text' });
}

describe('Log', () => {
  it('writes a line of text with its fields, quoted where they need it', () => {
    const page = new Page();
    text(page).warn('peer lost', {
      peer: 'ab',
      tries: 3,
      reason: 'no "answer" yet',
      empty: '',
      gone: undefined,
    });
    deepEqual(page.lines, [`DATE warn peer lost peer=ab tries=3 reason="no 'answer' yet" empty=""`]);
  });

  it('writes a line of JSON whose own names no field can take over', () => {
    const page = new Page();
    new Log(page, { level: 'info', format: 'json' }).error('broken', { code: 'E_A', level: 'debug', n: 1 });
    deepEqual(JSON.parse(page.lines[0]!), {
      ...{ date: 'DATE', level: 'error', message: 'broken' },
      ...{ code: 'E_A', level_: 'debug', n: 1 },
    });
  });

  it('leaves out what is beneath its level', () => {
    const page = new Page();
    const log = new Log(page, { level: 'warn', format: 'text' });
    log.debug('a');
    log.info('b');
    log.warn('c');
    log.error('d');
    deepEqual(page.lines, ['DATE warn c', 'DATE error d']);
    deepEqual([log.enabled('error'), log.enabled('info')], [true, false]);
  });

  it('makes one safe line of whatever a peer is named', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('text', 'json'), (name, format) => {
        const page = new Page();
        new Log(page, { level: 'info', format: format as 'text' | 'json' }).info('hello', { name });
        equal(page.lines.length, 1);
        ok(!/[\p{Cc}\p{Zl}\p{Zp}]/u.test(page.lines[0]!), JSON.stringify(page.lines[0]));
        ok(page.lines[0]!.length < 700);
      }),
    );
  });

  it('cannot have a field smuggled into a text line', () => {
    const page = new Page();
    text(page).info('hello', { name: 'a level=error', other: 'x" code="E_FAKE' });
    deepEqual(page.lines, [`DATE info hello name="a level=error" other="x' code='E_FAKE"`]);
  });

  it('writes a burst of a key, then one line in a while, and says what it left out', () => {
    const page = new Page();
    const log = text(page);
    for (let i = 0; i < 1000; i++) log.info('flood');
    equal(page.lines.length, LOG_BURST);
    page.at = after(page.at, LOG_REFILL_MS - 1);
    log.info('flood');
    equal(page.lines.length, LOG_BURST);
    page.at = after(page.at, 1);
    log.info('flood');
    log.info('flood');
    deepEqual(page.lines.slice(LOG_BURST), ['DATE info flood suppressed=991']);
  });

  it('gives a key its whole burst back after a long silence, and not more', () => {
    const page = new Page();
    const log = text(page);
    for (let i = 0; i < 50; i++) log.info('flood');
    page.at = after(page.at, 1000 * LOG_REFILL_MS);
    for (let i = 0; i < 50; i++) log.info('flood');
    equal(page.lines.length, 2 * LOG_BURST);
  });

  it('lets no key take from another', () => {
    const page = new Page();
    const log = text(page);
    for (let i = 0; i < 50; i++) log.info('flood');
    log.info('calm');
    log.info('flood', {}, 'flood of another peer');
    deepEqual(page.lines.slice(LOG_BURST), ['DATE info calm', 'DATE info flood']);
  });

  it('never writes more than burst and refill allow, whatever the times', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 30_000 }), { maxLength: 200 }), (steps) => {
        const page = new Page();
        const log = text(page);
        for (const step of steps) {
          page.at = after(page.at, step);
          log.info('x');
        }
        ok(page.lines.length <= LOG_BURST + page.at / LOG_REFILL_MS);
        const suppressed = page.lines.reduce(
          (sum, line) => sum + Number(/suppressed=(\d+)/.exec(line)?.[1] ?? 0),
          0,
        );
        ok(page.lines.length + suppressed <= steps.length);
      }),
    );
  });

  it('forgets the key that was silent longest, so that keys cannot fill memory', () => {
    const page = new Page();
    const log = text(page);
    for (let i = 0; i < 50; i++) log.info('old');
    for (let i = 0; i < 50; i++) log.info('busy');
    for (let i = 0; i < MAX_LOG_KEYS - 1; i++) log.info('m', {}, `key ${i}`);
    page.lines.length = 0;
    log.info('busy');
    equal(page.lines.length, 0, 'still known');
    log.info('old');
    equal(page.lines.length, 1, 'was forgotten');
  });
});
