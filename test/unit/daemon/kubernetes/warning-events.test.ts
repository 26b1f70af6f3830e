import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { type Instant, instant } from '../../../../base/instant.ts';
import type { Warning } from '../../../../base/warning.ts';
import {
  eventObject,
  eventPlace,
  seriesPatch,
  timesSeen,
} from '../../../../daemon/kubernetes/event-object.ts';
import { eventSubject } from '../../../../daemon/kubernetes/event-subjects.ts';
import {
  CHANGE_EVERY_MS,
  OVER_AFTER_MS,
  PATIENCE_MS,
  REPEAT_EVERY_MS,
  type WarningEvent,
  WarningEvents,
} from '../../../../daemon/kubernetes/warning-events.ts';
import { WARNING_SECTIONS } from '../../../../tools/warnings-doc.ts';

const FULL: Warning = {
  code: 'E_NO_POD_ADDRESS',
  severity: 'error',
  message: 'no more pods can start here: none left',
  remedy: "see 'weft ipam'",
};
const OVERLAP: Warning = { ...FULL, code: 'E_RANGE_OVERLAP', message: 'the pod range a overlaps b' };
const MTU: Warning = { ...FULL, code: 'W_UNDERLAY_MTU', severity: 'warning' };

const LATER = PATIENCE_MS.warning;

describe('WarningEvents', () => {
  let events: WarningEvents;
  let at: number;
  beforeEach(() => {
    events = new WarningEvents();
    at = 1_000_000;
  });
  const now = (): Instant => instant(at);
  const due = (warnings: readonly Warning[], isSpeaker = false): WarningEvent[] =>
    events.due(warnings, { isSpeaker, now: now() });
  /** All that is due is told. */
  const tell = (...warnings: Warning[]): string[] =>
    due(warnings).map((event) => {
      events.told(event, now());
      return `${event.code} ${event.before}`;
    });

  it('tells what stands for a while, errors sooner than warnings, and each once', () => {
    deepEqual(tell(FULL, MTU), []);
    at += PATIENCE_MS.error;
    deepEqual(tell(FULL, MTU), ['E_NO_POD_ADDRESS 0']);
    at += LATER - PATIENCE_MS.error;
    deepEqual(tell(FULL, MTU), ['W_UNDERLAY_MTU 0']);
    deepEqual(tell(FULL, MTU), []);
  });

  it('tells nothing of what came and went', () => {
    tell(FULL);
    at += PATIENCE_MS.error - 1;
    deepEqual(tell(), []);
    at += OVER_AFTER_MS;
    deepEqual(tell(), []);
    deepEqual(tell(FULL), []);
  });

  it('tells errors first', () => {
    due([MTU, FULL]);
    at += LATER;
    deepEqual(tell(MTU, FULL), ['E_NO_POD_ADDRESS 0', 'W_UNDERLAY_MTU 0']);
  });

  it('counts up what goes on, before the API forgets it', () => {
    tell(FULL);
    at += PATIENCE_MS.error;
    tell(FULL);
    at += REPEAT_EVERY_MS - 1;
    deepEqual(tell(FULL), []);
    at += 1;
    deepEqual(tell(FULL), ['E_NO_POD_ADDRESS 1']);
    at += REPEAT_EVERY_MS;
    deepEqual(tell(FULL), ['E_NO_POD_ADDRESS 2']);
  });

  it('takes a warning that comes and goes for one', () => {
    tell(FULL);
    at += PATIENCE_MS.error;
    tell(FULL);
    for (let i = 0; i < 20; i++) {
      at += 30_000;
      deepEqual(tell(...(i % 2 === 0 ? [] : [FULL])), []);
    }
  });

  it('tells anew what was over', () => {
    tell(FULL);
    at += PATIENCE_MS.error;
    tell(FULL);
    at += OVER_AFTER_MS;
    tell();
    tell(FULL);
    at += PATIENCE_MS.error;
    deepEqual(tell(FULL), ['E_NO_POD_ADDRESS 0']);
  });

  it('tells anew what says something else now, but seldom, and not for another number of seconds', () => {
    const stranger = (from: string, seconds: number): Warning => ({
      ...MTU,
      code: 'W_STRANGER_REFUSED',
      message: `${from} connected ${seconds} s ago`,
    });
    due([stranger('a', 1)]);
    at += LATER;
    equal(tell(stranger('a', 2)).length, 1);
    at += CHANGE_EVERY_MS - 1;
    deepEqual(tell(stranger('b', 3)), []);
    at += 1;
    deepEqual(tell(stranger('a', 700)), []);
    deepEqual(tell(stranger('b', 3)), ['W_STRANGER_REFUSED 0']);
  });

  it('leaves what concerns the cluster to one node', () => {
    due([OVERLAP]);
    at += PATIENCE_MS.error;
    deepEqual(due([OVERLAP]), []);
    deepEqual(
      due([OVERLAP], true).map(({ subject }) => subject),
      ['cluster'],
    );
  });

  it('tells nothing of an API that does not answer', () => {
    const away: Warning = { ...FULL, code: 'E_API_UNREACHED' };
    due([away]);
    at += REPEAT_EVERY_MS;
    deepEqual(due([away], true), []);
  });

  it('puts all warnings of one code into one note that the API takes', () => {
    const many = Array.from({ length: 200 }, (_, i) => ({
      ...FULL,
      message: `pod ${i} \u{1f600}\u001b[31m`,
    }));
    due(many);
    at += PATIENCE_MS.error;
    const [event, ...others] = due(many);
    deepEqual(others, []);
    ok(Buffer.byteLength(event!.note) <= 1024);
    match(event!.note, /^pod 0 .*\. pod 1 .*\(and \d+ more, see 'weft status'\)$/);
    ok(!event!.note.includes('\u001b'), 'no escapes for terminals');
    const long = { ...FULL, code: 'E_GATE', message: 'ä'.repeat(3000) };
    due([long]);
    at += PATIENCE_MS.error;
    const [cut] = due([long]);
    ok(Buffer.byteLength(cut!.note) <= 1024);
    ok(cut!.note.length > 400);
  });

  it('bounds how many are told', () => {
    let admitted = 0;
    for (let i = 0; i < 100; i++) if (events.admit(now())) admitted++;
    equal(admitted, 5);
    at += 60_000;
    equal(events.admit(now()), true);
    equal(events.admit(now()), false);
  });
});

