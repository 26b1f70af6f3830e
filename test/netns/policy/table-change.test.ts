import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { renderPolicyChange } from '../../../linux/policy-change.ts';
import type { DropSettings } from '../../../linux/policy-rules.ts';
import { renderPolicyTable } from '../../../linux/policy-table.ts';
import { seededRandom } from '../../seeded-random.ts';
import { RandomWorld } from '../../unit/npc/random-world.ts';
import { Namespace } from '../namespaces.ts';

const CHANGING_TABLE = fileURLToPath(new URL('./inside/changing-table.ts', import.meta.url));
const LARGE_TABLE = fileURLToPath(new URL('./inside/large-table.ts', import.meta.url));

/** A table by what counts: no handles, no counts, elements and objects in one order, rules in theirs. */
function normalised(listing: string): unknown {
  const { nftables } = JSON.parse(listing) as { nftables: Record<string, Record<string, unknown>>[] };
  const ruleCount = new Map<unknown, number>();
  return nftables
    .flatMap((entry) => Object.entries(entry))
    .filter(([kind]) => kind !== 'metainfo')
    .map(([kind, { handle: _, packets: __, bytes: ___, ...rest }]) => {
      if (Array.isArray(rest.elem)) rest.elem = rest.elem.map((each) => JSON.stringify(each)).sort();
      if (kind !== 'rule') return [kind, String(rest.name), '', rest];
      const place = ruleCount.get(rest.chain) ?? 0;
      ruleCount.set(rest.chain, place + 1);
      return [kind, String(rest.chain), String(place).padStart(6, '0'), rest];
    })
    .sort((a, b) => (a.slice(0, 3).join() < b.slice(0, 3).join() ? -1 : 1));
}

