/** Makes new inputs of old ones: a few changes each, of bytes, of words that mean something, and of parts of other inputs. */
import type { Random } from '../../src/core/random.ts';

const INPUT_MAX_BYTES = 64 * 1024;
const CHANGES_MAX = 6;

const WORDS = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '\r\n\r\n',
    '\n\r',
    ' ',
    '\t',
    '\0',
    '\v',
    '\f',
    ':',
    ': ',
    ' :',
    ',',
    ';',
    '"',
    '\\',
    '=',
    '_',
    '/',
  ],
  ...[
    'GET ',
    'HEAD ',
    'POST ',
    'CONNECT ',
    'OPTIONS * ',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    ' HTTP/1.1\r\n',
    ' HTTP/1.0\r\n',
  ],
  ...['HTTP/1.1 200 OK\r\n', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 204 \r\n', 'HTTP/1.1 304 \r\n', 'HTTP/1.0 '],
  ...[
    'Host: a\r\n',
    'Host:',
    'Content-Length: 0\r\n',
    'Content-Length: 5\r\n',
    'content-length:',
    'Transfer-Encoding: chunked\r\n',
  ],
  ...[
    'transfer-encoding:',
    'chunked',
    'Chunked',
    'identity',
    'gzip',
    'Connection: close\r\n',
    'Connection: Upgrade\r\n',
  ],
  ...[
    'Upgrade: websocket\r\n',
    'Expect: 100-continue\r\n',
    'Trailer: X\r\n',
    'Keep-Alive: timeout=5\r\n',
    'Transfer_Encoding: x\r\n',
  ],
  ...[
    '0\r\n\r\n',
    '0\r\n',
    '5\r\nhello\r\n',
    'ffffffffffffffff\r\n',
    '0x5\r\n',
    '5;a=b\r\n',
    '5;a="\r\n',
    '+5',
    '-5',
    '00000000000000005',
  ],
  ...[
    '9007199254740993',
    '18446744073709551621',
    '4294967301',
    'http://a/',
    '%00',
    '%2e%2e/',
    '..',
    '//',
    '#',
    '?',
    '[::1]',
    '@',
  ],
].map((word) => Buffer.from(word, 'latin1'));

/** A changed copy of one of `pool`, perhaps with a part of another. */
export function mutate(pool: readonly Buffer[], random: Random): Buffer {
  let bytes = pool[random.below(pool.length)]!;
  for (let count = 1 + random.below(CHANGES_MAX); count > 0; count--) bytes = change(bytes, pool, random);
  return bytes.length > INPUT_MAX_BYTES ? bytes.subarray(0, INPUT_MAX_BYTES) : bytes;
}

function change(bytes: Buffer, pool: readonly Buffer[], random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  const length = random.below(Math.min(bytes.length - at, 32) + 1);
  switch (random.below(8)) {
    case 0:
      return splice(bytes, at, Math.min(1, length), Buffer.of(random.below(256)));
    case 1:
      return splice(bytes, at, 0, Buffer.of(random.below(256)));
    case 2:
      return splice(bytes, at, length, Buffer.alloc(0));
    case 3:
      return splice(bytes, at, 0, bytes.subarray(at, at + length));
    case 4:
      return splice(bytes, at, length, WORDS[random.below(WORDS.length)]!);
    case 5:
      return bytes.subarray(0, at);
    case 6:
      return splice(bytes, at, 0, Buffer.alloc(1 + random.below(300), bytes[at] ?? 0x61));
    default: {
      const other = pool[random.below(pool.length)]!;
      const from = random.below(other.length + 1);
      return splice(bytes, at, length, other.subarray(from, from + random.below(200)));
    }
  }
}

function splice(bytes: Buffer, at: number, length: number, instead: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), instead, bytes.subarray(at + length)]);
}
