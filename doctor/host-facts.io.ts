import { createSocket } from 'node:dgram';
import { closeSync, constants, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { WeftError } from '../base/weft-error.ts';
import { readForwardHindrances, readLegacyHindrances, readMasks } from '../ground/hindrances.io.ts';
import { surveyHost } from '../linux/host-survey.io.ts';
import { advertisableAddresses, findOverlap, type OwnLinks } from '../linux/host-survey.ts';
import { checkRules } from '../linux/nftables.io.ts';
import { RouteClient } from '../linux/rtnetlink/route-client.io.ts';
import { Sysctl } from '../linux/sysctl.io.ts';
import { HOST_SETTINGS, type HostFacts, type HostSetting, type HostSettings } from './host-facts.ts';

const TUN_DEVICE = '/dev/net/tun';

/** Looks at this host, and changes nothing. */
export async function readHostFacts(
  settings: HostSettings,
  own: OwnLinks,
  serving: boolean,
): Promise<HostFacts> {
  const sysctl = new Sysctl(settings.sysctlDir);
  const client = RouteClient.open();
  const look = async () => ({
    survey: await surveyHost(client),
    others: serving ? undefined : await readOthers(client, settings, own),
  });
  const { survey, others } = await look().finally(() => client.close());
  return {
    serving,
    root: process.geteuid?.() === 0,
    tunError: openError(TUN_DEVICE),
    rulesError: await checkRules({ ...own, ...settings }).then(
      () => undefined,
      (error: unknown) => {
        if (error instanceof WeftError) return { message: error.message, remedy: error.remedy };
        throw error;
      },
    ),
    settings: Object.fromEntries(HOST_SETTINGS.map((path) => [path, sysctl.read(path)])) as Record<
      HostSetting,
      string | undefined
    >,
    others,
    overlap: findOverlap(survey, settings.ranges, own),
    addresses: advertisableAddresses(survey, settings.ranges, own),
    portErrors: serving ? {} : { udp: await bindUdp(settings.port), tcp: await bindTcp(settings.port) },
    dateMs: Date.now(),
  };
}

/** Undefined where this user may not look. */
async function readOthers(
  client: RouteClient,
  { ranges }: HostSettings,
  own: OwnLinks,
): Promise<HostFacts['others']> {
  try {
    const { drops, unread } = await readLegacyHindrances(own);
    const masks = await readMasks(client, { ...own, ranges });
    return { hindrances: [...masks, ...(await readForwardHindrances(own)), ...drops], unread };
  } catch (error) {
    if (error instanceof WeftError) return undefined; // nft says why by the packet rules
    throw error;
  }
}

function openError(path: string): string | undefined {
  try {
    closeSync(openSync(path, constants.O_RDWR));
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

/** The error code where the port cannot be had; it is let go at once. */
function bindUdp(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: 'udp6' });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      socket.close();
      // Without IPv6 in the kernel there is no such socket; whether IPv4's port is free is then not looked at.
      resolve(code === 'EAFNOSUPPORT' ? undefined : code);
    });
    socket.bind(port, () => socket.close(() => resolve(undefined)));
  });
}

function bindTcp(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code));
    server.listen(port, () => server.close(() => resolve(undefined)));
  });
}
