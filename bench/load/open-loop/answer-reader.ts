const HEAD_END = Buffer.from('\r\n\r\n');
const HEAD_MAX_BYTES = 16 * 1024;

/** What became of some bytes of an answer. */
export type Reading = 'more' | 'whole' | { readonly problem: string };

/** Finds the end of answers that have a Content-Length, one at a time on a connection (RFC 9112 section 6.3). */
export class AnswerReader {
  /** Head bytes that came without their end. */
  #kept: Buffer | undefined;
  /** Bytes of the body still to come, or -1 while the head is not read. */
  #left = -1;

  /** `bytes` may be overwritten afterwards. */
  read(bytes: Buffer): Reading {
    if (this.#left >= 0) return this.#readBody(bytes.length);
    const all = this.#kept === undefined ? bytes : Buffer.concat([this.#kept, bytes]);
    const headEnd = all.indexOf(HEAD_END);
    if (headEnd < 0) {
      if (all.length > HEAD_MAX_BYTES) return { problem: 'answers with an endless head' };
      this.#kept = Buffer.from(all);
      return 'more';
    }
    this.#kept = undefined;
    const head = all.toString('latin1', 0, headEnd);
    if (!/^HTTP\/1\.1 2/.test(head)) return { problem: 'answers that are not 2xx' };
    const length = /\r\ncontent-length: *([0-9]+)(?:\r|$)/i.exec(head)?.[1];
    if (length === undefined) return { problem: 'answers without a length' };
    this.#left = Number(length);
    return this.#readBody(all.length - headEnd - HEAD_END.length);
  }

  #readBody(length: number): Reading {
    this.#left -= length;
    if (this.#left > 0) return 'more';
    const isTooLong = this.#left < 0;
    this.#left = -1;
    return isTooLong ? { problem: 'answers longer than they said' } : 'whole';
  }
}
