/** What a node's containerd wrote down of pods and containers. Its times have nanoseconds, the API's only seconds. */
export interface ContainerdTimes {
  /** When a container had been started, in milliseconds since 1970. */
  readonly startedAtById: ReadonlyMap<string, number>;
  /** How long a pod's sandbox took, its network included, in milliseconds. */
  readonly sandboxMsByPodUid: ReadonlyMap<string, number>;
}

const LINE = /^time="([^"]+)" level=info msg="(.*)"$/;
const SANDBOX = /^RunPodSandbox for .*?[Uu]id:\\?"([\w-]+)/;
const STARTED = /^StartContainer for \\?"(\w+)\\?" returns successfully/;

/** Reads containerd's log. */
export function readContainerdLog(text: string): ContainerdTimes {
  const startedAtById = new Map<string, number>();
  const sandboxMsByPodUid = new Map<string, number>();
  const begunByPodUid = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, time = '', message = ''] = LINE.exec(line) ?? [];
    const started = STARTED.exec(message)?.[1];
    if (started !== undefined) startedAtById.set(started, milliseconds(time));
    const uid = SANDBOX.exec(message)?.[1];
    if (uid === undefined) continue;
    const begun = begunByPodUid.get(uid);
    if (message.includes(' returns sandbox id ') && begun !== undefined)
      sandboxMsByPodUid.set(uid, milliseconds(time) - begun);
    else begunByPodUid.set(uid, milliseconds(time));
  }
  return { startedAtById, sandboxMsByPodUid };
}

/** Of a time of RFC 3339: `Date` drops what is below a millisecond. */
function milliseconds(time: string): number {
  const fraction = /\.\d{3}(\d+)/.exec(time)?.[1] ?? '';
  return Date.parse(time) + Number(`0.${fraction || '0'}`);
}
