/** Two readers of the same bytes: what ours accepts, llhttp must accept and read in the same way, but for what is explained here. */
import { describeReading, type Message, type Reading } from './message.ts';

interface Explanation {
  readonly why: string;
  /** The same text without what llhttp takes offence at. If llhttp then reads what we read, that was the whole difference. */
  readonly without: (text: string) => string;
}

/** What makes llhttp refuse bytes that we accept, and why that is no fault of ours. */
export const EXPLAINED: readonly Explanation[] = [
  {
    why: 'White space behind a value may be HTAB (RFC 9110 section 5.6.3). Behind a length or a coding, llhttp takes SP only.',
    without: (text) => text.replace(/^((?:content-length|transfer-encoding):[^\r\n]*?)[ \t]+\r\n/gim, '$1\r\n'),
  },
  {
    why: 'A chunk extension may have white space around ; and = (RFC 9112 section 7.1.1). We check it, and drop it with its extension.',
    without: (text) =>
      text.replace(/^([0-9a-f]+)[ \t]*;[^\r\n]*[ \t][^\r\n]*\r\n|^([0-9a-f]+)[ \t]+;[^\r\n]*\r\n/gim, '$1$2\r\n'),
  },
];

type Read = (bytes: Buffer) => Reading;

/** Why our reading of a text is a fault, or ''. `read` is llhttp's. */
export function fault(text: string, ours: Reading, read: Read): string {
  if (ours.messages.length === 0) return '';
  const theirs = read(Buffer.from(text, 'latin1'));
  if (agrees(ours, theirs)) return '';
  const bare = EXPLAINED.reduce((rest, { without }) => without(rest), text);
  if (bare !== text && agrees(ours, read(Buffer.from(bare, 'latin1')))) return '';
  return `${JSON.stringify(text)}\n  we read      ${describeReading(ours)}\n  llhttp reads ${describeReading(theirs)} (${theirs.refusal ?? 'no refusal'})`;
}

/**
 * Whether what we accept is there, message for message. Theirs may go further: to refuse what they accept is our right. Behind a message that
 * closes they refuse to read on, which is no opinion about what stands there (for a proxy the connection decides that, not the parser).
 */
function agrees(ours: Reading, theirs: Reading): boolean {
  const count =
    theirs.refusal === 'HPE_CLOSED_CONNECTION'
      ? Math.min(theirs.messages.length, ours.messages.length)
      : ours.messages.length;
  return textOf(theirs.messages.slice(0, count)) === textOf(ours.messages.slice(0, count)) && count > 0;
}

function textOf(messages: readonly Message[]): string {
  return JSON.stringify(
    messages.map(({ method, target, status, versionMinor, fields, body, trailers }) => [
      [method, target, status, versionMinor, body],
      fields,
      trailers,
    ]),
  );
}
