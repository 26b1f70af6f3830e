import { equal } from 'node:assert/strict';
import { diskFindings, type FolderFacts } from '../../../doctor/disk-findings.ts';

const MIB = 1024 * 1024;
const SOUND: FolderFacts = {
  path: '/var/lib/weft',
  freeBytes: 1000 * MIB,
  freeInodes: 1000,
  readOnly: false,
  problem: undefined,
};

const CASES: readonly (readonly [what: string, facts: Partial<FolderFacts>, verdict: string])[] = [
  ['room enough', {}, 'ok'],
  ['a file system that counts no inodes', { freeInodes: undefined }, 'ok'],
  ['little room', { freeBytes: 10 * MIB }, 'warning'],
  ['no room', { freeBytes: 100 }, 'fault'],
  ['no inodes', { freeInodes: 0 }, 'fault'],
  ['a file system that is read-only', { readOnly: true }, 'fault'],
  ['a folder that cannot be looked at', { freeBytes: undefined, problem: 'EIO' }, 'fault'],
];

describe('the doctor of disks', () => {
  for (const [what, facts, verdict] of CASES) {
    it(`says ${verdict} of ${what}`, () =>
      equal(diskFindings([{ ...SOUND, ...facts }])[0]!.verdict, verdict));
  }
});
