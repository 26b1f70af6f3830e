/**
 * Text from outside (a value of a user, a name of a peer) as it may stand in one line of a terminal or log:
 * without control, formatting and line separating characters, and of at most `limit` characters.
 */
export function printable(text: string, limit = 200): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return cut.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '?');
}
