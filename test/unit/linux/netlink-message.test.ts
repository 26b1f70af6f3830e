import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import {
  attribute,
  attributeText,
  attributeU32,
  encodeMessage,
  join,
  nestedAttribute,
  parseAttributes,
  parseMessages,
  textAttribute,
  u8Attribute,
  u32Attribute,
} from '../../../linux/netlink-message.ts';

const anyMessage = fc.record({
  type: fc.integer({ min: 0, max: 0xffff }),
  flags: fc.integer({ min: 0, max: 0xffff }),
  sequence: fc.integer({ min: 0, max: 0xffffffff }),
  payload: fc.uint8Array({ maxLength: 70 }),
});

describe('netlink messages', () => {
  it('reads back any list of messages', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 5 }), (messages) => {
        const bytes = join(messages.map((m) => encodeMessage(m.type, m.flags, m.sequence, m.payload)));
        const parsed = parseMessages(bytes);
        assert.ok(parsed.ok);
        assert.deepEqual(
          parsed.value.map((m) => ({ ...m, payload: Uint8Array.from(m.payload) })),
          messages.map((m) => ({ ...m, port: 0 })),
        );
      }),
    );
  });

  it('refuses a length that is less than a header or more than there is', () => {
    for (const length of [0, 15, 21, 0xffffffff]) {
      const bytes = encodeMessage(1, 0, 1, Uint8Array.of(1, 2, 3, 4));
      new DataView(bytes.buffer).setUint32(0, length, true);
      assert.deepEqual(parseMessages(bytes), { ok: false, reason: 'malformedMessage' }, String(length));
    }
    assert.equal(parseMessages(new Uint8Array(15)).ok, false);
  });

  it('takes a last message whose padding was cut off', () => {
    const bytes = encodeMessage(1, 0, 1, Uint8Array.of(1, 2, 3)).subarray(0, 19);
    const parsed = parseMessages(bytes);
    assert.ok(parsed.ok && parsed.value[0]!.payload.length === 3);
  });
});

describe('netlink attributes', () => {
  it('reads back numbers, text and nests', () => {
    const inner = join([u32Attribute(1, 0xfffffffe), textAttribute(2, 'eth0')]);
    const parsed = parseAttributes(join([u8Attribute(7, 9), nestedAttribute(3, inner), attribute(4, inner)]));
    assert.ok(parsed.ok);
    assert.deepEqual([...parsed.value.keys()], [7, 3, 4], 'the nesting flag is no part of the type');
    const nested = parseAttributes(parsed.value.get(3)!);
    assert.ok(nested.ok);
    assert.equal(attributeU32(nested.value, 1), 0xfffffffe);
    assert.equal(attributeText(nested.value, 2), 'eth0');
    assert.equal(attributeU32(nested.value, 2), undefined, 'of another length');
    assert.equal(attributeU32(nested.value, 9), undefined);
  });

  it('refuses lengths that do not fit', () => {
    for (const bytes of [
      [3, 0, 1, 0],
      [0, 0, 1, 0],
      [9, 0, 1, 0, 1, 2, 3, 4],
      [4, 0, 1],
    ]) {
      assert.deepEqual(parseAttributes(Uint8Array.from(bytes)), { ok: false, reason: 'malformedAttribute' });
    }
  });

  it('shows no control characters of text that somebody else chose', () => {
    const parsed = parseAttributes(attribute(1, Uint8Array.of(0x61, 0x1b, 0x0a, 0xff, 0x62, 0, 0x63)));
    assert.ok(parsed.ok);
    assert.equal(attributeText(parsed.value, 1), 'a???b');
  });

  it('ends on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        parseMessages(bytes);
        parseAttributes(bytes);
      }),
    );
  });
});
