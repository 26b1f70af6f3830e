// Plays the daemon's part of an attach: waits for one routing socket of a pod's namespace, makes the veth pair over
// it with the far end in the namespace this program runs in, answers with what it saw as JSON, and ends.
// Usage: attach-server.ts SOCKET
import { closeSync, openSync, readFileSync } from 'node:fs';
import { parseAddress } from '../../../base/address.ts';
import { utf8 } from '../../../base/bytes.ts';
import { parseCidr } from '../../../base/range.ts';
import { addAddress } from '../../../linux/rtnetlink/interface-address.ts';
import { createVeth, setIpv4, setLink, withoutLinkLocal } from '../../../linux/rtnetlink/link.ts';
import { setNeighbour } from '../../../linux/rtnetlink/neighbour.ts';
import { addRoute, hostBlock } from '../../../linux/rtnetlink/route.ts';
import { RouteClient } from '../../../linux/rtnetlink/route-client.io.ts';
import { LocalSocket } from '../../../native/local-socket.ts';

const POD_MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const HOST_MAC = Uint8Array.of(2, 0, 0, 0, 0, 2);
const POD = { v4: parseAddress('10.32.0.5')!, v6: parseAddress('fd00:77::5')! };
const GATEWAY = { v4: parseAddress('169.254.1.1')!, v6: parseAddress('fe80::1')! };

async function attach(pod: RouteClient): Promise<unknown> {
  const host = RouteClient.open();
  const own = openSync('/proc/self/ns/net', 'r');
  try {
    await pod.execute(
      createVeth(
        { name: 'eth0', mac: POD_MAC, mtu: 1364 },
        { name: 'wv0', mac: HOST_MAC, mtu: 1364, namespace: { fd: own } },
      ),
    );
    const hostEnd = (await host.link('wv0'))!;
    await host.execute(
      withoutLinkLocal(hostEnd.index),
      setIpv4(hostEnd.index, { forwarding: 1, acceptRedirects: 0 }),
      setLink(hostEnd.index, { up: true, alias: 'pod one' }),
      addRoute({ destination: hostBlock(POD.v4), link: hostEnd.index }),
      addRoute({ destination: hostBlock(POD.v6), link: hostEnd.index }),
      setNeighbour(hostEnd.index, POD.v4, POD_MAC),
      setNeighbour(hostEnd.index, POD.v6, POD_MAC),
    );
    const podEnd = (await pod.link('eth0'))!;
    await pod.execute(
      setLink(podEnd.index, { up: true }),
      addAddress(podEnd.index, POD.v4, 32),
      addAddress(podEnd.index, POD.v6, 128),
      setNeighbour(podEnd.index, GATEWAY.v4, HOST_MAC),
      setNeighbour(podEnd.index, GATEWAY.v6, HOST_MAC),
      addRoute({
        destination: parseCidr('0.0.0.0/0')!,
        link: podEnd.index,
        gateway: GATEWAY.v4,
        onLink: true,
      }),
      addRoute({ destination: parseCidr('::/0')!, link: podEnd.index, gateway: GATEWAY.v6, onLink: true }),
    );
    return { podEnd: await pod.link('eth0'), hostEnd: await host.link('wv0'), capabilities: capabilities() };
  } finally {
    closeSync(own);
    host.close();
    pod.close();
  }
}

function capabilities(): string {
  return /^CapEff:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))![1]!;
}

const server = LocalSocket.listen(process.argv[2]!, (request) => {
  attach(RouteClient.adopt(request.fds[0]!))
    .then(
      (seen) => ({ ok: true, seen }),
      (error: unknown) => ({ ok: false, error: String(error) }),
    )
    .then((answer) => {
      request.answer(utf8(JSON.stringify(answer)));
      server.close();
    });
});
console.log('listening');
