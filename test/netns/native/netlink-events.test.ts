import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { eventually, Namespace } from '../namespaces.ts';

const LISTENER = fileURLToPath(new URL('../inside/event-listener.ts', import.meta.url));
const WEFT_NODE = fileURLToPath(new URL('../../../bin/weft-node', import.meta.url));

interface RulesetLine {
  readonly program: string;
  readonly pid: number;
  readonly whole: boolean;
  readonly tables: readonly string[];
}

describe('events of the kernel', () => {
  let host: Namespace;
  let listener: ChildProcess;
  let seen: (string | RulesetLine)[];

  beforeEach(async () => {
    host = await Namespace.create('ev');
    await host.run('ip', 'link', 'add', 'br0', 'type', 'bridge');
    await host.run('ip', 'link', 'set', 'br0', 'up');
    await host.run('ip', 'address', 'add', '192.0.2.1/24', 'dev', 'br0');
    listener = host.startProgram(LISTENER);
    seen = [];
    listener.stderr!.pipe(process.stderr);
    createInterface({ input: listener.stdout! }).on('line', (line) => {
      seen.push(JSON.parse(line) as string | RulesetLine);
    });
    await eventually('it listens', () => seen.includes('ready'));
    seen.length = 0;
  });

  afterEach(() => host.delete());

  /** Waits until each of `wanted` was told. */
  const told = (...wanted: readonly string[]): Promise<void> =>
    eventually(`${wanted.join(', ')} among ${JSON.stringify(seen)}`, () =>
      wanted.every((line) => seen.includes(line)),
    );
  const nft = async (rules: string): Promise<void> => {
    const outcome = await host.attempt('nft', ['--file', '-'], rules);
    assert.equal(outcome.code, 0, outcome.stderr);
  };
  const rulesets = (): RulesetLine[] => seen.filter((line) => typeof line !== 'string');

  it('tell of routes that somebody sets and flushes, each with its table', async () => {
    await host.run('ip', 'route', 'add', '10.32.0.0/12', 'dev', 'br0', 'proto', '87');
    await host.run('ip', '-6', 'route', 'add', 'blackhole', 'fd00:77::/64', 'table', '100');
    await told('route set: 10.32.0.0/12 table 254', 'route set: fd00:77::/64 table 100');
    await host.run('ip', 'route', 'flush', 'proto', '87');
    await host.run('ip', '-6', 'route', 'flush', 'table', '100');
    await told('route deleted: 10.32.0.0/12 table 254', 'route deleted: fd00:77::/64 table 100');
  });

  it('tell of a link that goes down and up; its IPv4 routes go with no word of their own', async () => {
    await host.run('ip', 'route', 'add', '10.32.0.0/12', 'dev', 'br0');
    await told('route set: 10.32.0.0/12 table 254');
    await host.run('ip', 'link', 'set', 'br0', 'down');
    await told('link set: br0 down');
    await host.run('ip', 'link', 'set', 'br0', 'up');
    await told('link set: br0 up');
    assert.equal(await host.run('ip', 'route', 'show', '10.32.0.0/12'), '', 'the route is gone');
    assert.ok(!seen.includes('route deleted: 10.32.0.0/12 table 254'));
    await host.run('ip', 'link', 'delete', 'br0');
    await told('link deleted: br0 down');
  });

  it('tell of addresses, rules, fixed neighbours and forwarding', async () => {
    await host.run('ip', 'address', 'add', '198.51.100.7/32', 'dev', 'br0');
    await host.run('ip', 'address', 'delete', '198.51.100.7/32', 'dev', 'br0');
    await host.run('ip', 'rule', 'add', 'from', '10.32.0.0/12', 'lookup', '77', 'priority', '90');
    await host.run('ip', 'rule', 'delete', 'priority', '90');
    await host.run('ip', 'neighbour', 'add', '192.0.2.9', 'lladdr', '02:00:00:00:00:09', 'dev', 'br0');
    await host.run('ip', 'neighbour', 'delete', '192.0.2.9', 'dev', 'br0');
    await host.run('sysctl', '-qw', 'net.ipv4.ip_forward=1');
    await host.run('sysctl', '-qw', 'net.ipv4.ip_forward=0');
    await host.run('sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1');
    await told(
      'address set: 198.51.100.7/32',
      'address deleted: 198.51.100.7/32',
      'rule set: 90 from 10.32.0.0/12 lookup 77',
      'rule deleted: 90 from 10.32.0.0/12 lookup 77',
      'neighbour set: 192.0.2.9 permanent',
      // The kernel takes it out of use before it deletes it.
      'neighbour deleted: 192.0.2.9 learned',
      'netconf set: all IPv4 forwarding 1',
      'netconf set: all IPv4 forwarding 0',
      'netconf set: all IPv6 forwarding 1',
    );
  });

  it('tell of an interface that joins and leaves a bridge, and do not call it deleted', async () => {
    await host.run('ip', 'link', 'add', 'va', 'type', 'veth', 'peer', 'name', 'vb');
    await host.run('ip', 'link', 'set', 'va', 'master', 'br0');
    await host.run('ip', 'link', 'set', 'va', 'nomaster');
    await host.run('ip', 'link', 'set', 'va', 'up');
    await told('link set: va up');
    assert.deepEqual(
      seen.filter((line) => typeof line === 'string' && line.startsWith('link deleted')),
      [],
    );
    assert.ok(seen.includes('other deleted: 17'), 'RTM_DELLINK of the bridge');
  });

  it('tell which tables a change of nftables touched, and who made it', async () => {
    const rules = `table inet weft {
      set pods { type ipv4_addr; }
      chain forward { type filter hook forward priority 0; ip saddr @pods counter drop; }
    }`;
    await nft(rules);
    await host.run('nft', 'add', 'table', 'ip', 'other');
    await host.run('nft', 'add', 'element', 'inet', 'weft', 'pods', '{', '10.32.0.1', '}');
    await host.run('nft', 'flush', 'ruleset');
    await eventually('four changes', () => rulesets().length === 4);
    assert.deepEqual(
      rulesets().map(({ tables }) => tables),
      [
        ['inet weft set: chain rule set'],
        ['ip other set: '],
        ['inet weft: element'],
        ['inet weft deleted: chain rule set', 'ip other deleted: '],
      ],
    );
    assert.ok(rulesets().every(({ program, pid, whole }) => program === 'nft' && pid > 0 && whole));
  });

  it('tell of a table that is replaced in one step', async () => {
    const replacement = `table inet weft
    delete table inet weft
    table inet weft {
      chain c { }
    }`;
    await nft(replacement);
    await nft(replacement);
    await eventually('two changes', () => rulesets().length === 2);
    assert.deepEqual(rulesets()[1]!.tables, ['inet weft set deleted: chain']);
  });

  it('tell that some were lost, after the last that was kept, so that reading anew misses nothing', async () => {
    const count = 4000;
    const outcome = (await host.program(LISTENER, 'overrun', String(count))) as Record<string, number>;
    assert.ok(outcome.events! < count, 'the buffer was too small');
    assert.equal(outcome.losses, 1);
    assert.equal(outcome.events, outcome.eventsAtLoss! + 1, 'only the deletion comes after it');
    assert.equal(outcome.readAfterLoss, count + 1, 'and the route of the address');
    assert.equal(outcome.known, count, 'events go on');
    assert.ok(outcome.utilization! < 0.5, `and nothing spins: ${outcome.utilization}`);
  });

  it('of routing are for everybody, those of nftables need CAP_NET_ADMIN', async () => {
    assert.deepEqual(await host.program(LISTENER, 'refused'), { route: 'none', nftables: 'none' });
    const without = ['--bounding-set', '-all', '--inh-caps', '-all', WEFT_NODE, LISTENER, 'refused'];
    const denied = await host.attempt('setpriv', without);
    assert.deepEqual(JSON.parse(denied.stdout), { route: 'none', nftables: 'EPERM' }, denied.stderr);
  });
});
