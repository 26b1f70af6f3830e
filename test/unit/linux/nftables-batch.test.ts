import { deepEqual, equal, ok } from 'node:assert/strict';
import { hex } from '../../../base/bytes.ts';
import { elementText, encodeElements, type TableElement } from '../../../linux/elements/nftables-batch.ts';
import { NLM_F_ACK, parseMessages } from '../../../linux/netlink-message.ts';

const LINK = 'wv0000000000a';

function messages(steps: Parameters<typeof encodeElements>[1]) {
  const parsed = parseMessages(encodeElements('t', steps, 7));
  ok(parsed.ok);
  return parsed.value;
}

describe('elements of nftables', () => {
  it('are written as nft reads them', () => {
    deepEqual(
      [
        { link: LINK },
        { address: 'fd00::1' },
        { link: LINK, address: '10.0.0.1' },
        { link: LINK, goto: 'p' },
      ].map(elementText),
      [`"${LINK}"`, 'fd00::1', `"${LINK}" . 10.0.0.1`, `"${LINK}" : goto p`],
    );
  });

  it('go in one batch under one number, of which the last change alone is acknowledged', () => {
    const elements: TableElement[] = Array.from({ length: 900 }, (_, i) => ({
      address: `10.0.${i >> 8}.${i & 255}`,
    }));
    const all = messages([
      { verb: 'delete', set: 'a', elements: [{ address: '10.9.9.9' }] },
      { verb: 'add', set: 'a', elements },
    ]);
    deepEqual(
      all.map(({ type, flags }) => [type & 0xff, (flags & NLM_F_ACK) !== 0]),
      [
        [0x10, false],
        [14, false],
        [12, false],
        [12, false],
        [12, true],
        [0x11, false],
      ],
    );
    ok(all.every(({ sequence, payload }) => sequence === 7 && payload.length < 65_536));
  });

  it('name a link by sixteen bytes, and what a map leads to only where it comes', () => {
    const name = hex(new TextEncoder().encode(LINK)).padEnd(32, '0');
    const [, add, remove] = messages([
      { verb: 'add', set: 'm', elements: [{ link: LINK, goto: 'p-1' }] },
      { verb: 'delete', set: 'm', elements: [{ link: LINK, goto: 'p-1' }] },
    ]).map(({ payload }) => hex(payload));
    ok(add!.includes(name) && remove!.includes(name));
    // NFT_GOTO, and the chain.
    ok(add!.includes('fffffffc') && add!.includes('702d31'));
    equal(remove!.includes('702d31'), false);
  });
});
