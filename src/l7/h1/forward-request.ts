/**
 * Writes a request head for the endpoint: the client's own bytes where they may stay, ours where they must not. Hot path: no allocation.
 *
 * What was routed is what is forwarded: the target in origin form with the path as it was matched, HTTP/1.1, the client's fields less those
 * about its connection and what it claims about itself, then what we say about it (see `Forwarding`). Only the route may have it otherwise.
 */
import { asciiBytes } from '../../core/bytes.ts';
import type { ClientAddress } from '../../downstream/client-address.ts';
import type { CommandWriter } from '../../engine/command-writer.ts';
import type { Scratch } from '../../engine/scratch.ts';
import type { Forwarding } from '../forwarded.ts';
import { writeBytes } from '../header-edits.ts';
import type { Prepared } from '../prepared.ts';
import type { RequestChanges } from '../request-changes.ts';
import { forwardFields } from './forward-fields.ts';
import { BodyKind, HEADER_WORDS, VALUE_END, VALUE_START } from './head-fields.ts';
import { type RequestHead, TargetForm } from './request-head.ts';

/** Most bytes of a Host line that names an endpoint: an IPv6 address and a port. */
export const HOST_LINE_MAX_BYTES = 64;

/**
 * Adds the ranges of the whole head to the open SEND. The path is `bytes[pathStart, pathEnd)`, on the slab; `peer` is who connected. The caller has
 * made sure that the scratch has room for what `changes` write, for HOST_LINE_MAX_BYTES, and for what `forwarding` takes.
 */
export function forwardRequestHead(
  commands: CommandWriter,
  scratch: Scratch,
  prepared: Prepared,
  head: RequestHead,
  forwarding: Forwarding,
  changes: RequestChanges | undefined,
  peer: ClientAddress,
  pathStart: number,
  pathEnd: number,
  endpointKey: string,
): void {
  const bytes = scratch.bytes;
  forwardRequestLine(commands, scratch, prepared, head, changes, pathStart, pathEnd);
  const dropped = forwarding.droppedTraits(bytes, head, peer);
  forwardFields(commands, bytes, head, dropped, changes?.headers);
  if (head.hostIndex < 0 && changes?.replacesHost !== true) writeBytes(commands, scratch, hostLine(endpointKey));
  changes?.headers?.write(commands, scratch);
  forwarding.write(commands, scratch, head, peer, dropped);
  if (head.bodyKind === BodyKind.CHUNKED) {
    commands.range(prepared.transferEncodingChunked.offset, prepared.transferEncodingChunked.length);
  }
  if (head.wantsUpgrade === 1) forwardUpgrade(commands, prepared, head.headers, head.upgradeIndex);
  else if (changes?.endsConnection === true) {
    commands.range(prepared.connectionClose.offset, prepared.connectionClose.length);
  }
  commands.range(prepared.lineEnd.offset, prepared.lineEnd.length);
}

/** `Host` for a request that names none (HTTP/1.0): the endpoint's own address. Makes strings: for the rare case only. */
function hostLine(endpointKey: string): Uint8Array {
  return asciiBytes(`Host: ${endpointKey.startsWith('unix:') ? 'localhost' : endpointKey}\r\n`);
}

function forwardRequestLine(
  commands: CommandWriter,
  scratch: Scratch,
  prepared: Prepared,
  head: RequestHead,
  changes: RequestChanges | undefined,
  pathStart: number,
  pathEnd: number,
): void {
  const rewrite = head.targetForm === TargetForm.ASTERISK ? undefined : changes?.path;
  const isUntouched =
    pathStart === head.pathStart && head.targetForm !== TargetForm.ABSOLUTE && head.versionMinor === 1;
  if (isUntouched && rewrite === undefined) {
    commands.range(head.methodStart, head.fieldsStart - head.methodStart);
    return;
  }
  commands.range(head.methodStart, head.methodEnd + 1 - head.methodStart);
  if (rewrite === undefined) commands.range(pathStart, pathEnd - pathStart);
  else rewrite.write(commands, scratch, pathStart, pathEnd);
  commands.range(head.queryStart, head.queryEnd - head.queryStart);
  commands.range(prepared.versionAndLineEnd.offset, prepared.versionAndLineEnd.length);
}

/** Says again, for the next connection, what Upgrade said on this one (RFC 9110 section 7.8). */
export function forwardUpgrade(
  commands: CommandWriter,
  prepared: Prepared,
  headers: Int32Array,
  upgradeIndex: number,
): void {
  const word = upgradeIndex * HEADER_WORDS;
  const start = headers[word + VALUE_START]!;
  commands.range(prepared.connectionUpgrade.offset, prepared.connectionUpgrade.length);
  commands.range(start, headers[word + VALUE_END]! - start);
  commands.range(prepared.lineEnd.offset, prepared.lineEnd.length);
}
