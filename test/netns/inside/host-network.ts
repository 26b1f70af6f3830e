// Brings the host's network of the namespace it runs in to the settings given, as the daemon does.
//   host-network.ts up SETTINGS [hold]    SETTINGS: JSON {ranges: [cidr], addresses: [text], mtu, masquerade}; prints
//                                         {"offloads"}; with "hold" it then keeps the TUN open until it is killed
//   host-network.ts remove
//   host-network.ts overlap CIDR…         prints the WeftError or null
//   host-network.ts survey CIDR ADDRESS   prints own addresses and the MTU towards ADDRESS
import { formatAddress, parseAddress } from '../../../base/address.ts';
import { parseCidr } from '../../../base/range.ts';
import { WeftError } from '../../../base/weft-error.ts';
import { isHostLinkName } from '../../../cni/host-link-name.ts';
import { removeGround, repairHost } from '../../../ground/host-kernel.io.ts';
import { refuseOverlap, surveyHost, underlayMtu } from '../../../linux/host-survey.io.ts';
import { advertisableAddresses } from '../../../linux/host-survey.ts';
import { applyRules } from '../../../linux/nftables.io.ts';
import { RouteClient } from '../../../linux/rtnetlink/route-client.io.ts';
import { Sysctl } from '../../../linux/sysctl.io.ts';
import { openTun } from '../../../native/tun.ts';

const OWN = { tun: 'weft0', podPrefix: 'wv' };
const [mode, ...rest] = process.argv.slice(2);
const client = RouteClient.open();
const print = (value: unknown): void => console.log(JSON.stringify(value));

try {
  if (mode === 'up') {
    const given = JSON.parse(rest[0]!) as {
      ranges: string[];
      addresses: string[];
      mtu: number;
      masquerade?: boolean;
    };
    const ranges = given.ranges.map((text) => parseCidr(text)!);
    const addresses = given.addresses.map((text) => parseAddress(text)!);
    const tun = openTun(OWN.tun);
    await applyRules({ ...OWN, ranges, masquerade: given.masquerade ?? true, port: 6783 });
    await repairHost({ client, sysctl: new Sysctl() }, { ...OWN, ranges, addresses, mtu: given.mtu });
    print({ offloads: tun.offloads });
    if (rest[1] === 'hold') setInterval(() => undefined, 1000);
    else tun.close();
  } else if (mode === 'remove') {
    await removeGround(client, OWN, { pods: isHostLinkName });
    print('removed');
  } else if (mode === 'overlap') {
    await refuseOverlap(
      client,
      rest.map((text) => parseCidr(text)!),
      OWN,
    );
    print(null);
  } else if (mode === 'survey') {
    const own = advertisableAddresses(await surveyHost(client), [parseCidr(rest[0]!)!], OWN);
    const mtu = await underlayMtu(client, parseAddress(rest[1]!)!);
    print({ addresses: own.map(formatAddress), mtu: mtu ?? null });
  }
} catch (error) {
  if (!(error instanceof WeftError)) throw error;
  print({ code: error.code, message: error.message, remedy: error.remedy });
} finally {
  client.close();
}
