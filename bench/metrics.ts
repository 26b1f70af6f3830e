/**
 * What metrics cost: a weftd with `--metrics-listen` beside one without, left alone at the same time. Then the first is
 * asked every 1.1 s, as by many a Prometheus, and after that by a host that connects as fast as it can. Prints one JSON
 * line: memory more than without, milliseconds of CPU a scrape, and how long `weft status` takes under that flood beside
 * how long it takes without.
 *
 * `bin/weft-node bench/metrics.ts [rounds, default 5 [scrapes, default 15]]`
 */
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { askDaemon } from '../control/control-client.io.ts';
import { type RunningWeftd, WeftdHost } from '../test/netns/weftd-host.ts';
import { type ProcessFigures, processFigures } from './process-figures.ts';
import { percentile, report, rounded, spread } from './report.ts';

const ATTACKER = fileURLToPath(new URL('../test/netns/inside/metrics-attacker.ts', import.meta.url));
const PORT = '6782';
const SETTLE_MS = 5_000;
/** Longer than an answer is given again. */
const SCRAPE_EVERY_MS = 1_100;
const FLOOD_CONNECTIONS = '50';
const QUESTIONS = 100;
const TARGETS = { megabytes: 12 } as const;

const rounds = Number(process.argv[2] ?? 5);
const scrapes = Number(process.argv[3] ?? 15);

/** What the one with metrics needs more than the other. */
interface Figures {
  readonly unaskedMegabytes: number;
  readonly askedMegabytes: number;
  readonly cpuMsAScrape: number;
  readonly statusMs: number;
  readonly statusFloodedMs: number;
  readonly floodedCpuPercent: number;
}

const all: Figures[] = [];
for (let i = 0; i < rounds; i++) all.push(await round());
const each = (name: keyof Figures) => spread(all.map((figures) => figures[name]));
const askedMegabytes = each('askedMegabytes');
report('metrics', {
  rounds,
  scrapes,
  unaskedMegabytes: each('unaskedMegabytes'),
  askedMegabytes,
  cpuMsAScrape: each('cpuMsAScrape'),
  statusP99Ms: each('statusMs'),
  statusP99FloodedMs: each('statusFloodedMs'),
  floodedCpuPercent: each('floodedCpuPercent'),
  targets: TARGETS,
  ratioToTarget: rounded(askedMegabytes.median / TARGETS.megabytes),
});

async function round(): Promise<Figures> {
  const hosts = await Promise.all([WeftdHost.create(), WeftdHost.create()]);
  const [on, off] = hosts;
  try {
    const serve = () =>
      Promise.all([on.serve(on.args({ '--metrics-listen': `127.0.0.1:${PORT}` })), off.serve(off.args())]);
    // Node.js keeps what it made of sources when it ends by itself. One that finds nothing kept loads what makes it anew.
    for (const weftd of await serve()) await weftd.stop();
    const [with_, without] = await serve();
    const more = (figure: (figures: ProcessFigures) => number): number =>
      figure(look(with_)) - figure(look(without));
    const memory = ({ proportionalMegabytes }: ProcessFigures): number => proportionalMegabytes;
    const cpu = ({ cpuSeconds }: ProcessFigures): number => cpuSeconds;
    await pause(SETTLE_MS);
    const unaskedMegabytes = more(memory);
    const cpuBefore = more(cpu);
    for (let i = 0; i < scrapes; i++) {
      await on.namespace.run('curl', '-sf', '-o', '/dev/null', `http://127.0.0.1:${PORT}/metrics`);
      await pause(SCRAPE_EVERY_MS);
    }
    const cpuMsAScrape = (1000 * (more(cpu) - cpuBefore)) / scrapes;
    const askedMegabytes = more(memory);
    const statusMs = await ask(on);
    const attacker = on.namespace.startProgram(ATTACKER, ['flood', '127.0.0.1', PORT, FLOOD_CONNECTIONS]);
    await once(attacker.stdout!, 'data');
    const before = look(with_);
    const statusFloodedMs = await ask(on);
    const after = look(with_);
    await on.namespace.stop(attacker);
    const floodedCpuPercent =
      (100 * (after.cpuSeconds - before.cpuSeconds)) / ((after.at - before.at) / 1000);
    return { unaskedMegabytes, askedMegabytes, cpuMsAScrape, statusMs, statusFloodedMs, floodedCpuPercent };
  } finally {
    for (const host of hosts) await host.destroy();
  }
}

function look(weftd: RunningWeftd): ProcessFigures {
  return processFigures(weftd.child.pid!);
}

/** What 99 of 100 questions for the status take at most. */
async function ask(host: WeftdHost): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < QUESTIONS; i++) {
    const start = performance.now();
    await askDaemon<'status'>(host.path('run'), { op: 'status' });
    times.push(performance.now() - start);
    await pause(50);
  }
  return percentile(times, 0.99);
}
