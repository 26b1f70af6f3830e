import { deepEqual, equal, throws } from 'node:assert/strict';
import { mock } from 'node:test';
import { FIRST_REOPEN_MS, KernelEvents, LAST_REOPEN_MS } from '../../../ground/kernel-events.io.ts';
import type { SystemError } from '../../../native/addon.ts';
import type { NetlinkEventListener } from '../../../native/netlink-events.ts';

const FAULT = Object.assign(new Error('no memory'), { code: 'ENOMEM', syscall: 'recvmsg' }) as SystemError;

describe('events of the kernel whose socket ends', () => {
  /** Of the sockets that were opened, in order. */
  let listeners: NetlinkEventListener[];
  let closed: number[];
  let told: string[];
  let refusals: number;
  let events: KernelEvents;

  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] });
    [listeners, closed, told, refusals] = [[], [], [], 0];
    events = open();
  });
  afterEach(() => {
    events.close();
    mock.timers.reset();
  });

  function open(): KernelEvents {
    return KernelEvents.open({
      open: (listener) => {
        if (refusals-- > 0) throw FAULT;
        const index = listeners.push(listener) - 1;
        return { close: () => closed.push(index) };
      },
      onDatagrams: () => told.push('datagrams'),
      onLost: () => told.push('lost'),
      onFault: () => told.push('fault'),
    });
  }

  it('are told as lost where more came than was read, and the socket stays', () => {
    listeners[0]!.onLost();
    deepEqual(told, ['lost']);
    deepEqual(closed, []);
  });

  it('come again from a new socket, after everything counts as lost', () => {
    listeners[0]!.onError(FAULT);
    deepEqual([told, closed], [['fault'], [0]]);
    mock.timers.tick(FIRST_REOPEN_MS - 1);
    equal(listeners.length, 1);
    mock.timers.tick(1);
    equal(listeners.length, 2);
    listeners[1]!.onDatagrams([]);
    deepEqual(told, ['fault', 'lost', 'datagrams']);
    deepEqual(closed, [0]);
  });

  it('are sought ever more rarely where no socket can be opened, and found in the end', () => {
    refusals = 8;
    listeners[0]!.onError(FAULT);
    const waits: number[] = [];
    for (let waited = 0; listeners.length === 1; ) {
      const faults = told.length;
      mock.timers.tick(500);
      waited += 500;
      if (told.length > faults) waits.push(waited);
      if (told.length > faults) waited = 0;
    }
    deepEqual(
      waits,
      [1, 2, 4, 8, 16, 32, 60, 60, 60].map((s) => 1000 * s),
    );
    equal(Math.max(...waits), LAST_REOPEN_MS);
    equal(told.at(-1), 'lost');
  });

  it('end for good when they are closed, also while a socket is waited for', () => {
    listeners[0]!.onError(FAULT);
    events.close();
    mock.timers.tick(10 * LAST_REOPEN_MS);
    deepEqual([listeners.length, told], [1, ['fault']]);
  });

  it('are refused at the first opening as the socket is', () => {
    refusals = 1;
    throws(open, FAULT);
  });
});
