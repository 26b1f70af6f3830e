/**
 * Where Ipam keeps what must outlive the process: a map of small values with staged writes.
 *
 * `put` and `remove` take effect at once for `get` and `entries`, and are durable after {@link flush}. The shell's
 * loop is: handle a batch of inputs, `flush()` (one fsync), drain the outputs. An output may only leave after the
 * flush that follows the call which produced it: so no address is answered, no promise made and no grant published
 * which a crash could take back.
 *
 * When `flush` throws, nothing of the batch is durable and no output of it may leave. What was staged stays staged:
 * after E_DISK_FULL the next flush writes it, after anything else the shell stops the daemon.
 *
 * Keys: `log`, `paxos/row`, `paxos/abstain`, `paxos/name/<name>`, `alloc/<container id>/<ifname>`, `cursor/<family>`,
 * `removal/promise/<peer id>`, `decree/<peer id>`, `rejoin/authority-unheard`, `rollback`.
 */
export interface IpamStore {
  /** The caller must not change the bytes. */
  get(key: string): Uint8Array | undefined;
  /** The store keeps `value`; the caller must not change it afterwards. */
  put(key: string, value: Uint8Array): void;
  remove(key: string): void;
  /** All keys that start with `prefix`, in the order of their code units. */
  entries(prefix: string): Iterable<readonly [key: string, value: Uint8Array]>;
  /** Makes all that was staged durable, or throws a WeftError (E_DISK_FULL, E_STORE) and nothing is. */
  flush(): void;
}
