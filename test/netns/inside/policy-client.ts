// Speaks to weftd as weft-npc does, and puts into the set of those decided whom it decides for.
//   policy-client.ts RUN_DIR decide|hold|unknown|incomplete
// decide: speaks for every pod. hold: asks and says nothing. unknown: says that it knows none. incomplete: has no copy.
// Prints one line of JSON for each answer: the attachments and the peers.
import { setTimeout as delay } from 'node:timers/promises';
import { askDaemon } from '../../../control/control-client.io.ts';
import { changeDecided } from '../../../linux/policy-gate.io.ts';
import { parseAttachment } from '../../../npc/gate/attachment-file.ts';

const [runDir, mode] = process.argv.slice(2) as [string, string];
const serialByLink = new Map<string, string>();
let revision = '';
for (;;) {
  try {
    const answer = await askDaemon<'policyWait'>(runDir, {
      op: 'policyWait',
      revision,
      complete: mode !== 'incomplete',
    });
    ({ revision } = answer);
    const attachments = answer.attachments.map((each) => parseAttachment(each)!);
    console.log(JSON.stringify({ attachments: answer.attachments, peers: answer.peers }));
    const fresh = attachments.filter(({ link, serial }) => serialByLink.get(link) !== serial);
    for (const { link, serial } of fresh) serialByLink.set(link, serial);
    const links = fresh.map(({ link }) => link);
    if (links.length === 0) continue;
    if (mode === 'decide') {
      await changeDecided({ add: links });
      void askDaemon<'policyDecided'>(runDir, { op: 'policyDecided', links, unknown: [], pods: [] }).catch(
        forget,
      );
    } else if (mode === 'unknown')
      await askDaemon<'policyDecided'>(runDir, { op: 'policyDecided', links: [], unknown: links, pods: [] });
  } catch {
    forget();
    await delay(50);
  }
}

function forget(): void {
  serialByLink.clear();
  revision = '';
}
