/** Makes ClientHellos, right ones and wrong ones. */

export interface HelloParts {
  readonly serverName?: string | undefined;
  readonly protocols?: readonly string[];
  /** Bytes of an extension that says nothing (RFC 7685). */
  readonly padding?: number;
  /** Extensions of types that nobody knows (RFC 8701). */
  readonly grease?: boolean;
  /** Whole extensions, as they are. */
  readonly extensions?: readonly Buffer[];
  readonly withoutExtensions?: boolean;
}

const SERVER_NAME = 0;
const ALPN = 16;
const PADDING = 21;
const GREASE = 0x3a3a;

export function vector(lengthBytes: number, body: Buffer): Buffer {
  const head = Buffer.alloc(lengthBytes);
  head.writeUIntBE(body.length, 0, lengthBytes);
  return Buffer.concat([head, body]);
}

export function extension(type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(type);
  return Buffer.concat([head, vector(2, body)]);
}

export function serverNameExtension(name: string, type = 0): Buffer {
  return extension(SERVER_NAME, vector(2, Buffer.concat([Buffer.of(type), vector(2, Buffer.from(name, 'latin1'))])));
}

/** The handshake message. */
export function helloMessage(parts: HelloParts = {}): Buffer {
  const { serverName, protocols = [], padding = 0, grease = false, extensions = [], withoutExtensions } = parts;
  const all = [
    ...(grease ? [extension(GREASE, Buffer.alloc(0))] : []),
    ...(serverName === undefined ? [] : [serverNameExtension(serverName)]),
    ...(protocols.length === 0
      ? []
      : [extension(ALPN, vector(2, Buffer.concat(protocols.map((name) => vector(1, Buffer.from(name, 'latin1'))))))]),
    ...(padding === 0 ? [] : [extension(PADDING, Buffer.alloc(padding))]),
    ...extensions,
  ];
  const body = Buffer.concat([
    Buffer.of(3, 3),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(32, 1)),
    vector(2, Buffer.of(0x3a, 0x3a, 0x13, 0x01, 0xc0, 0x2f)),
    vector(1, Buffer.of(0)),
    ...(withoutExtensions === true ? [] : [vector(2, Buffer.concat(all))]),
  ]);
  return Buffer.concat([Buffer.of(1), vector(3, body)]);
}

/** The message in records of at most `recordBytes`. */
export function inRecords(message: Buffer, recordBytes = 16_384): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += recordBytes) {
    records.push(Buffer.concat([Buffer.of(22, 3, 1), vector(2, message.subarray(at, at + recordBytes))]));
  }
  return Buffer.concat(records);
}

export function hello(parts: HelloParts = {}, recordBytes?: number): Buffer {
  return inRecords(helloMessage(parts), recordBytes);
}
