import type { IncomingMessage, ServerResponse } from 'node:http';
import { TokenBucket } from '../base/token-bucket.ts';
import { clock } from '../host/clock.io.ts';
import type { ApiAccess } from '../kube/access/api-access.ts';
import { KubeUser } from './access/kube-user.io.ts';
import type { Sessions } from './access/sessions.ts';
import { answerJson, readJson, UiError } from './http-answers.io.ts';
import type { LiveViewers } from './live-viewers.io.ts';
import type { Picture, Viewer } from './picture/picture.ts';
import { viewerPicture } from './picture/viewer-picture.ts';
import type { AskedPrograms, PictureSource } from './picture-source.io.ts';
import { type UiUser, viewerOf } from './ui-user.io.ts';

/** How often it is found out anew what users of Kubernetes may see. */
const REFRESH_MS = 10_000;
/** How often weft-npc is asked to explain something, for all together. */
const EXPLANATIONS = { burst: 10, perSecond: 5 } as const;
const MAX_END_LENGTH = 320;

interface AnswersOptions {
  readonly asked: AskedPrograms;
  readonly kubernetes: ApiAccess | undefined;
  readonly version: string;
  readonly sessions: Sessions<UiUser>;
  readonly viewers: LiveViewers;
  readonly source: PictureSource;
}

/** A request of somebody who has a session. */
interface UiRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly session: string;
  readonly user: UiUser;
}

/** Answers what the page asks, each to what its user may see. Rejections are what the user is told. */
export class UiAnswers {
  readonly #options: AnswersOptions;
  readonly #explanations = new TokenBucket(EXPLANATIONS.burst, EXPLANATIONS.perSecond);
  /** Users of Kubernetes who look now, by session. */
  readonly #kubeBySession = new Map<string, KubeUser>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: AnswersOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#refreshAll(), REFRESH_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    for (const kube of this.#kubeBySession.values()) kube.close();
  }

  /** Begins a session for who brings the token of a link, or of Kubernetes. */
  async begin({ token, kubernetesToken }: Readonly<Record<string, unknown>>): Promise<object> {
    const { sessions, kubernetes, version } = this.#options;
    if (typeof token === 'string') {
      if (!sessions.followLink(token, clock())) throw new UiError('E_UI_LINK');
      return this.#begun({ kube: undefined });
    }
    if (typeof kubernetesToken !== 'string') throw new UiError('E_UI_BODY');
    if (kubernetes === undefined) throw new UiError('E_UI_NO_TOKENS');
    const kube = await KubeUser.signIn(kubernetes, kubernetesToken, `weft-ui/${version}`);
    await kube.refresh(namespacesIn(await this.#options.source.picture()));
    return this.#begun({ kube });
  }

  async answer(asked: UiRequest): Promise<void> {
    const { method, path, response, session, user, query } = asked;
    const { sessions, viewers, source } = this.#options;
    switch (`${method} ${path}`) {
      case 'DELETE /api/session':
        sessions.end(session);
        viewers.endSession(session, 'E_UI_SESSION');
        this.#kubeBySession.get(session)?.close();
        this.#kubeBySession.delete(session);
        return answerJson(response, 204);
      case 'GET /api/picture': {
        const picture = await source.picture();
        return answerJson(
          response,
          200,
          viewerPicture(picture, await this.#viewer(user, picture), NO_SERIES),
        );
      }
      case 'GET /api/live':
        return this.#live(asked);
      case 'GET /api/tunnel': {
        const id = new URLSearchParams(query).get('id') ?? '';
        const history = viewerOf(user).seesNodes ? source.history(id) : undefined;
        if (history === undefined) throw new UiError('E_UI_PATH');
        return answerJson(response, 200, history);
      }
      case 'POST /api/explain':
        return answerJson(response, 200, await this.#explain(asked));
      default:
        throw new UiError('E_UI_PATH');
    }
  }

  #begun(user: UiUser): object {
    const { sessions, kubernetes } = this.#options;
    const session = sessions.begin(user, clock());
    return { session, viewer: viewerOf(user), tokens: kubernetes !== undefined };
  }

  async #live({ response, session, user }: UiRequest): Promise<void> {
    const { viewers, source } = this.#options;
    const viewer =
      user.kube === undefined ? viewerOf(user) : await this.#viewer(user, await source.picture());
    if (!viewers.begin(response, { session, viewer })) throw new UiError('E_UI_VIEWERS');
    if (user.kube !== undefined) {
      this.#kubeBySession.set(session, user.kube);
      response.once('close', () => {
        if (!viewers.has(session)) this.#kubeBySession.delete(session);
      });
    }
    source.watch();
  }

  /** What a user may see now of what is in `picture`. */
  async #viewer(user: UiUser, picture: Picture): Promise<Viewer> {
    return user.kube === undefined ? viewerOf(user) : user.kube.refresh(namespacesIn(picture));
  }

  async #refreshAll(): Promise<void> {
    if (this.#kubeBySession.size === 0) return;
    const { sessions, viewers, source } = this.#options;
    const namespaces = namespacesIn(await source.picture());
    for (const [session, kube] of [...this.#kubeBySession]) {
      try {
        viewers.changeViewer(session, await kube.refresh(namespaces));
      } catch {
        // They are nobody any more, or it cannot be found out what they may see.
        sessions.end(session);
        viewers.endSession(session, 'E_UI_SESSION');
        this.#kubeBySession.delete(session);
        kube.close();
      }
    }
  }

  /** Which policies decide about a connection, or would, together with some that the question brings. */
  async #explain({ request, user }: UiRequest): Promise<object> {
    const { source, destination, port, with: policies } = await readJson(request);
    const isEnd = (value: unknown): value is string =>
      typeof value === 'string' && value !== '' && value.length <= MAX_END_LENGTH;
    if (!isEnd(source) || !isEnd(destination) || typeof port !== 'string') throw new UiError('E_UI_BODY');
    if (policies !== undefined && typeof policies !== 'string') throw new UiError('E_UI_BODY');
    // They are read by weft-npc, which guards the node: only from those who could ask it anyway.
    if (policies !== undefined && user.kube !== undefined) throw new UiError('E_UI_TRY');
    const { namespaces } = viewerOf(user);
    const isOwn = (end: string): boolean =>
      namespaces === null || (end.includes('/') && namespaces.includes(end.split('/', 1)[0]!));
    if (!isOwn(source) || !isOwn(destination)) throw new UiError('E_UI_PODS');
    if (!this.#explanations.take(clock())) throw new UiError('E_UI_OFTEN');
    const question = { op: 'policyExplain', source, destination, port } as const;
    return this.#options.asked.npc({ ...question, ...(policies === undefined ? {} : { with: policies }) });
  }
}

const NO_SERIES = { at: [], lines: [] };

function namespacesIn({ workloads }: Picture): Set<string> {
  return new Set(workloads.flatMap(({ namespace }) => namespace ?? []));
}
