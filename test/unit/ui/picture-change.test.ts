import { deepEqual, equal } from 'node:assert/strict';
import type { Picture } from '../../../ui/picture/picture.ts';
import { pictureChange } from '../../../ui/picture/picture-change.ts';
import { PictureMaker } from '../../../ui/picture/picture-maker.ts';
import { drop, flows, pair, peersOf, pod, reportOf, totals } from './ui-fixtures.ts';

const RED = pod('red/web', '10.32.0.2');
const BLUE = pod('blue/db', '10.40.0.2', 'n2');
const GREEN = pod('green/cache', '10.40.0.9', 'n2');

/** What a page makes of a change. */
function applied(picture: Picture, change: ReturnType<typeof pictureChange>): Picture {
  const rows = <Row extends { id: string }>(
    before: readonly Row[],
    of: { readonly set: readonly Row[]; readonly gone: readonly string[] } | undefined,
  ): Row[] => {
    const byId = new Map(before.map((row) => [row.id, row]));
    for (const id of of?.gone ?? []) byId.delete(id);
    for (const row of of?.set ?? []) byId.set(row.id, row);
    return [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  };
  return {
    ...change.head,
    nodes: rows(picture.nodes, change.nodes),
    tunnels: rows(picture.tunnels, change.tunnels),
    workloads: rows(picture.workloads, change.workloads),
    edges: rows(picture.edges, change.edges),
    denied: [...picture.denied, ...(change.denied ?? [])],
    series: picture.series,
  };
}

describe('a change of the picture', () => {
  it('leads from the one before to the one after, and holds only what is other', () => {
    const maker = new PictureMaker({ 'rules.dropForeign': 'Injected.' });
    maker.takeReport(reportOf({ 'rules.dropForeign': 1 }), 0);
    maker.takePeers(peersOf(), 0);
    maker.takeTotals(totals([pair(RED, BLUE), pair(BLUE, GREEN)]), 0);
    const before = maker.picture(1_000);
    maker.takeReport(reportOf({ 'rules.dropForeign': 21 }), 10_000);
    maker.takePeers(peersOf({ sentBytes: 11_000, rttMs: 0.9 }), 10_000);
    maker.takeTotals(totals([pair(RED, BLUE), pair(BLUE, GREEN, { began: 99 })]), 10_000);
    maker.takeFlows(flows([drop(RED, GREEN, [])]), 10_000);
    const after = maker.picture(11_000);
    const change = pictureChange(before, after);
    const { series } = after;
    deepEqual({ ...applied(before, change), series }, applied(after, pictureChange(after, after)));
    deepEqual(
      change.edges?.set.map(({ id }) => id),
      ['w:blue/db>w:green/cache', 'w:red/web>w:green/cache'],
    );
    deepEqual([change.workloads, change.nodes], [undefined, undefined]);
    deepEqual(
      change.tunnels?.set.map(({ rttMs, sentBytesPerS }) => [rttMs, sentBytesPerS]),
      [[0.9, 1000]],
    );
    equal(change.denied?.length, 1);
    deepEqual(
      change.point?.lines.filter(({ value }) => value !== null).map(({ id, value }) => [id, value]),
      [
        ['open', 2],
        ['began', 11.9],
        ['denied', 0],
        ['sent', 200],
        ['received', 1000],
        ['rtt', 0.9],
        ['tunnelSent', 1000],
        ['tunnelReceived', 0],
        ['drop:rules.dropForeign', 2],
      ],
    );
  });

  it('of rows that went names their ids', () => {
    const maker = new PictureMaker({});
    maker.takeTotals(totals([pair(RED, BLUE)]), 0);
    const before = maker.picture(0);
    maker.takeTotals(totals([]), 600_001);
    const { workloads, edges } = pictureChange(before, maker.picture(600_001));
    deepEqual(
      [workloads, edges],
      [
        { set: [], gone: ['w:red/web', 'w:blue/db'] },
        { set: [], gone: ['w:red/web>w:blue/db'] },
      ],
    );
  });

  it('says how weftd is away, and keeps what was known', () => {
    const maker = new PictureMaker({});
    maker.takeReport(reportOf(), 0);
    maker.takeTotals(totals([pair(RED, BLUE)]), 0);
    const before = maker.picture(0);
    maker.takeAway('no weftd answers');
    const after = maker.picture(2_000);
    deepEqual([after.away, after.edges], ['no weftd answers', before.edges]);
    equal(after.series.lines.find(({ id }) => id === 'open')?.values.at(-1), null);
  });
});
