import { deepEqual, equal, ok } from 'node:assert/strict';
import { parseAddress } from '../../../../base/address.ts';
import { utf8 } from '../../../../base/bytes.ts';
import type { Sighting } from '../../../../control/probe-request.ts';
import {
  decodeProbeMessage,
  encodeProbeMessage,
  type ProbeMessage,
} from '../../../../daemon/probe/probe-message.ts';

const FLOW = {
  protocol: 'TCP',
  source: parseAddress('fd00::2')!,
  target: parseAddress('fd00:1::9')!,
  port: 80,
  mark: 61_234,
} as const;
const SEEN: Sighting = { way: 'there', at: 'in', link: 'weft0', other: 'fd00:1::9', port: 80 };
const TOLD = {
  target: 'pod',
  gate: 'open',
  forwards: true,
  seen: [SEEN, { way: 'back', at: 'out', link: 'weft0', other: 'fd00:1::9', says: 'accepted' }],
  drops: [{ way: 'there', family: 'inet', table: 't', chain: 'c', rule: null }],
} as const;
const MESSAGES: readonly ProbeMessage[] = [
  { say: 'watch', id: '0123abcd', flow: FLOW },
  { say: 'watching', id: '0123abcd' },
  { say: 'refused', id: '0123abcd' },
  { say: 'ask', id: '0123abcd' },
  { say: 'done', id: '0123abcd' },
  { say: 'told', id: '0123abcd', saw: TOLD },
];

describe('what nodes say about probes', () => {
  for (const message of MESSAGES)
    it(`is read as it was written: ${message.say}`, () =>
      deepEqual(decodeProbeMessage(encodeProbeMessage(message)), message));

  it('fits a control message, however much was seen', () => {
    const seen = Array.from({ length: 100 }, () => SEEN);
    const bytes = encodeProbeMessage({ say: 'told', id: '0123abcd', saw: { ...TOLD, seen } });
    ok(bytes.length <= 1100, String(bytes.length));
    const read = decodeProbeMessage(bytes);
    ok(read?.say === 'told' && read.saw.seen.length > 4 && read.saw.drops.length === 1);
  });

  it('is nothing where anything of it is not right', () => {
    const wrong = [
      '',
      '[]',
      '{"say":"ask"}',
      '{"say":"ask","id":"0123ABCD"}',
      '{"say":"else","id":"0123abcd"}',
      '{"say":"watch","id":"0123abcd"}',
      '{"say":"watch","id":"0123abcd","flow":{"protocol":"TCP","source":"10.0.0.1","target":"fd00::1","port":1,"mark":1}}',
      '{"say":"watch","id":"0123abcd","flow":{"protocol":"SCTP","source":"10.0.0.1","target":"10.0.0.2","port":1,"mark":1}}',
      '{"say":"watch","id":"0123abcd","flow":{"protocol":"TCP","source":"10.0.0.1","target":"10.0.0.2","port":70000,"mark":1}}',
      '{"say":"told","id":"0123abcd","saw":{"target":"pod","gate":null,"forwards":true,"seen":[{}],"drops":[]}}',
      '{"say":"told","id":"0123abcd","saw":{"target":"pod","gate":"ajar","forwards":true,"seen":[],"drops":[]}}',
    ];
    for (const text of wrong) equal(decodeProbeMessage(utf8(text)), undefined, text);
  });
});
