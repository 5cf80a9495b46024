/**
 * Reads the ClientHello that a TLS connection begins with (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2), as far as it says where the
 * connection is to go. It may come in pieces, split over records, padded, and full of values that nobody knows (RFC 8701).
 */

/** Most bytes of the message; those that post-quantum keys make it are two thousand. */
export const HELLO_MAX_BYTES = 16 * 1024;
/** Of the records that carry it, if each had one byte of it. Nobody does that, but there is a limit. */
export const HELLO_RECORDS_MAX_BYTES = HELLO_MAX_BYTES + 4 * 1024;

export const HELLO_NEEDS_MORE = 0;
/** It begins as a ClientHello does, and is none. */
export const HELLO_REFUSED = -1;
/** The first byte is that of something else. */
export const HELLO_ABSENT = -2;

const RECORD_HEAD_BYTES = 5;
const MESSAGE_HEAD_BYTES = 4;
const RECORD_MAX_BYTES = 16 * 1024;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const VERSION_MAJOR = 3;
const RANDOM_BYTES = 32;
const SERVER_NAME = 0;
const ALPN = 16;
const HOST_NAME = 0;
const HOST_NAME_MAX_BYTES = 255;
const PROTOCOLS_MAX_COUNT = 64;
const HOST_NAME_TEXT = /^[a-z0-9_.-]+$/;

export class ClientHello {
  /** Lower case, without a trailing dot; empty: none was said. */
  serverName = '';
  /** Offered with ALPN, the client's favourite first. */
  protocols: string[] = [];
}

/** Reads from `bytes[start, end)`. Returns the length of the records that the hello took (above 0), or one of the values above. */
export function readClientHello(bytes: Uint8Array, start: number, end: number, hello: ClientHello): number {
  const pieces: Uint8Array[] = [];
  let gathered = 0;
  let at = start;
  while (at < end) {
    if (bytes[at] !== HANDSHAKE) return at === start ? HELLO_ABSENT : HELLO_REFUSED;
    if (at + 1 < end && bytes[at + 1] !== VERSION_MAJOR) return HELLO_REFUSED;
    if (at + RECORD_HEAD_BYTES > end) break;
    const length = (bytes[at + 3]! << 8) | bytes[at + 4]!;
    if (length === 0 || length > RECORD_MAX_BYTES) return HELLO_REFUSED;
    const bodyStart = at + RECORD_HEAD_BYTES;
    const piece = bytes.subarray(bodyStart, Math.min(end, bodyStart + length));
    pieces.push(piece);
    gathered += piece.length;
    const message = pieces.length === 1 ? piece : gatherHead(pieces, gathered);
    if (message.length > 0 && message[0] !== CLIENT_HELLO) return HELLO_REFUSED;
    if (message.length >= MESSAGE_HEAD_BYTES) {
      const whole = MESSAGE_HEAD_BYTES + ((message[1]! << 16) | (message[2]! << 8) | message[3]!);
      if (whole > HELLO_MAX_BYTES) return HELLO_REFUSED;
      if (gathered >= whole) {
        const text = pieces.length === 1 ? piece : Buffer.concat(pieces, gathered);
        // A record that goes on behind the hello is none of a client, whether the rest of it has come yet or not.
        const endsTogether = gathered === whole && bodyStart + length <= end;
        const isWell = endsTogether && new HelloReader(text, MESSAGE_HEAD_BYTES, whole).read(hello);
        return isWell ? bodyStart + length - start : HELLO_REFUSED;
      }
    }
    at = bodyStart + length;
  }
  return end - start > HELLO_RECORDS_MAX_BYTES ? HELLO_REFUSED : HELLO_NEEDS_MORE;
}

/** Enough of a message in pieces to see how long it is. */
function gatherHead(pieces: readonly Uint8Array[], gathered: number): Uint8Array {
  return gathered < MESSAGE_HEAD_BYTES || pieces[0]!.length < MESSAGE_HEAD_BYTES
    ? Buffer.concat(pieces, Math.min(gathered, MESSAGE_HEAD_BYTES))
    : pieces[0]!;
}

/** Walks over vectors that are each behind their length. Anything that does not fit in what is around it is an error. */
class HelloReader {
  readonly #bytes: Uint8Array;
  #at: number;
  #end: number;
  #failed = false;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  /** False: malformed. */
  read(hello: ClientHello): boolean {
    hello.serverName = '';
    hello.protocols = [];
    this.#skip(2 + RANDOM_BYTES);
    this.#skip(this.#number(1)); // session id
    this.#skip(this.#number(2)); // cipher suites
    this.#skip(this.#number(1)); // compression methods
    if (this.#failed) return false;
    // TLS 1.2 lets them be left out.
    if (this.#at === this.#end) return true;
    if (this.#number(2) !== this.#end - this.#at) return false;
    return this.#readExtensions(hello) && !this.#failed;
  }

  #readExtensions(hello: ClientHello): boolean {
    const seen = new Set<number>();
    while (this.#at < this.#end && !this.#failed) {
      const type = this.#number(2);
      const length = this.#number(2);
      const extensionEnd = this.#at + length;
      if (this.#failed || extensionEnd > this.#end || seen.has(type)) return false;
      seen.add(type);
      const within = new HelloReader(this.#bytes, this.#at, extensionEnd);
      if (type === SERVER_NAME && !within.#readServerName(hello)) return false;
      if (type === ALPN && !within.#readProtocols(hello)) return false;
      this.#at = extensionEnd;
    }
    return true;
  }

  /** RFC 6066 section 3: a list with one name of each type, of which there is one. */
  #readServerName(hello: ClientHello): boolean {
    if (this.#number(2) !== this.#end - this.#at) return false;
    const type = this.#number(1);
    const length = this.#number(2);
    if (this.#failed || type !== HOST_NAME || length !== this.#end - this.#at) return false;
    if (length === 0 || length > HOST_NAME_MAX_BYTES) return false;
    const name = this.#text(length).toLowerCase().replace(/\.$/, '');
    if (!HOST_NAME_TEXT.test(name)) return false;
    hello.serverName = name;
    return true;
  }

  /** RFC 7301 section 3.1. */
  #readProtocols(hello: ClientHello): boolean {
    if (this.#number(2) !== this.#end - this.#at) return false;
    while (this.#at < this.#end && !this.#failed) {
      const length = this.#number(1);
      if (this.#failed || length === 0 || this.#at + length > this.#end) return false;
      if (hello.protocols.length === PROTOCOLS_MAX_COUNT) return false;
      hello.protocols.push(this.#text(length));
    }
    return hello.protocols.length > 0 && !this.#failed;
  }

  #number(byteCount: number): number {
    let value = 0;
    if (this.#at + byteCount > this.#end) this.#failed = true;
    else for (let i = 0; i < byteCount; i++) value = (value << 8) | this.#bytes[this.#at++]!;
    return value;
  }

  #skip(byteCount: number): void {
    if (this.#at + byteCount > this.#end) this.#failed = true;
    else this.#at += byteCount;
  }

  #text(length: number): string {
    const text = Buffer.from(this.#bytes.subarray(this.#at, this.#at + length)).toString('latin1');
    this.#at += length;
    return text;
  }
}
