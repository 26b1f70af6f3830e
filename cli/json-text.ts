/**
 * A value as JSON, over several lines or as one line, with its end. Characters that steer a terminal are escaped, also
 * those beyond ASCII, which JSON need not: whoever looks at it does so in a terminal, and names in it are not trusted.
 */
export function jsonText(value: unknown, form: 'lines' | 'line' = 'lines'): string {
  const text = JSON.stringify(value, undefined, form === 'lines' ? 2 : undefined);
  return `${text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escaped)}\n`;
}

function escaped(character: string): string {
  // Line ends of JSON itself are no part of a text.
  if (character === '\n') return character;
  return Array.from({ length: character.length }, (_, i) => {
    return `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
  }).join('');
}
