/**
 * The handshake patterns of the Noise specification (revision 34, §7 and §9) that Weft uses, as data. The
 * interpreter in `noise.ts` reads these tables and knows no pattern by name.
 */

/** `e`, `s`: send that public key. Two letters: mix that Diffie-Hellman, initiator's key first. `psk`: mix one. */
export type Token = 'e' | 's' | 'ee' | 'es' | 'se' | 'ss' | 'psk';

export interface HandshakePattern {
  /** As it stands in the protocol name, modifiers included: `IKpsk0+psk2`. */
  readonly name: string;
  /** Whether the initiator knows the responder's static key beforehand (the pre-message `<- s`). */
  readonly responderStaticKnown: boolean;
  /** Tokens of each message; the initiator sends the first, then the sides alternate. */
  readonly messages: readonly (readonly Token[])[];
  /** How many pre-shared keys the pattern mixes. */
  readonly pskCount: number;
}

/**
 * ```
 * IK:  <- s                     XX:
 *      ...                          -> e
 *      -> e, es, s, ss              <- e, ee, s, es
 *      <- e, ee, se                 -> s, se
 * ```
 */
const FUNDAMENTAL = {
  IK: {
    responderStaticKnown: true,
    messages: [
      ['e', 'es', 's', 'ss'],
      ['e', 'ee', 'se'],
    ],
  },
  XX: { responderStaticKnown: false, messages: [['e'], ['e', 'ee', 's', 'es'], ['s', 'se']] },
} as const satisfies Record<string, Omit<HandshakePattern, 'name' | 'pskCount'>>;

/** A PSK modifier may stand before the first message (psk0) or behind message n (pskn). */
const PSK_MODIFIER = /^psk([0-3])$/;

/** The pattern `name`: IK or XX with any psk modifiers joined by `+`, in rising order. Undefined else. */
export function handshakePattern(name: string): HandshakePattern | undefined {
  const match = /^(IK|XX)((?:psk[0-3](?:\+psk[0-3])*)?)$/.exec(name);
  if (!match) return undefined;
  const fundamental = FUNDAMENTAL[match[1] as keyof typeof FUNDAMENTAL];
  const messages: Token[][] = fundamental.messages.map((tokens) => [...tokens]);
  const modifiers = match[2] === '' ? [] : match[2]!.split('+');
  let last = -1;
  for (const modifier of modifiers) {
    const position = Number(PSK_MODIFIER.exec(modifier)![1]);
    if (position <= last || position > messages.length) return undefined;
    if (position === 0) messages[0]!.unshift('psk');
    else messages[position - 1]!.push('psk');
    last = position;
  }
  return {
    name,
    responderStaticKnown: fundamental.responderStaticKnown,
    messages,
    pskCount: modifiers.length,
  };
}
