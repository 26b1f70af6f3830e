import { deepEqual, equal, match } from 'node:assert/strict';
import {
  addressesIn,
  decidedIn,
  isGatedLink,
  renderDecided,
  renderGate,
  renderGateAlone,
} from '../../../linux/policy-gate.ts';

describe('the gate', () => {
  const [a, b] = ['wv0123456789a', 'wv0123456789b'];

  it('goes by interface and drops what is forwarded from and to pods that are not decided', () => {
    const text = renderGateAlone([a!]);
    match(text, /^table inet weft-npc\ndelete table inet weft-npc\ntable inet weft-npc \{/);
    match(text, /set decided \{ type ifname; elements = \{ "wv0123456789a" \} \}/);
    match(text, /iifname "wv\*" iifname != @decided counter name gateForward drop/);
    match(text, /oifname "wv\*" oifname != @decided counter name gateForward drop/);
  });

  it('lays the same rules whether alone or beside others', () => {
    const rules = (text: string): string[] => text.match(/[io]ifname .*/g)!;
    deepEqual(rules(renderGate()), rules(renderGateAlone([])));
  });

  it('takes out of the set also what is not there', () =>
    equal(
      renderDecided({ add: [b!], remove: [a!] }),
      `add element inet weft-npc decided { "${a}" }\ndelete element inet weft-npc decided { "${a}" }\nadd element inet weft-npc decided { "${b}" }\n`,
    ));

  it('names each link once, whoever asks', () =>
    equal(
      renderDecided({ remove: [a!, a!] }),
      `add element inet weft-npc decided { "${a}" }\ndelete element inet weft-npc decided { "${a}" }\n`,
    ));

  it('is not changed where nothing changes', () => equal(renderDecided({}), ''));

  it('finds in the listing of all sets the single addresses, and nothing where the listing is cut off', () => {
    const listing = `table inet weft-npc {
\tset decided {
\t\ttype ifname
\t\telements = { "wv0123456789a" }
\t}

\tset a4-1 {
\t\ttype ipv4_addr
\t\telements = { 10.32.0.5, 10.32.0.9,
\t\t\t     10.32.0.10 }
\t}

\tset a6-2 {
\t\ttype ipv6_addr
\t\telements = { fd00:32::5, ::1 }
\t}

\tset a6-3 {
\t\ttype ipv6_addr
\t}

\tset c4-1 {
\t\ttype ipv4_addr
\t\tflags interval
\t\telements = { 10.0.0.0/24, 10.32.0.7 }
\t}

\tset h4-1 {
\t\ttype ipv4_addr
\t\telements = { 10.32.0.6 }
\t}

\tset own4 {
\t\ttype ifname . ipv4_addr
\t\telements = { "wv0123456789a" . 10.32.0.8 }
\t}
}
`;
    const { peers, known } = addressesIn(listing)!;
    deepEqual([...peers], ['10.32.0.5', '10.32.0.9', '10.32.0.10', 'fd00:32::5', '::1']);
    deepEqual([...known], ['10.32.0.6']);
    equal(addressesIn(listing.slice(0, -10)), undefined);
  });

  it('finds in the listing of the set what is there', () => {
    const listing = `table inet weft-npc {\n\tset decided {\n\t\ttype ifname\n\t\telements = { "${a}",\n\t\t\t     "${b}", "eth0" }\n\t}\n}\n`;
    deepEqual([...decidedIn(listing)], [a, b]);
  });

  it('takes no name that could mean something to nft', () =>
    deepEqual(['wv0123456789a', 'wv*', 'wv0123456789a" }', 'wv0123456789g', 'wv'].map(isGatedLink), [
      true,
      false,
      false,
      false,
      false,
    ]));
});
