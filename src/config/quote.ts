const SHOWN_MAX_LENGTH = 60;
/** What JSON leaves alone, but a terminal may obey: DEL, C1 controls, and marks that change the direction of text. */
const UNPRINTABLE = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A text from the configuration, quoted, cut and made harmless for a terminal. */
export function quote(text: string): string {
  return printable(JSON.stringify(text.length > SHOWN_MAX_LENGTH ? `${text.slice(0, SHOWN_MAX_LENGTH)}…` : text));
}

/** Escapes what a terminal may obey. Expects text without line breaks to keep. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must go.
  return text.replace(/[\u0000-\u001f]/g, ' ').replace(UNPRINTABLE, escapeCharacter);
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** A value from the configuration in words, as in `the text "5"` or `a list`. Looks into nothing, so cycles do no harm. */
export function describeValue(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return `the text ${quote(value)}`;
  if (typeof value === 'number' || typeof value === 'bigint') return `the number ${value}`;
  if (typeof value === 'boolean') return String(value);
  return typeof value === 'object' ? 'a mapping' : `a ${typeof value}`;
}
