import { parseArgs } from 'node:util';
import { type DatapathName, Transfers } from './transfers.ts';

/**
 * Sends much over TCP between two pods, half of it over IPv4 and half over IPv6, and compares the digest of what arrived.
 *
 *   bin/weft-node test/netns/datapath/long-transfer.ts [--gigabytes 16] [--mtu 1500] [--from fast] [--to fast] [--bad]
 *
 * `--bad`: over a cable that loses 3, doubles 10 and delays 5 of 1000 datagrams. Exit status 1 where anything differs.
 */
const { values } = parseArgs({
  options: {
    gigabytes: { type: 'string', default: '16' },
    mtu: { type: 'string', default: '1500' },
    from: { type: 'string', default: 'fast' },
    to: { type: 'string', default: 'fast' },
    bad: { type: 'boolean', default: false },
  },
});
const gigabytes = Number(values.gigabytes);
const mtu = Number(values.mtu);
const names = [values.from, values.to].filter(
  (name): name is DatapathName => name === 'fast' || name === 'sleeve',
);
if (!(gigabytes > 0) || !(mtu >= 1280) || names.length !== 2) {
  console.error('long-transfer: gigabytes, an MTU from 1280 on, and "fast" or "sleeve" are wanted');
  process.exit(2);
}
const transfers = await Transfers.create(mtu);
try {
  const [a, b] = await transfers.pods([names[0]!, names[1]!]);
  if (values.bad) await transfers.joinBadly({ lost: 30, twice: 100, late: 50 });
  for (const address of [b.v4, b.v6]) {
    await transfers.serve(b, address);
    const begun = performance.now();
    const { same } = await transfers.send(a, 'tcp', address, gigabytes * 500, gigabytes * 600_000);
    const seconds = (performance.now() - begun) / 1000;
    const gbit = (gigabytes * 4) / seconds;
    console.log(
      JSON.stringify({
        address,
        gigabytes: gigabytes / 2,
        mtu,
        names,
        same,
        seconds: Math.round(seconds),
        gbit,
      }),
    );
    if (same !== true) process.exitCode = 1;
  }
  if (values.bad) console.log(JSON.stringify(await transfers.endCable()));
} finally {
  await transfers.end();
}
