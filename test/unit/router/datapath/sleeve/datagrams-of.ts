/** The datagrams of a run, each with bytes of its own. */
export function datagramsOf(bytes: Uint8Array, segment = bytes.length): Uint8Array[] {
  const datagrams: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += segment) datagrams.push(bytes.slice(at, at + segment));
  return datagrams;
}
