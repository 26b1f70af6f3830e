import { deepEqual, equal } from 'node:assert/strict';
import { jsonText } from '../../../cli/json-text.ts';

describe('JSON that weft prints', () => {
  it('holds no character that steers a terminal, and means the same', () => {
    const value = { 'a\u009b31m': 'x\u001b[2J\u2028\u202e\u{e0001}é\n', b: [1, null] };
    for (const form of ['lines', 'line'] as const) {
      const text = jsonText(value, form);
      equal(/[^\P{C}\n]|[\u2028\u2029]/u.test(text), false, JSON.stringify(text));
      deepEqual(JSON.parse(text), value);
    }
    equal(jsonText({ a: 1 }, 'line'), '{"a":1}\n');
    equal(jsonText({ a: 1 }), '{\n  "a": 1\n}\n');
  });
});
