/**
 * Writes a response head for the client: the endpoint's own bytes, less what is about its connection, plus what is to be said about ours.
 * Hot path: no allocation.
 */
import type { CommandWriter } from '../../engine/command-writer.ts';
import type { Scratch } from '../../engine/scratch.ts';
import type { Endpoint } from '../../upstream/endpoint.ts';
import type { HeaderEdits } from '../header-edits.ts';
import type { Prepared } from '../prepared.ts';
import type { Stickiness } from '../stickiness.ts';
import { forwardFields } from './forward-fields.ts';
import { forwardUpgrade } from './forward-request.ts';
import { TRAIT_HOP_BY_HOP } from './header-names.ts';
import type { ResponseHead } from './response-head.ts';

const CR = 0x0d;
/** Of `HTTP/1.1 `. */
const VERSION_BYTES = 9;

/** What the client's connection is told. */
export const Persistence = { UNSAID: 0, CLOSE: 1, KEEP_ALIVE: 2, UPGRADE: 3 } as const;

/**
 * Adds the ranges of the whole head to the open SEND. `isChunkedOut`: the body is sent with sizes of our own. The caller has made sure that the
 * scratch has room for what `edits` and `bond` write; `bond` binds the client to `endpoint`.
 */
export function forwardResponseHead(
  commands: CommandWriter,
  scratch: Scratch,
  prepared: Prepared,
  head: ResponseHead,
  persistence: number,
  isChunkedOut: boolean,
  edits: HeaderEdits | undefined,
  bond?: Stickiness | undefined,
  endpoint?: Endpoint | undefined,
): void {
  const bytes = scratch.bytes;
  // An empty line before the status line is not passed on.
  const lineStart = bytes[head.start] === CR ? head.start + 2 : head.start;
  if (head.versionMinor === 1) {
    commands.range(lineStart, head.fieldsStart - lineStart);
  } else {
    commands.range(prepared.version.offset, prepared.version.length);
    commands.range(lineStart + VERSION_BYTES, head.fieldsStart - lineStart - VERSION_BYTES);
  }
  forwardFields(commands, bytes, head, TRAIT_HOP_BY_HOP, edits);
  edits?.write(commands, scratch);
  if (bond !== undefined) bond.write(commands, scratch, endpoint!);
  if (isChunkedOut) commands.range(prepared.transferEncodingChunked.offset, prepared.transferEncodingChunked.length);
  if (persistence === Persistence.CLOSE) {
    commands.range(prepared.connectionClose.offset, prepared.connectionClose.length);
  } else if (persistence === Persistence.KEEP_ALIVE) {
    commands.range(prepared.connectionKeepAlive.offset, prepared.connectionKeepAlive.length);
  } else if (persistence === Persistence.UPGRADE) {
    forwardUpgrade(commands, prepared, head.headers, head.upgradeIndex);
  }
  // Where nothing was added, this is the head's own empty line: one range from the first byte to the last.
  if (persistence === Persistence.UNSAID && !isChunkedOut) commands.range(head.fieldsEnd, 2);
  else commands.range(prepared.lineEnd.offset, prepared.lineEnd.length);
}