describe('the table of policies in the kernel', () => {
  let changed: Namespace;
  let whole: Namespace;

  before(async () => {
    changed = await Namespace.create('pt');
    whole = await Namespace.create('pt');
  });

  after(async () => {
    for (const namespace of [changed, whole]) await namespace?.delete();
  });

  async function load(namespace: Namespace, batch: string): Promise<void> {
    const { code, stderr } = await namespace.attempt('nft', ['-f', '-'], batch);
    assert.equal(code, 0, `${stderr.slice(0, 2000)}\n${batch.slice(0, 6000)}`);
  }

  async function list(namespace: Namespace): Promise<unknown> {
    return normalised(await namespace.run('nft', '-j', 'list', 'table', 'inet', 'weft-npc'));
  }

  const settings: readonly (readonly [string, DropSettings])[] = [
    ['with a log and answers', { reject: true, log: { group: 86, packetsPerSecond: 10 } }],
    ['without', { reject: false, log: undefined }],
  ];
  for (const [title, drops] of settings) {
    it(`is the same by small changes as by a full load, whatever changes, ${title}`, async () => {
      for (let seed = 1; seed <= 3; seed++) {
        const world = new RandomWorld(seededRandom(seed * 77), drops);
        for (let i = 0; i < 25; i++) world.step();
        let before = world.compiler.ruleSet();
        await load(changed, renderPolicyTable(before));
        let largest = 0;
        for (let i = 0; i < 25; i++) {
          for (let j = 0; j <= i % 4; j++) world.step();
          const after = world.compiler.ruleSet();
          const batch = renderPolicyChange(before, after);
          if (batch !== '') await load(changed, batch);
          largest = Math.max(largest, batch.split('\n').length);
          before = after;
          if (i % 3 > 0) continue;
          await load(whole, renderPolicyTable(after));
          assert.deepEqual(await list(changed), await list(whole), `seed ${seed}, step ${i}`);
        }
        assert.ok(largest > 5, 'something changed');
      }
    });
  }

  it('is the same by what weft-npc tells the kernel itself as by nft, and known as its own', async function () {
    this.timeout(120_000);
    const { drops, steps } = { drops: settings[0]![1], steps: 80 };
    for (let seed = 1; seed <= 3; seed++) {
      const said = await changed.program(CHANGING_TABLE, String(seed), String(steps), JSON.stringify(drops));
      const { stirs, loads } = said as { stirs: number; loads: number };
      assert.equal(stirs, 0);
      const marker = await changed.run('nft', 'list', 'chain', 'inet', 'weft-npc', 'loaded');
      const byNft = Number(/change (\d+)/.exec(marker)![1]);
      assert.ok(loads > steps / 2 && byNft < loads * 0.75, `${byNft} of ${loads} by nft`);
      const world = new RandomWorld(seededRandom(seed), drops);
      for (let i = 0; i < steps; i++) world.step();
      await load(whole, renderPolicyTable(world.compiler.ruleSet()));
      await changed.run('nft', 'flush', 'chain', 'inet', 'weft-npc', 'loaded');
      await changed.run('nft', 'delete', 'chain', 'inet', 'weft-npc', 'loaded');
      assert.deepEqual(await list(changed), await list(whole), `seed ${seed}`);
    }
  });

  it('is loaded where no file names the protocols, as in the image', async () => {
    const hidden = 'mount --bind /dev/null /etc/protocols && exec nft -f -';
    for (let seed = 1; seed <= 3; seed++) {
      const world = new RandomWorld(seededRandom(seed), settings[0]![1]);
      for (let i = 0; i < 40; i++) world.step();
      const batch = renderPolicyTable(world.compiler.ruleSet());
      const { code, stderr } = await whole.attempt('unshare', ['--mount', 'sh', '-c', hidden], batch);
      assert.equal(code, 0, stderr.slice(0, 2000));
    }
  });

  it('takes 20,000 blocks, overlapping and twice, and the change of one', async () => {
    const world = new RandomWorld(seededRandom(5), { reject: false, log: undefined });
    for (let i = 0; i < 30; i++) world.step();
    const before = world.compiler.ruleSet();
    await load(changed, renderPolicyTable(before));
    world.putPolicy('x/huge', { podSelector: {}, egress: [{ to: hugeList(20_000) }] });
    const after = world.compiler.ruleSet();
    const sizes = [...after.sets.values()]
      .filter(({ interval }) => interval)
      .map(({ elements }) => elements.size);
    assert.ok(Math.max(...sizes) > 5000, 'the list is loaded');
    await load(changed, renderPolicyChange(before, after));
    world.putPolicy('x/huge', { podSelector: {}, egress: [{ to: hugeList(19_999) }] });
    await load(changed, renderPolicyChange(after, world.compiler.ruleSet()));
    await load(whole, renderPolicyTable(world.compiler.ruleSet()));
    assert.deepEqual(await list(changed), await list(whole));
  });

  it('takes 1,000 policies on every pod of a namespace, and one more', async () => {
    const world = new RandomWorld(seededRandom(6), { reject: false, log: undefined });
    for (let i = 0; i < 30; i++) world.step();
    const spec = (port: number): object => ({
      podSelector: {},
      ingress: [{ ports: [{ port }] }],
      egress: [{}],
    });
    const local = world.links.find(({ link }) => world.compiler.podAt(link) !== undefined);
    const namespace = world.compiler.podAt(local!.link)!.namespace;
    for (let i = 0; i < 1000; i++) world.putPolicy(`${namespace}/many-${i}`, spec(i + 1));
    const before = world.compiler.ruleSet();
    const longest = Math.max(...[...before.chains.values()].map((rules) => rules.length));
    assert.ok(longest > 1000, 'some pod is selected');
    await load(changed, renderPolicyTable(before));
    world.putPolicy(`${namespace}/one-more`, spec(2000));
    await load(changed, renderPolicyChange(before, world.compiler.ruleSet()));
    await load(whole, renderPolicyTable(world.compiler.ruleSet()));
    assert.deepEqual(await list(changed), await list(whole));
  });

  it('is known as our own though the kernel tells of a hundred thousand elements at once', async function () {
    this.timeout(120_000);
    const said = await changed.program(LARGE_TABLE, '100000');
    assert.deepEqual(said, { stirs: 0, loaded: 100_001 });
  });
});

/** Every second block stands apart, every tenth comes twice, every hundredth lies in a larger one. */
function hugeList(length: number): object[] {
  return Array.from({ length }, (_, i) => {
    const n = i % 10 === 9 ? i - 1 : i;
    const cidr = i % 100 === 50 ? `20.${n >> 8}.0.0/20` : `20.${n >> 7}.${(n << 1) & 255}.0/24`;
    return { ipBlock: { cidr } };
  });
}
