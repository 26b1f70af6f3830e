import { deepEqual, equal } from 'node:assert/strict';
import { type Address, parseAddress } from '../../../../base/address.ts';
import { after, instant } from '../../../../base/instant.ts';
import { GateBook, type GateSituation } from '../../../../daemon/policy/gate-book.ts';
import type { GateAttachment } from '../../../../npc/gate/attachment-file.ts';

const [A, B, C] = ['wv00000000001', 'wv00000000002', 'wv00000000003'] as const;
const NOW = instant(1000);
const LATER = instant(2000);

function attachment(link: string, namespace: string | undefined): GateAttachment {
  const pod = namespace === undefined ? null : { namespace, name: 'p', uid: '' };
  return { link, serial: 's', addresses: [], pod, containerId: `of-${link}`, ungoverned: false };
}

const AWAY: GateSituation = {
  npcSpeaks: false,
  npcMayWrite: false,
  governed: { all: false, namespaces: new Set(['policed']) },
};
const THERE: GateSituation = { ...AWAY, npcSpeaks: true, npcMayWrite: true };

describe('the book of the gate', () => {
  let book: GateBook;
  beforeEach(() => {
    book = new GateBook();
    book.put(attachment(A, 'free'), NOW);
    book.put(attachment(B, 'policed'), NOW);
  });
  const compare = (found: readonly string[], situation: GateSituation, readAt = LATER) =>
    book.compare(new Set(found), { ...situation, readAt }, LATER);
  const standing = (link: string): string => book.get(link)!.standing.is;

  it('goes by the addresses and the container that the plugin has, and by the pod that was known of the same one', () => {
    const [first, second] = ['10.32.0.7', 'fd00::7'].map((text) => parseAddress(text)!) as [Address, Address];
    const found = { link: B, serial: 'n', containerId: `of-${B}`, addresses: [first, second] };
    book.decide(B, NOW);
    deepEqual(book.adopt(found, LATER), { ...attachment(B, 'policed'), ...found });
    equal(standing(B), 'decided');
    equal(book.adopt({ ...found, serial: 'o', addresses: [second, first] }, LATER), undefined);
    const other = { ...found, serial: 'p', containerId: 'another' };
    deepEqual(book.adopt(other, LATER), { ...attachment(B, undefined), ...other });
    deepEqual(book.adopt({ ...other, link: C }, LATER)?.pod, null);
  });

  it('tells what changed since, as long as that is known', () => {
    const { changes } = book;
    deepEqual(book.changedSince(changes), { put: [], gone: [] });
    book.remove(A, `of-${A}`, NOW);
    book.put(attachment(C, 'free'), NOW);
    book.renew(B, 't');
    deepEqual(book.changedSince(changes), {
      put: [{ ...attachment(B, 'policed'), serial: 't' }, attachment(C, 'free')],
      gone: [A],
    });
    book.put(attachment(A, 'free'), LATER);
    deepEqual(book.changedSince(book.changes - 1), { put: [attachment(A, 'free')], gone: [] });
    equal(book.changedSince(book.changes + 1), undefined);
    const links = Array.from({ length: 1025 }, (_, i) => `wv1${i.toString(16).padStart(10, '0')}`);
    for (const link of links) book.put(attachment(link, 'free'), NOW);
    for (const link of links) book.remove(link, `of-${link}`, NOW);
    equal(book.changedSince(changes), undefined, 'some that are gone are forgotten');
    equal(book.changedSince(book.changes - 1)?.gone.length, 1);
  });

  it('asks weft-npc where it speaks, opens or closes where it does not', () => {
    deepEqual([book.consult(A, THERE, NOW), standing(A)], [false, 'asked']);
    deepEqual([book.consult(A, AWAY, NOW), book.consult(B, AWAY, NOW), standing(B)], [true, false, 'closed']);
  });

  it('does not ask again who gave no answer, until its element is to be made anew', () => {
    book.consult(A, THERE, NOW);
    book.noAnswer(A);
    equal(book.consult(A, THERE, NOW), true);
    book.renew(A, 't');
    deepEqual(
      [book.consult(A, THERE, NOW), standing(A), book.get(A)!.attachment.serial],
      [false, 'asked', 't'],
    );
  });

  it('keeps closed whose address is held, until weft-npc speaks, and says so once', () => {
    const closedFor = (): string | undefined => {
      const { standing: its } = book.get(A)!;
      return its.is === 'closed' ? its.reason : undefined;
    };
    equal(book.consult(A, AWAY, NOW), true);
    deepEqual([book.bar(A, NOW), book.bar(A, NOW), closedFor()], [true, false, 'address']);
    deepEqual([book.consult(A, AWAY, NOW), closedFor()], [true, 'address'], 'it is tried again');
    deepEqual([book.consult(A, THERE, NOW), standing(A)], [false, 'asked']);
    book.decide(A, NOW);
    deepEqual([book.bar(A, NOW), standing(A)], [false, 'decided']);
  });

  it('asks nobody for whom somebody has spoken', () => {
    book.decide(B, NOW);
    deepEqual([book.consult(B, AWAY, NOW), standing(B)], [false, 'decided']);
  });

  it('opens after a loss of all only whom no policy may select, though weft-npc is there', () => {
    for (const link of [A, B]) book.decide(link, NOW);
    deepEqual(book.loseAll(THERE, LATER), [A]);
    deepEqual([standing(B), book.get(B)!.since], ['closed', LATER]);
  });

  it('takes what it finds in the set for the word of weft-npc, where that may have written', () => {
    deepEqual(compare([A, B], THERE).decided, [A, B]);
    deepEqual([standing(A), standing(B)], ['decided', 'decided']);
  });

  it('takes out what it finds in the set where nobody may have written, known or not', () => {
    deepEqual(compare([B, C], AWAY).remove, [B, C]);
    equal(standing(B), 'closed');
  });

  it('leaves elements of pods that are gone to weft-npc for a while', () => {
    book.decide(A, NOW);
    equal(book.remove(A, `of-${A}`, NOW), true);
    deepEqual(compare([A, C], THERE).remove, []);
    deepEqual([book.goneFor(1000, LATER), book.goneFor(0, LATER)], [[A], [A, C]]);
    deepEqual(compare([], THERE).remove, []);
    deepEqual(book.goneFor(0, LATER), [], 'weft-npc has taken them out');
  });

  it('misses an element only where it was there before the set was read', () => {
    book.decide(A, NOW);
    deepEqual(compare([], THERE, NOW).lost, []);
    deepEqual(compare([], AWAY).lost, [A]);
    book.decide(A, NOW);
    deepEqual(compare([], AWAY).open, [A], 'weftd puts it there again');
  });

  it('knows no pod by the link of another container', () => {
    equal(book.remove(A, 'of-another', NOW), false);
    equal(standing(A), 'closed');
  });

  it('remembers elements that may be left over, until they are taken out', () => {
    book.remove(A, `of-${A}`, NOW);
    equal(book.isStale(A), true);
    book.cleared([A]);
    equal(book.isStale(A), false);
  });

  it('learns whose a link is, and another later, but not where a runtime named the pod or said that it is none', () => {
    const pod = { namespace: 'free', name: 'q', uid: 'u' };
    book.put(attachment(C, undefined), NOW);
    equal(book.identify(A, pod), undefined);
    deepEqual(book.identify(C, pod)!.pod, pod);
    equal(book.get(C)!.attachment.byAddress, true);
    equal(book.identify(C, { ...pod }), undefined, 'nothing new');
    deepEqual(book.identify(C, { ...pod, name: 'r' })!.pod?.name, 'r');
    book.put({ ...attachment(C, undefined), ungoverned: true }, NOW);
    equal(book.identify(C, pod), undefined);
  });

  it('counts every change of who hangs here, and nothing else', () => {
    const before = book.changes;
    book.consult(A, THERE, NOW);
    book.decide(A, NOW);
    equal(book.changes, before);
    book.put(attachment(C, 'free'), NOW);
    book.renew(C, 'u');
    book.remove(C, `of-${C}`, after(NOW, 1));
    equal(book.changes, before + 3);
  });
});
