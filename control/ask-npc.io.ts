import { ask } from './control-client.io.ts';
import type { NpcRequest, NpcResults } from './npc-request.ts';

const TIMEOUT_MS = 10_000;

/**
 * Asks the weft-npc of a run folder. Rejects with the WeftError that it answered, or E_NO_DAEMON, E_NOT_PERMITTED,
 * E_NO_ANSWER.
 */
export async function askNpc<Op extends keyof NpcResults>(
  runDir: string,
  request: NpcRequest & { readonly op: Op },
  options: { readonly timeoutMs?: number } = {},
): Promise<NpcResults[Op]> {
  const at = {
    path: `${runDir}/weft-npc.sock`,
    program: 'weft-npc',
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
  };
  return (await ask(at, request)) as NpcResults[Op];
}
