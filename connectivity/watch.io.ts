import { setTimeout as delay } from 'node:timers/promises';
import type { CanaryCapture } from '../doctor/canary.ts';
import { MarkerCapture } from '../doctor/marker-capture.io.ts';
import type { OwnLinks } from '../linux/host-survey.ts';

const BETWEEN_LOOKS_MS = 50;
/** How long after the first that went into the TUN interface others are waited for. */
const AFTERWARDS_MS = 2_000;

/** What each interface of this host sent, and how much of it held the marker. */
export interface Watched {
  readonly links: Readonly<Record<string, CanaryCapture>>;
}

/** Watches until a while after the marker went into `tun`, `patienceMs` at most. Rejects with a SystemError without CAP_NET_RAW. */
export async function watchMarker(
  marker: Uint8Array,
  {
    tun,
    podPrefix,
    patienceMs,
    onOpen,
  }: OwnLinks & { readonly patienceMs: number; readonly onOpen: () => void },
): Promise<Watched> {
  const capture = await MarkerCapture.open(marker, { podPrefix });
  try {
    onOpen();
    let left = patienceMs;
    let isSeen = false;
    for (; left > 0; left -= BETWEEN_LOOKS_MS) {
      await delay(BETWEEN_LOOKS_MS);
      if (isSeen || (capture.look().get(tun)?.matches ?? 0) === 0) continue;
      isSeen = true;
      left = Math.min(left, AFTERWARDS_MS);
    }
    return { links: Object.fromEntries(capture.look()) };
  } finally {
    capture.close();
  }
}
