import { deepEqual, equal } from 'node:assert/strict';
import { instant } from '../../../../base/instant.ts';
import {
  conditionPatch,
  DOWN_AFTER_MS,
  isToBeWritten,
  readCondition,
  WantedCondition,
} from '../../../../daemon/kubernetes/node-condition.ts';

const UP = { status: 'False', reason: 'WeftIsUp', message: 'Weft serves the pods of this node' } as const;
const nodeWith = (...conditions: unknown[]) => ({ status: { conditions } });

describe('the condition NetworkUnavailable', () => {
  const down = { ready: false, reason: 'this node has no address yet' } as const;

  it('is False as soon as weftd serves the node', () => {
    deepEqual(new WantedCondition().look({ ready: true }, instant(5)), UP);
  });

  it('is True only where weftd has not served it for a while', () => {
    const wanted = new WantedCondition();
    equal(wanted.look(down, instant(0)), undefined);
    equal(wanted.look(down, instant(DOWN_AFTER_MS - 1)), undefined);
    deepEqual(wanted.look(down, instant(DOWN_AFTER_MS)), {
      status: 'True',
      reason: 'WeftIsDown',
      message: 'Weft does not serve this node: this node has no address yet',
    });
    deepEqual(wanted.look({ ready: true }, instant(DOWN_AFTER_MS + 1)), UP);
    equal(wanted.look(down, instant(DOWN_AFTER_MS + 2)), undefined);
  });

  it('is written over that of a cloud, or of another network, and not over our own', () => {
    const standing = (status: string, reason: string) =>
      readCondition(
        nodeWith({ type: 'Ready', status: 'True' }, { type: 'NetworkUnavailable', status, reason }),
      );
    equal(isToBeWritten(UP, standing('True', 'NoRouteCreated')), true);
    equal(isToBeWritten(UP, standing('False', 'FlannelIsUp')), true);
    equal(isToBeWritten(UP, standing('False', 'WeftIsUp')), false);
    equal(isToBeWritten(UP, readCondition(nodeWith({ type: 'Ready', status: 'True' }))), true);
  });

  it('is not read out of what is no node', () => {
    for (const value of [
      undefined,
      null,
      [],
      {},
      { status: 1 },
      { status: { conditions: {} } },
      nodeWith(null, 1),
    ])
      equal(readCondition(value), undefined);
  });

  it('changes nothing else', () => {
    deepEqual(conditionPatch(UP, 1_700_000_000_123), {
      status: {
        conditions: [
          {
            type: 'NetworkUnavailable',
            ...UP,
            lastHeartbeatTime: '2023-11-14T22:13:20Z',
            lastTransitionTime: '2023-11-14T22:13:20Z',
          },
        ],
      },
    });
  });
});
