import { deepEqual, equal, match } from 'node:assert/strict';
import { Counters } from '../../../../base/counters.ts';
import { parseEndpoint } from '../../../../base/endpoint.ts';
import { instant } from '../../../../base/instant.ts';
import { Log } from '../../../../host/log.ts';
import type { Metric } from '../../../../host/metrics/metric.ts';
import { METRICS_COUNTERS } from '../../../../host/metrics/metrics-counters.ts';
import { MetricsPort } from '../../../../host/metrics/metrics-port.io.ts';

const AT = parseEndpoint('127.0.0.1:36782')!;
const METRICS: readonly Metric<number>[] = [
  { name: 'weft_reads', type: 'gauge', help: 'Reads.', labels: [], read: (value) => [{ value }] },
];

describe('MetricsPort', () => {
  const ports: MetricsPort<number>[] = [];
  const lines: string[] = [];
  let reads = 0;
  let counters = new Counters(METRICS_COUNTERS);

  const open = async (read?: () => Promise<number>): Promise<MetricsPort<number>> => {
    const port = new MetricsPort<number>(AT, {
      metrics: METRICS,
      read: read ?? (async () => ++reads),
      counters,
      log: new Log(
        { write: (line) => lines.push(line), now: () => instant(0), date: () => 'DATE' },
        { level: 'info', format: 'text' },
      ),
    });
    ports.push(port);
    await port.start();
    return port;
  };
  beforeEach(() => {
    reads = 0;
    lines.length = 0;
    counters = new Counters(METRICS_COUNTERS);
  });
  afterEach(() => {
    for (const port of ports.splice(0)) port.close();
  });

  it('answers at /metrics in the format of Prometheus, and nowhere else', async () => {
    const port = await open();
    deepEqual(port.warnings(), []);
    const answer = await fetch(`http://${AT}/metrics`);
    equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    match(await answer.text(), /^weft_reads 1$/m);
    equal((await fetch(`http://${AT}/`)).status, 404);
    equal((await fetch(`http://${AT}/metrics`, { method: 'POST' })).status, 405);
  });

  it('reads once for all who ask within a second', async () => {
    await open();
    const texts = await Promise.all(
      Array.from({ length: 10 }, async () => (await fetch(`http://${AT}/metrics`)).text()),
    );
    deepEqual([reads, new Set(texts).size, counters.get('metrics.read')], [1, 1, 1]);
  });

  it('says that it could not read, and reads again', async () => {
    const port = await open(async () => {
      throw new Error('the disk');
    });
    const answer = await fetch(`http://${AT}/metrics`);
    deepEqual([answer.status, await answer.text()], [500, 'the metrics could not be read; see the log\n']);
    equal(counters.get('metrics.failed'), 1);
    match(lines.join('\n'), /the disk/);
    deepEqual(port.warnings(), []);
  });

  it('warns where the port is taken, for as long as it is', async () => {
    await open();
    const other = await open();
    deepEqual(
      other.warnings().map(({ code, message }) => [code, message]),
      [['W_METRICS_PORT', `there are no metrics: TCP ${AT} cannot be listened on (EADDRINUSE)`]],
    );
    match(lines.join('\n'), /warn there are no metrics fault=.*cannot be listened on/);
    ports[0]!.close();
    await other.start();
    deepEqual(other.warnings(), []);
    equal((await fetch(`http://${AT}/metrics`)).status, 200);
  });
});
