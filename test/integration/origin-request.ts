/** Requests as an origin sees them, cut out of the bytes of a connection. */

export interface OriginRequest {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  /** In order, names as they were written. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The bytes of the head, the empty line included. */
  readonly head: string;
  /** Decoded, if it was chunked. */
  readonly body: Buffer;
  /** Sizes of the chunks as they came; undefined where the body was not chunked. */
  readonly chunks: readonly number[] | undefined;
  /** Trailer section without its empty line. */
  readonly trailers: string;
}

/** All values of a field, joined as RFC 9110 section 5.2 says; undefined if there is none. */
export function field(message: Pick<OriginRequest, 'headers'>, name: string): string | undefined {
  const values = message.headers.filter(([candidate]) => candidate.toLowerCase() === name).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(', ');
}

const HEAD_END = '\r\n\r\n';

/** The head at the start of `bytes`, and where the body begins; undefined until the head is whole. */
export function readHead(bytes: Buffer): { request: OriginRequest; bodyStart: number } | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end + HEAD_END.length);
  const [line = '', ...lines] = head.slice(0, -HEAD_END.length).split('\r\n');
  const [method = '', target = '', version = ''] = line.split(' ');
  const headers = readFields(lines);
  const request = { method, target, version, headers, head, body: Buffer.alloc(0), chunks: undefined, trailers: '' };
  return { request, bodyStart: head.length };
}

export function readFields(lines: readonly string[]): [name: string, value: string][] {
  return lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
}

/** The body that follows a head, and where it ends; undefined until it is whole. A stray size throws: the proxy wrote it. */
export function readBody(
  request: OriginRequest,
  bytes: Buffer,
  start: number,
): { body: Buffer; chunks?: number[]; trailers?: string; end: number } | undefined {
  if (field(request, 'transfer-encoding') !== undefined) return readChunks(bytes, start);
  const length = Number(field(request, 'content-length') ?? 0);
  if (!Number.isSafeInteger(length)) throw new Error(`the origin was sent the head ${JSON.stringify(request.head)}`);
  return bytes.length < start + length
    ? undefined
    : { body: bytes.subarray(start, start + length), end: start + length };
}

/** A chunked body. Only plain sizes are understood. */
export function readChunks(bytes: Buffer, start: number) {
  const parts: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const line = bytes.toString('latin1', at, lineEnd);
    if (!/^[0-9a-f]+$/i.test(line)) throw new Error(`the origin was sent the chunk size ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    if (size === 0) return readTrailers(bytes, lineEnd + 2, parts);
    at = lineEnd + 2 + size + 2;
    if (bytes.length < at) return undefined;
    parts.push(bytes.subarray(at - 2 - size, at - 2));
  }
}

function readTrailers(bytes: Buffer, start: number, parts: readonly Buffer[]) {
  const empty = bytes.toString('latin1', start, start + 2) === '\r\n';
  const sectionEnd = empty ? start : bytes.indexOf(HEAD_END, start) + 2;
  if (sectionEnd < start || bytes.length < sectionEnd + 2) return undefined;
  const trailers = bytes.toString('latin1', start, sectionEnd);
  return { body: Buffer.concat(parts), chunks: parts.map(({ length }) => length), trailers, end: sectionEnd + 2 };
}
