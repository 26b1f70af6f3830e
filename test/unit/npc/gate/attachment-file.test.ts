import { deepEqual, equal, ok } from 'node:assert/strict';
import fc from 'fast-check';
import { parseAddress } from '../../../../base/address.ts';
import { hostLinkName } from '../../../../cni/host-link-name.ts';
import { isGatedLink } from '../../../../linux/policy-gate.ts';
import {
  attachmentFileName,
  attachmentJson,
  type GateAttachment,
  linkOfFileName,
  MAX_ATTACHMENT_BYTES,
  parseAttachment,
  parseAttachmentText,
} from '../../../../npc/gate/attachment-file.ts';

const ATTACHMENT: GateAttachment = {
  link: 'wv0123456789a',
  serial: 'k2-17',
  addresses: [parseAddress('10.32.0.5')!, parseAddress('fd00::5')!],
  pod: { namespace: 'ns', name: 'web-0.a', uid: '7b6f-1' },
  containerId: 'a'.repeat(64),
  ungoverned: false,
};

describe('the file of an attachment', () => {
  const read = (attachment: GateAttachment) =>
    parseAttachmentText(JSON.stringify(attachmentJson(attachment)));

  it('is read back as it was written', () => deepEqual(read(ATTACHMENT), ATTACHMENT));

  it('is read back where the pod is not known, and where there is none', () => {
    for (const ungoverned of [false, true]) {
      const attachment = { ...ATTACHMENT, pod: null, ungoverned };
      deepEqual(read(attachment), attachment);
    }
  });

  it('is read back where the pod was found by its addresses', () => {
    const attachment = { ...ATTACHMENT, byAddress: true };
    deepEqual(read(attachment), attachment);
  });

  it('is read with members of a later version', () =>
    deepEqual(parseAttachment({ ...attachmentJson(ATTACHMENT), node: 'n' }), ATTACHMENT));

  it('is of one link, and no other name is one', () => {
    equal(linkOfFileName(attachmentFileName(ATTACHMENT.link)), ATTACHMENT.link);
    for (const name of ['wv0123456789a', '.wv0123456789a.json', 'wv0123456789A.json', 'eth0.json', ''])
      equal(linkOfFileName(name), undefined, name);
  });

  it('takes the names that links of pods have', () => {
    for (let i = 0; i < 100; i++) ok(isGatedLink(hostLinkName({ containerId: `c${i}`, ifname: 'eth0' })));
  });

  const wrong: readonly [string, object][] = [
    ['no version', { version: undefined }],
    ['a version of the future', { version: 2 }],
    ['a link of somebody else', { link: 'eth0' }],
    ['a link that ends a statement of nft', { link: 'wv0123456789a"}' }],
    ['no serial', { serial: '' }],
    ['a long serial', { serial: 'a'.repeat(65) }],
    ['an address that is none', { addresses: ['10.32.0.256'] }],
    ['two addresses of a family', { addresses: ['10.32.0.5', '10.32.0.6'] }],
    ['addresses that are no list', { addresses: '10.32.0.5' }],
    ['no word of the pod', { pod: undefined }],
    ['a pod without a namespace', { pod: { name: 'n', uid: '' } }],
    ['a namespace that Kubernetes would not take', { pod: { namespace: 'A', name: 'n', uid: '' } }],
    ['a name that leads elsewhere', { pod: { namespace: 'a', name: '../n', uid: '' } }],
    ['a name too long', { pod: { namespace: 'a', name: 'n'.repeat(254), uid: '' } }],
    ['a uid too long', { pod: { namespace: 'a', name: 'n', uid: 'a'.repeat(129) } }],
    ['a container id that is none', { containerId: '../x' }],
    ['a pod that no policy selects', { ungoverned: true }],
    ['ungoverned as a text', { pod: null, ungoverned: 'true' }],
    ['how the pod was found as a text', { byAddress: 'yes' }],
  ];
  for (const [what, over] of wrong) {
    it(`is not read with ${what}`, () =>
      equal(parseAttachment({ ...attachmentJson(ATTACHMENT), ...over }), undefined));
  }

  it('is not read where it is no JSON, or too long', () => {
    equal(parseAttachmentText('{'), undefined);
    equal(parseAttachmentText(''), undefined);
    const long = JSON.stringify({ ...attachmentJson(ATTACHMENT), more: 'a'.repeat(MAX_ATTACHMENT_BYTES) });
    equal(parseAttachmentText(long), undefined);
  });

  it('may be anything at all', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        parseAttachment(value);
        parseAttachment({ ...attachmentJson(ATTACHMENT), ...(typeof value === 'object' ? value : {}) });
      }),
    );
  });
});
