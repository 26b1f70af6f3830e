import { utf8 } from '../base/bytes.ts';
import { type LocalRequest, LocalSocket } from '../native/local-socket.ts';
import {
  type ControlAnswer,
  type ControlRequest,
  type ControlResults,
  decodeRequest,
  encodeMessage,
  errorAnswer,
  requestError,
} from './control-protocol.ts';

/** Who answers the requests of the `weft` command. May throw or reject; the error is what the user reads. */
export type ControlHandlers = {
  readonly [Op in keyof ControlResults]: (
    request: Extract<ControlRequest, { op: Op }>,
  ) => ControlResults[Op] | Promise<ControlResults[Op]>;
};

/**
 * Answers a call of the CNI plugin with what goes to the shim as JSON; never rejects. `fds` are open until the first
 * time it waits.
 */
export type CniHandler = (
  request: Extract<ControlRequest, { op: 'cni' }>,
  fds: readonly number[],
) => Promise<unknown>;

/**
 * Serves the control socket: requests of the `weft` command go to `handlers`, those of the CNI shim to `cni`.
 * Throws as {@link LocalSocket.listen} does.
 */
export function serveControl(path: string, handlers: ControlHandlers, cni: CniHandler): LocalSocket {
  return LocalSocket.listen(path, (request) => {
    const decoded = decodeRequest(request.bytes);
    if (!decoded.ok) return reply(request, errorAnswer(requestError(decoded.reason)));
    const { value } = decoded;
    if (value.op === 'cni') {
      // Called before anything is awaited: the descriptors are closed when this callback returns.
      void cni(value, request.fds).then((answer) => request.answer(utf8(JSON.stringify(answer))));
      return;
    }
    void carryOut(value, handlers).then((answer) => reply(request, answer));
  });
}

async function carryOut(
  request: Exclude<ControlRequest, { op: 'cni' }>,
  handlers: ControlHandlers,
): Promise<ControlAnswer> {
  try {
    // The handler of an operation takes the request of that operation; TypeScript cannot follow the pairing.
    const handle = handlers[request.op] as (request: ControlRequest) => unknown;
    return { ok: true, result: await handle(request) };
  } catch (error) {
    return errorAnswer(error);
  }
}

function reply(request: LocalRequest, answer: ControlAnswer): void {
  request.answer(encodeMessage(answer));
}
