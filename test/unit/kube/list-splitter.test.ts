import { deepEqual } from 'node:assert/strict';
import fc from 'fast-check';
import { ListSplitter } from '../../../kube/list-splitter.ts';

/** What comes out of `text` in pieces of at most `size` bytes. */
function split(text: string, size: number): { readonly elements: string[]; readonly head: string } {
  const splitter = new ListSplitter();
  const bytes = Buffer.from(text);
  const elements: string[] = [];
  for (let at = 0; at < bytes.length; at += size)
    for (const element of splitter.push(bytes.subarray(at, at + size)))
      elements.push(Buffer.from(element).toString());
  return { elements, head: Buffer.from(splitter.head()).toString() };
}

describe('ListSplitter', () => {
  it('gives each element of items, and the list without them', () => {
    const list =
      '{"kind":"PodList","metadata":{"items":[1]},"items":[{"a":"]}\\""}, {"items":[2]} ],"z":[3]}';
    deepEqual(split(list, 1_000), {
      elements: ['{"a":"]}\\""}', ' {"items":[2]} '],
      head: '{"kind":"PodList","metadata":{"items":[1]},"items":[],"z":[3]}',
    });
  });

  it('gives no element of an empty list, and nothing but the head of what is no list', () => {
    deepEqual(split('{"items": [ \n]}', 3), { elements: [], head: '{"items": []}' });
    for (const text of [
      '{"items":null}',
      '{"a":"items","b":[1]}',
      '{"itemsX":[1]}',
      '["items",[1]]',
      '7',
      '{',
    ])
      deepEqual(split(text, 2), { elements: [], head: text });
  });

  it('gives what a parser of JSON finds, whatever the items are and however the bytes are cut', () => {
    const pieces = fc.record({
      items: fc.array(fc.jsonValue()),
      other: fc.jsonValue(),
      last: fc.jsonValue(),
    });
    fc.assert(
      fc.property(pieces, fc.nat({ max: 40 }), fc.constantFrom(undefined, 1), (pieces, size, indent) => {
        const { items, other, last } = pieces;
        const text = JSON.stringify({ other, 'it"ems': [other], items, last }, null, indent);
        const { elements, head } = split(text, size + 1);
        deepEqual(
          elements.map((element) => JSON.parse(element) as unknown),
          JSON.parse(JSON.stringify(items)),
        );
        deepEqual(
          JSON.parse(head),
          JSON.parse(JSON.stringify({ other, 'it"ems': [other], items: [], last })),
        );
      }),
    );
  });

  it('never makes JSON of what is none', () => {
    const bytes = fc.stringMatching(/^[{}[\]",:\\ a1]{0,24}$/);
    fc.assert(
      fc.property(bytes, (middle) => {
        const text = `{"items":[${middle}]}`;
        const { elements, head } = split(text, 5);
        const isJson = (each: string): boolean => {
          try {
            JSON.parse(each);
            return true;
          } catch {
            return false;
          }
        };
        if (![...elements, head].every(isJson) || isJson(text)) return;
        // Only commas too many get through, which stand for nothing.
        const bare = (each: string): string => each.replace(/[, ]/g, '');
        deepEqual(bare(elements.join('')), bare(middle), text);
      }),
      { numRuns: 2_000 },
    );
  });
});
