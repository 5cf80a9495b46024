/**
 * Writes a request head for the endpoint: the client's own bytes where they may stay, ours where they must not. Hot path: no allocation.
 *
 * What was routed is what is forwarded: the target in origin form with the path as it was matched, HTTP/1.1, the client's fields less those
 * about its connection and what it claims about itself, then what we say about it (see `Forwarding`).
 */
import type { ClientAddress } from '../../downstream/client-address.ts';
import type { CommandWriter } from '../../engine/command-writer.ts';
import type { Scratch } from '../../engine/scratch.ts';
import type { Forwarding } from '../forwarded.ts';
import type { Prepared } from '../prepared.ts';
import { forwardFields } from './forward-fields.ts';
import { BodyKind, HEADER_WORDS, VALUE_END, VALUE_START } from './head-fields.ts';
import { type RequestHead, TargetForm } from './request-head.ts';

/** Adds the ranges of the whole head to the open SEND. The path is `bytes[pathStart, pathEnd)`, on the slab; `peer` is who connected. */
export function forwardRequestHead(
  commands: CommandWriter,
  scratch: Scratch,
  prepared: Prepared,
  head: RequestHead,
  forwarding: Forwarding,
  peer: ClientAddress,
  pathStart: number,
  pathEnd: number,
  endpointKey: string,
): void {
  const bytes = scratch.bytes;
  forwardRequestLine(commands, prepared, head, pathStart, pathEnd);
  const dropped = forwarding.droppedTraits(bytes, head, peer);
  forwardFields(commands, bytes, head, dropped);
  if (head.hostIndex < 0) {
    const line = prepared.hostLine(endpointKey);
    commands.range(line.offset, line.length);
  }
  forwarding.write(commands, scratch, head, peer, dropped);
  if (head.bodyKind === BodyKind.CHUNKED) {
    commands.range(prepared.transferEncodingChunked.offset, prepared.transferEncodingChunked.length);
  }
  if (head.wantsUpgrade === 1) forwardUpgrade(commands, prepared, head.headers, head.upgradeIndex);
  commands.range(prepared.lineEnd.offset, prepared.lineEnd.length);
}

function forwardRequestLine(
  commands: CommandWriter,
  prepared: Prepared,
  head: RequestHead,
  pathStart: number,
  pathEnd: number,
): void {
  const isUntouched =
    pathStart === head.pathStart && head.targetForm !== TargetForm.ABSOLUTE && head.versionMinor === 1;
  if (isUntouched) {
    commands.range(head.methodStart, head.fieldsStart - head.methodStart);
    return;
  }
  commands.range(head.methodStart, head.methodEnd + 1 - head.methodStart);
  commands.range(pathStart, pathEnd - pathStart);
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
