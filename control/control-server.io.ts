import { utf8 } from '../base/bytes.ts';
import type { Result } from '../base/result.ts';
import { type LocalRequest, LocalSocket } from '../native/local-socket.ts';
import type { ControlAnswer } from './control-protocol.ts';
import { errorAnswer, requestError } from './error-answer.ts';

/** What a program answers on its control socket. */
export interface ControlService<Request> {
  /** Its name (`weftd`), which a client is told when its request is not understood. */
  readonly program: string;
  /** Reads a request, which is not trusted. The reason of a failure is told to the client. */
  decode(bytes: Uint8Array): Result<Request, string>;
  /** Resolves with what goes back as JSON; never rejects. `fds` are open until the first time this waits. */
  answer(request: Request, fds: readonly number[], client: ControlClient): Promise<unknown>;
}

/** Whoever sent a request. */
export type ControlClient = Pick<LocalRequest, 'whenGone'>;

/** Serves the control socket of any program. Throws as {@link LocalSocket.listen} does. */
export function serveControl<Request>(path: string, service: ControlService<Request>): LocalSocket {
  return LocalSocket.listen(path, (request) => {
    const reply = (answer: unknown): void => {
      request.answer(utf8(JSON.stringify(answer)));
    };
    const decoded = service.decode(request.bytes);
    if (!decoded.ok) return reply(errorAnswer(requestError(decoded.reason, service.program)));
    // Called before anything is awaited: the descriptors are closed when this callback returns.
    void service.answer(decoded.value, request.fds, request).then(reply);
  });
}

/** The answer that holds what `act` gives, or the error that it throws or rejects with. Never rejects. */
export async function answerOf(act: () => unknown): Promise<ControlAnswer> {
  try {
    return { ok: true, result: await act() };
  } catch (error) {
    return errorAnswer(error);
  }
}
