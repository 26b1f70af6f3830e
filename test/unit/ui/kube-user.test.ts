import { deepEqual, equal, rejects } from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { WeftError } from '../../../base/weft-error.ts';
import { KubeUser } from '../../../ui/access/kube-user.io.ts';
import { FakeApi } from '../kube/fake-api.ts';

/** A token of three parts, as those of service accounts are. */
const TOKEN = 'aaaa.bbbb.cccc';

interface Review {
  readonly kind: string;
  readonly spec?: {
    readonly resourceAttributes?: { readonly resource: string; readonly namespace?: string };
  };
}

/** What a right API server answers is judged by a real one in test/netns/ui; here are the wrong ones. */
describe('a user of Kubernetes', () => {
  let api: FakeApi;
  let user: unknown;
  let status: number;
  const asked: string[] = [];
  const allowed = new Set<string>();
  const users: KubeUser[] = [];

  before(async () => {
    api = await FakeApi.listen();
    api.answer = (request, response) =>
      void read(request).then((review) => {
        asked.push(`${request.headers.authorization} ${review.kind}`);
        const { resource, namespace = '' } = review.spec?.resourceAttributes ?? {};
        const isAllowed = allowed.has(`${resource} ${namespace}`);
        const answer = review.kind === 'SelfSubjectReview' ? { userInfo: user } : { allowed: isAllowed };
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ status: answer }));
      });
  });
  beforeEach(() => {
    user = { username: 'alice', groups: ['system:authenticated'] };
    status = 201;
    asked.length = 0;
    allowed.clear();
  });
  afterEach(() => {
    for (const each of users.splice(0)) each.close();
  });
  after(() => api.close());

  const signIn = async (token = TOKEN): Promise<KubeUser> => {
    const kube = await KubeUser.signIn(api.access, token, 'weft-ui/test');
    users.push(kube);
    return kube;
  };
  const isCode = (code: string) => (error: unknown) => error instanceof WeftError && error.code === code;

  it('is asked about with the token of the user, and never with that of weft', async () => {
    allowed.add('pods red');
    const kube = await signIn();
    deepEqual(await kube.refresh(['red', 'blue']), { user: 'alice', namespaces: ['red'], seesNodes: false });
    deepEqual([...new Set(asked.map((each) => each.split(' ')[1]))], [TOKEN]);
  });

  it('sees nothing before it is known what', async () =>
    deepEqual((await signIn()).viewer, { user: 'alice', namespaces: [], seesNodes: false }));

  it('sees all namespaces where they may list pods of all, and nodes where they may list those', async () => {
    allowed.add('pods ').add('nodes ');
    deepEqual(await (await signIn()).refresh(['red']), { user: 'alice', namespaces: null, seesNodes: true });
    equal(asked.length, 3);
  });

  it('is nobody where the API takes them for anonymous, or says nothing of who they are', async () => {
    const nobodies = [
      { username: 'system:anonymous', groups: ['system:unauthenticated'] },
      { username: 'alice', groups: ['system:unauthenticated'] },
      { username: '', groups: ['system:authenticated'] },
      { username: 'alice' },
      { groups: ['system:authenticated'] },
      undefined,
      'alice',
    ];
    for (const nobody of nobodies) {
      user = nobody;
      await rejects(signIn(), isCode('E_UI_TOKEN'));
    }
  });

  it('is refused with a token that is none, and nobody is asked', async () => {
    for (const token of ['', 'a b', 'a\r\nX-Remote-User: root', 'é', 'a'.repeat(20_000)])
      await rejects(signIn(token), isCode('E_UI_TOKEN'));
    deepEqual(asked, []);
  });

  it('is told what the API said', async () => {
    status = 401;
    await rejects(signIn(), isCode('E_UI_TOKEN'));
    status = 500;
    await rejects(signIn(), isCode('E_UI_API'));
  });

  it('loses everything when the token is good no longer, and nothing while the API is away for a moment', async () => {
    allowed.add('pods red');
    const kube = await signIn();
    await kube.refresh(['red']);
    status = 500;
    deepEqual((await kube.refresh(['red', 'new'])).namespaces, ['red']);
    status = 401;
    await rejects(kube.refresh(['red', 'newer']), isCode('E_UI_TOKEN'));
  });

  it('may see nothing of what an answer does not plainly allow', async () => {
    const kube = await signIn();
    api.answer = (_, response) => response.end('{"status":{"allowed":"true"}}');
    deepEqual((await kube.refresh(['red'])).namespaces, []);
  });
});

async function read(request: IncomingMessage): Promise<Review> {
  let text = '';
  for await (const part of request) text += String(part);
  return JSON.parse(text) as Review;
}
