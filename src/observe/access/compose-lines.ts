/** Puts lines together where there is no addon to do it. The twin of `ComposeLines` in native/compose_lines.cc: change both or neither. */
import { copyAscii } from '../../core/bytes.ts';
import { fromWords } from '../../core/two-words.ts';
import type { LineComposer } from './line-parts.ts';
import {
  ESCAPE_MAX_BYTES,
  LENGTH_BITS,
  LinePart,
  PART_BITS,
  PART_MAX_BYTES,
  PIECE_ALIGNMENT_BYTES,
  SLACK_BYTES,
} from './line-protocol.ts';

const PART_MASK = (1 << PART_BITS) - 1;
const LENGTH_MASK = (1 << LENGTH_BITS) - 1;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FAILED = -1;

/** What stands for each byte in a JSON string, and in a quoted one. */
const JSON_FORMS = Array.from({ length: 256 }, (_, byte) =>
  byte === QUOTE || byte === BACKSLASH ? `\\${String.fromCharCode(byte)}` : formOf(byte, '\\u00'),
);
const QUOTED_FORMS = Array.from({ length: 256 }, (_, byte) => formOf(byte, '\\x'));

function formOf(byte: number, prefix: string): string {
  const isPlain = byte >= 0x20 && byte < 0x7f && byte !== QUOTE && byte !== BACKSLASH;
  return isPlain ? String.fromCharCode(byte) : prefix + byte.toString(16).padStart(2, '0');
}

export const composeLines: LineComposer = (words, wordCount, texts, pieces, bytes, at) => {
  let end = at;
  for (let word = 0; word < wordCount; word++) {
    const part = words[word]! & PART_MASK;
    const argument = words[word]! >>> PART_BITS;
    const isText = part >= LinePart.PIECE && part <= LinePart.QUOTED;
    const length = isText ? argument & LENGTH_MASK : 0;
    if (end + length * ESCAPE_MAX_BYTES + PART_MAX_BYTES + SLACK_BYTES > bytes.length) return FAILED;
    if (isText) {
      const isPiece = part === LinePart.PIECE;
      const start = (argument >>> LENGTH_BITS) * (isPiece ? PIECE_ALIGNMENT_BYTES : 1);
      const source = isPiece ? pieces : texts;
      if (start + length + SLACK_BYTES > source.length) return FAILED;
      end = putBytes(bytes, end, part, source, start, start + length);
    } else if (part === LinePart.LONG_INTEGER || part === LinePart.LONG_DECIMAL) {
      if (word + 2 >= wordCount) return FAILED;
      const value = fromWords(words[word + 1]!, words[word + 2]! >>> 0);
      end = putText(bytes, end, part === LinePart.LONG_INTEGER ? String(value) : decimal(value));
      word += 2;
    } else {
      const text = shortText(part, argument);
      if (text === undefined) return FAILED;
      end = putText(bytes, end, text);
    }
  }
  return end;
};

/** Undefined: there is no such part. */
function shortText(part: number, argument: number): string | undefined {
  if (part === LinePart.BYTE) return String.fromCharCode(argument);
  if (part === LinePart.INTEGER) return String(argument);
  if (part === LinePart.DECIMAL) return decimal(argument);
  return part === LinePart.THREE_DIGITS ? threeDigits(argument) : undefined;
}

function decimal(thousandths: number): string {
  return `${Math.floor(thousandths / 1000)}.${threeDigits(thousandths % 1000)}`;
}

function threeDigits(value: number): string {
  return String(value).padStart(3, '0');
}

function putText(bytes: Uint8Array, at: number, text: string): number {
  copyAscii(text, bytes, at);
  return at + text.length;
}

function putBytes(bytes: Uint8Array, at: number, part: number, source: Uint8Array, start: number, end: number): number {
  let next = at;
  if (part === LinePart.JSON) bytes[next++] = QUOTE;
  const forms = part === LinePart.JSON ? JSON_FORMS : part === LinePart.QUOTED ? QUOTED_FORMS : undefined;
  if (forms === undefined) for (let from = start; from < end; from++) bytes[next++] = source[from]!;
  else for (let from = start; from < end; from++) next = putText(bytes, next, forms[source[from]!]!);
  if (part === LinePart.JSON) bytes[next++] = QUOTE;
  return next;
}
