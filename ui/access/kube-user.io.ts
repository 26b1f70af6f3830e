import { WeftError } from '../../base/weft-error.ts';
import type { ApiAccess } from '../../kube/access/api-access.ts';
import { ApiClient } from '../../kube/api-client.io.ts';
import { ApiError } from '../../kube/api-error.ts';
import type { Viewer } from '../picture/picture.ts';
import { shown } from '../picture/shown-text.ts';

/** An answer counts for so long. */
const KEEP_MS = 30_000;
/** Where the API does not answer, what it said last counts no longer than this. */
const STALE_MS = 120_000;
/** Namespaces of one user that are asked for, and at once. */
const MAX_NAMESPACES = 1_000;
const ASKED_AT_ONCE = 8;
/** A service account's token is about 1 KB. */
const MAX_TOKEN_LENGTH = 16_384;

interface Allowed {
  readonly isAllowed: boolean;
  readonly at: number;
}

/**
 * Somebody who gave a token of Kubernetes. Who they are and what they may list is asked of the API with that very token
 * (SelfSubjectReview, SelfSubjectAccessReview), so Weft needs no right of its own for it, and the API's audit log names them.
 * The token is held in memory only, as long as the session.
 */
export class KubeUser {
  readonly #api: ApiClient;
  readonly #name: string;
  readonly #allowedByQuestion = new Map<string, Allowed>();
  #viewer: Viewer;
  #checkedAt: number;

  private constructor(api: ApiClient, name: string, now: number) {
    this.#api = api;
    this.#name = name;
    this.#viewer = { user: name, namespaces: [], seesNodes: false };
    this.#checkedAt = now;
  }

  /** Finds out who has `token`. Rejects with E_UI_TOKEN where nobody has, and E_UI_API where the API does not answer. */
  static async signIn(access: ApiAccess, token: string, userAgent: string): Promise<KubeUser> {
    if (!/^[\w~+/.=-]+$/.test(token) || token.length > MAX_TOKEN_LENGTH) throw refused();
    // As this user and as nobody else: the pod's own certificate or token must not stand in for theirs.
    const api = new ApiClient({ ...access, credentials: () => ({ token }) }, userAgent);
    try {
      const review = await api.request('/apis/authentication.k8s.io/v1/selfsubjectreviews', {
        method: 'POST',
        body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
      });
      const name = userNameIn(review);
      if (name === undefined) throw refused();
      return new KubeUser(api, name, performance.now());
    } catch (error) {
      api.close();
      throw error instanceof ApiError ? faultOf(error) : error;
    }
  }

  /** What they may see, as it was found out last. */
  get viewer(): Viewer {
    return this.#viewer;
  }

  /**
   * Finds out what of `namespaces` they may see now. Rejects with E_UI_TOKEN where the token is good no longer, and with E_UI_API
   * where the API has not answered for too long; what was known before counts no longer then.
   */
  async refresh(namespaces: Iterable<string>): Promise<Viewer> {
    try {
      const [seesAll, seesNodes] = await Promise.all([this.#may('pods', ''), this.#may('nodes', '')]);
      const seen = seesAll ? null : await this.#listable([...new Set(namespaces)].slice(0, MAX_NAMESPACES));
      this.#checkedAt = performance.now();
      this.#viewer = { user: this.#name, namespaces: seen, seesNodes };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const isOver = error.status === 401 || performance.now() - this.#checkedAt > STALE_MS;
      if (isOver) throw faultOf(error);
    }
    return this.#viewer;
  }

  close(): void {
    this.#api.close();
  }

  async #listable(namespaces: readonly string[]): Promise<string[]> {
    const found: string[] = [];
    for (let first = 0; first < namespaces.length; first += ASKED_AT_ONCE) {
      const asked = namespaces.slice(first, first + ASKED_AT_ONCE);
      const answers = await Promise.all(asked.map((namespace) => this.#may('pods', namespace)));
      found.push(...asked.filter((_, i) => answers[i]));
    }
    return found.sort();
  }

  /** Whether they may list these; an empty namespace stands for all. */
  async #may(resource: 'pods' | 'nodes', namespace: string): Promise<boolean> {
    const question = `${resource} ${namespace}`;
    const known = this.#allowedByQuestion.get(question);
    if (known !== undefined && performance.now() - known.at < KEEP_MS) return known.isAllowed;
    const review = await this.#api.request('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      method: 'POST',
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: {
          resourceAttributes: {
            verb: 'list',
            group: '',
            resource,
            ...(namespace === '' ? {} : { namespace }),
          },
        },
      },
    });
    const isAllowed = (review as { status?: { allowed?: unknown } } | null)?.status?.allowed === true;
    if (this.#allowedByQuestion.size > 2 * MAX_NAMESPACES) this.#allowedByQuestion.clear();
    this.#allowedByQuestion.set(question, { isAllowed, at: performance.now() });
    return isAllowed;
  }
}

/** Undefined for somebody whom the API does not know, whatever it lets them ask. */
function userNameIn(review: unknown): string | undefined {
  const user = (review as { status?: { userInfo?: { username?: unknown; groups?: unknown } } } | null)?.status
    ?.userInfo;
  const { username, groups } = user ?? {};
  if (typeof username !== 'string' || username === '' || username === 'system:anonymous') return undefined;
  return Array.isArray(groups) && groups.includes('system:authenticated') ? shown(username) : undefined;
}

function refused(): WeftError {
  return new WeftError(
    'E_UI_TOKEN',
    'Kubernetes does not accept this token',
    "give one of 'kubectl create token SERVICEACCOUNT', or of your cluster's sign-in",
  );
}

function faultOf(error: ApiError): WeftError {
  if (error.status === 401) return refused();
  const remedy = 'try again, and see whether kubectl reaches the API server';
  return new WeftError('E_UI_API', `who you are cannot be found out: ${error.message}`, remedy, {
    cause: error,
  });
}
