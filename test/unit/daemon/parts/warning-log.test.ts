import { deepEqual, match } from 'node:assert/strict';
import { instant } from '../../../../base/instant.ts';
import type { Warning } from '../../../../base/warning.ts';
import { WarningLog } from '../../../../daemon/parts/warning-log.io.ts';
import { Log } from '../../../../host/log.ts';

describe('what the log says of warnings', () => {
  const lines: string[] = [];
  const sink = { write: (line: string) => void lines.push(line), now: () => instant(0), date: () => 'now' };
  let standing: Warning[] = [];
  let log: WarningLog;
  const warning = (message: string): Warning => ({
    code: 'W_X',
    severity: 'warning',
    message,
    remedy: 'act',
  });
  const told = (): string[] => {
    log.look();
    return lines.splice(0);
  };

  before(() => {
    log = new WarningLog(() => standing, new Log(sink, { level: 'info', format: 'text' }));
  });
  after(() => log.close());

  it('is that one begins, once, though its figures rise, and that it ended', () => {
    deepEqual(told(), []);
    standing = [warning('peer a: away (for 5 s)')];
    match(told().join(), /warn a warning begins code=W_X what="peer a: away \(for 5 s\); act"/);
    standing = [warning('peer a: away (for 35 s)')];
    deepEqual(told(), []);
    standing = [warning('peer a: away (for 65 s)'), warning('peer b: away (for 5 s)')];
    match(told().join(), /^[^,]*peer b[^,]*$/);
    standing = [warning('peer b: away (for 35 s)')];
    match(told().join(), /^now info a warning ended what="peer a: away \(for 5 s\); act"$/);
    standing = [];
    match(told().join(), /a warning ended what="peer b/);
    deepEqual(told(), []);
  });
});