describe('eventSubject', () => {
  it('is of the node for what no table declares', () => equal(eventSubject('E_DISK_FULL'), 'node'));

  it('knows no code that is not declared', () => {
    const declared = WARNING_SECTIONS.flatMap(({ table }) => Object.keys(table));
    ok(declared.filter((code) => eventSubject(code) === 'cluster').length > 10);
    ok(declared.filter((code) => eventSubject(code) === 'nobody').length > 3);
  });
});

describe('the event', () => {
  const teller = { nodeName: 'n1', namespace: 'weft', daemonSetUid: 'u-1', at: 1_700_000_000_123 };
  const event: WarningEvent = { code: 'E_NO_POD_ADDRESS', subject: 'node', note: 'words', before: 0 };

  it('is on the Node for what concerns it', () => {
    const made = eventObject(event, teller);
    const { name, ...place } = eventPlace(event, teller);
    deepEqual(place, { namespace: 'default', path: '/apis/events.k8s.io/v1/namespaces/default/events' });
    match(name, /^n1\.weftd\.[0-9a-f]{8}$/);
    deepEqual(made, {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name, namespace: 'default' },
      eventTime: '2023-11-14T22:13:20.123000Z',
      reportingController: 'weftd',
      reportingInstance: 'n1',
      action: 'Warn',
      reason: 'NoPodAddress',
      type: 'Warning',
      note: 'words',
      regarding: { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'n1' },
    });
  });

  it('is on the DaemonSet for what concerns all', () => {
    const { metadata, regarding } = eventObject({ ...event, subject: 'cluster' }, teller);
    match(JSON.stringify(metadata), /"name":"weft\.weftd\.[0-9a-f]{8}","namespace":"weft"/);
    deepEqual(regarding, {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      namespace: 'weft',
      name: 'weft',
      uid: 'u-1',
    });
  });

  it('has one name for the same words', () => {
    equal(eventPlace(event, teller).name, eventPlace({ ...event, before: 7 }, teller).name);
    ok(eventPlace(event, teller).name !== eventPlace({ ...event, note: 'others' }, teller).name);
  });

  it('is counted up by its series', () => {
    deepEqual(seriesPatch(3, teller.at), {
      series: { count: 3, lastObservedTime: '2023-11-14T22:13:20.123000Z' },
    });
    deepEqual(
      [timesSeen({}), timesSeen({ series: { count: 4 } }), timesSeen({ series: { count: -1 } })],
      [1, 4, 1],
    );
  });
});
