import { deepEqual, equal, ok } from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { ApiClient } from '../../../kube/api-client.io.ts';
import { chosenNode, speakers } from '../../../npc/chosen-node.ts';
import { PolicyCompiler } from '../../../npc/compiler/policy-compiler.ts';
import { readPolicyNode } from '../../../npc/model/cluster-objects.ts';
import { LabelSets } from '../../../npc/model/labels.ts';
import type { Policy } from '../../../npc/model/policy.ts';
import { PolicyEvents, policyEvent } from '../../../npc/policy-events.io.ts';
import { until } from '../../cluster/command.ts';
import { FakeApi, json } from '../kube/fake-api.ts';
import { node } from './objects.ts';

function policy(name: string, over: Partial<Policy> = {}): Policy {
  return {
    kind: 'NetworkPolicy',
    tier: 'NetworkPolicy',
    namespace: 'a',
    name,
    uid: `uid-${name}`,
    resourceVersion: '7',
    priority: 0,
    subject: undefined,
    rules: { ingress: undefined, egress: undefined },
    faults: ['one thing', 'another'],
    ...over,
  };
}

describe('chosenNode', () => {
  it('is one of all, the same whoever asks, and another for other subjects', () => {
    const names = Array.from({ length: 50 }, (_, i) => `n${i}`);
    const chosen = Array.from({ length: 200 }, (_, i) => chosenNode(`policy-${i}`, names)!);
    deepEqual(
      chosen,
      Array.from({ length: 200 }, (_, i) => chosenNode(`policy-${i}`, [...names].reverse())!),
    );
    ok(new Set(chosen).size > 30);
    equal(chosenNode('x', []), undefined);
  });

  it('stays where another node goes', () => {
    const names = ['a', 'b', 'c', 'd'];
    const first = chosenNode('p', names)!;
    for (const gone of names.filter((name) => name !== first))
      equal(
        chosenNode(
          'p',
          names.filter((name) => name !== gone),
        ),
        first,
      );
  });
});

describe('speakers', () => {
  const labels = new LabelSets();
  const seen = (name: string, ready: string) => {
    const raw = node(name, ['192.0.2.1']) as { status: object };
    const status = { ...raw.status, conditions: [{ type: 'Ready', status: ready }] };
    return readPolicyNode({ ...raw, status }, labels)!;
  };
  const compiler = () => new PolicyCompiler('a', { reject: false, log: undefined });

  it('are the nodes that are ready, as they are now', () => {
    const made = compiler();
    const [a, b, c] = [seen('a', 'True'), seen('b', 'True'), seen('c', 'Unknown')];
    made.changeNodes({ gone: [], added: [a, b, c], changed: [] });
    deepEqual(speakers(made.judged.cluster.nodes()), ['a', 'b']);
    made.ruleSet();
    const down = { before: b, after: seen('b', 'False') };
    made.changeNodes({ gone: [], added: [], changed: [down] });
    deepEqual(speakers(made.judged.cluster.nodes()), ['a']);
  });

  it('are all of them where none is ready', () => {
    deepEqual(speakers([seen('a', 'False'), seen('b', 'Unknown')]), ['a', 'b']);
    deepEqual(speakers([readPolicyNode(node('a', []), labels)!]), ['a']);
  });
});

describe('policyEvent', () => {
  const AT = { reason: 'NotHonoured', nodeName: 'n1', at: 0 } as const;

  it('is another one where it tells of ports', () => {
    const { metadata, reason } = policyEvent(policy('web'), { ...AT, reason: 'PortNotFound' });
    deepEqual([metadata, reason], [{ name: 'web.uid-web.7.port', namespace: 'a' }, 'PortNotFound']);
  });

  it('says what is not honoured, of which version of which policy', () => {
    deepEqual(policyEvent(policy('web'), AT), {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'web.uid-web.7', namespace: 'a' },
      eventTime: '1970-01-01T00:00:00.000000Z',
      reportingController: 'weft-npc',
      reportingInstance: 'n1',
      action: 'Enforce',
      reason: 'NotHonoured',
      type: 'Warning',
      note: 'one thing; another',
      regarding: {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        namespace: 'a',
        name: 'web',
        uid: 'uid-web',
        resourceVersion: '7',
      },
    });
  });

  it('keeps within what the API takes', () => {
    const long = policy('x'.repeat(253), { faults: ['ä'.repeat(600), 'more'] });
    const { metadata, note } = policyEvent(long, AT) as { metadata: { name: string }; note: string };
    ok(metadata.name.length <= 253);
    equal(note, 'see weft policy status');
  });
});

describe('PolicyEvents', () => {
  let api: FakeApi;
  let client: ApiClient;
  let events: PolicyEvents;
  let outcomes: (string | undefined)[];
  let nodes: string[];
  beforeEach(async () => {
    api = await FakeApi.listen();
    client = new ApiClient(api.access, 'test');
    [outcomes, nodes] = [[], ['n1']];
    events = new PolicyEvents({
      client,
      reason: 'NotHonoured',
      nodeName: 'n1',
      nodeNames: () => nodes,
      onOutcome: (error) => outcomes.push(error?.reason),
    });
  });
  afterEach(async () => {
    events.close();
    client.close();
    await api.close();
  });

  it('tells of each version of a policy once, and of none that is honoured', async () => {
    events.look([policy('web'), policy('fine', { faults: [] })]);
    await until('the event', () => outcomes.length === 1);
    events.look([policy('web'), policy('fine', { faults: [] })]);
    events.look([policy('web', { resourceVersion: '8' })]);
    await until('the second event', () => outcomes.length === 2);
    deepEqual(api.requests, Array(2).fill('POST /apis/events.k8s.io/v1/namespaces/a/events'));
  });

  it('tells of a policy without namespace in the namespace default, and minds no event that is there', async () => {
    api.answer = json(409, { reason: 'AlreadyExists' });
    events.look([policy('wall', { kind: 'ClusterNetworkPolicy', namespace: '' })]);
    await until('the event', () => api.requests.length === 1);
    deepEqual(api.requests, ['POST /apis/events.k8s.io/v1/namespaces/default/events']);
    deepEqual(outcomes, []);
  });

  it('says that it is not granted, and leaves the others to other nodes', async () => {
    api.answer = json(403, { reason: 'Forbidden' });
    events.look([policy('web')]);
    await until('the refusal', () => outcomes.length === 1);
    deepEqual(outcomes, ['Forbidden']);
    nodes = ['other'];
    events.look([policy('two')]);
    equal(api.requests.length, 1);
  });

  it('sends an event as a real API takes one', async () => {
    const bodies: unknown[] = [];
    api.answer = (request: IncomingMessage, response) => {
      let text = '';
      request.on('data', (data: Buffer) => {
        text += data.toString();
      });
      request.on('end', () => {
        bodies.push(JSON.parse(text));
        response.end('{}');
      });
    };
    events.look([policy('web')]);
    await until('the event', () => bodies.length === 1);
    equal((bodies[0] as { reason: string }).reason, 'NotHonoured');
  });
});
