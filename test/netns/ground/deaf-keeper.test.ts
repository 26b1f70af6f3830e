import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { eventually, Namespace } from '../namespaces.ts';

const KEEPER = fileURLToPath(new URL('../inside/deaf-keeper.ts', import.meta.url));
const RULES = 'the packet rules (nftables table inet weft) were changed or removed';

describe('packet rules of whose change the kernel told nothing', () => {
  let host: Namespace;
  let keeper: ChildProcess;
  let told: string[];

  beforeEach(async () => {
    host = await Namespace.create('df');
    keeper = host.startProgram(KEEPER);
    told = [];
    keeper.stderr!.pipe(process.stderr);
    createInterface({ input: keeper.stdout! }).on('line', (line) => told.push(line));
    await eventually('it keeps the host', () => told.includes('ready'));
  });
  afterEach(() => host.delete());

  /** Has the keeper look, and repair this. */
  async function look(queue: number): Promise<void> {
    await host.run('ip', 'link', 'set', 'weft0', 'txqueuelen', String(queue));
    await eventually('a look', () => told.some((line) => line.includes(`a queue of ${queue} packets`)));
  }

  it('are put right by the look that is taken each minute', async () => {
    const before = await host.run('nft', '--stateless', 'list', 'table', 'inet', 'weft');
    await host.run('nft', 'flush', 'chain', 'inet', 'weft', 'sealed');
    await look(901);
    assert.ok(!told.includes(RULES), 'the minute is not over');
    keeper.stdin!.write('later\n');
    await eventually('the minute to be over', async () => {
      await host.run('ip', 'link', 'set', 'weft0', 'txqueuelen', '902');
      return told.includes(RULES);
    });
    assert.equal(await host.run('nft', '--stateless', 'list', 'table', 'inet', 'weft'), before);
  });
});
