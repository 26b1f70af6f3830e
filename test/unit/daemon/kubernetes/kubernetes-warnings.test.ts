import { deepEqual, equal } from 'node:assert/strict';
import { instant } from '../../../../base/instant.ts';
import { parseCidr } from '../../../../base/range.ts';
import { warningOf } from '../../../../base/warning.ts';
import { DAEMON_WARNINGS } from '../../../../daemon/daemon-warnings.ts';
import { KubernetesWarnings } from '../../../../daemon/kubernetes/kubernetes-warnings.ts';
import { Log } from '../../../../host/log.ts';
import { ApiError } from '../../../../kube/api-error.ts';

describe('KubernetesWarnings', () => {
  let logged: string[];
  let warnings: KubernetesWarnings;
  beforeEach(() => {
    logged = [];
    const sink = { write: (line: string) => logged.push(line), now: () => instant(0), date: () => 'D' };
    warnings = new KubernetesWarnings(new Log(sink, { level: 'info', format: 'text' }), [
      parseCidr('10.96.128.0/17')!,
    ]);
  });

  it('logs when a fault begins and when it is over', () => {
    warnings.failed('objects', new ApiError(403, 'Forbidden', 'secret words of the server'), instant(0));
    equal(warnings.lines(instant(0)).length, 1);
    warnings.granted('objects');
    warnings.granted('objects');
    deepEqual(warnings.lines(instant(0)), []);
    deepEqual(logged, [
      'D warn the API of Kubernetes does not serve status=403 reason=Forbidden asked=objects ' +
        'remedy="apply the manifest again: the service account lacks a permission"',
      'D info the API of Kubernetes serves again asked=objects',
    ]);
  });

  it('logs another kind of fault however often it told the one before', () => {
    for (let i = 0; i < 30; i++)
      warnings.failed('objects', new ApiError(429, 'TooManyRequests', ''), instant(0));
    equal(logged.length < 30, true, 'the rate is limited');
    warnings.failed('objects', new ApiError(500, 'InternalError', ''), instant(0));
    equal(logged.at(-1)?.includes('status=500'), true);
  });

  it('warns of the damaged object until it is good or gone, and logs each version of it once', () => {
    const line =
      'the object that begins the ring is damaged; delete ConfigMap weft-genesis: ' +
      'a node of the ring puts it back, or one makes it anew where there is no ring';
    for (const resourceVersion of ['1', '1', '2']) {
      warnings.genesisSeen({ resourceVersion, isGood: false });
      deepEqual(warnings.lines(instant(0)), [line]);
    }
    equal(logged.length, 2);
    warnings.genesisSeen({ resourceVersion: '3', isGood: true });
    deepEqual(warnings.lines(instant(0)), []);
    warnings.genesisSeen({ resourceVersion: '4', isGood: false });
    warnings.genesisSeen(undefined);
    deepEqual(warnings.lines(instant(0)), []);
  });

  it('warns of the Secret and of the ring of another cluster, and logs each once', () => {
    for (let i = 0; i < 2; i++) {
      warnings.secretSeen('other');
      warnings.ringSeen('other');
      equal(warnings.lines(instant(0)).length, 2);
    }
    equal(logged.length, 2);
    warnings.secretSeen('ours');
    equal(/is of a cluster with another secret/.test(warnings.lines(instant(0)).join()), true);
    warnings.ringSeen('ours');
    deepEqual(warnings.lines(instant(0)), []);
  });

  it('gives each a code that tells programs what it is', () => {
    const codes = (): string[] => warnings.warnings(instant(0)).map(({ code }) => code);
    for (const [status, code] of [
      [0, 'E_API_UNREACHED'],
      [401, 'E_API_UNAUTHORIZED'],
      [403, 'E_API_FORBIDDEN'],
      [429, 'W_API_BUSY'],
      [503, 'E_API_BROKEN'],
    ] as const) {
      warnings.failed('objects', new ApiError(status, 'Reason', ''), instant(0));
      deepEqual(codes(), [code]);
    }
    warnings.granted('objects');
    const unenforced = warningOf(DAEMON_WARNINGS, 'W_POLICIES_UNENFORCED', { policies: '3 policies are' });
    warnings.checked('policies', unenforced);
    warnings.genesisSeen({ resourceVersion: '1', isGood: false });
    warnings.secretSeen('other');
    deepEqual(codes(), ['E_OTHER_SECRET', 'E_GENESIS_DAMAGED', 'W_POLICIES_UNENFORCED']);
  });

  it('shows overlaps before the rest', () => {
    warnings.failed('objects', new ApiError(500, 'InternalError', ''), instant(0));
    const seen = {
      namespace: '',
      name: 'kubernetes',
      uid: '1',
      resourceVersion: '1',
      cidrs: ['10.96.0.0/16'],
    };
    warnings.servicesSeen([seen]);
    warnings.servicesSeen([seen]);
    const [first, second] = warnings.lines(instant(0));
    equal(
      first?.startsWith('the pod range 10.96.128.0/17 overlaps the range 10.96.0.0/16 of Services; '),
      true,
    );
    equal(second?.startsWith('the API of Kubernetes answers 500'), true);
    equal(logged.filter((line) => line.includes('range=10.96.128.0/17')).length, 1);
  });
});
