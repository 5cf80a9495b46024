/**
 * Answers that a route gives itself: a redirect, or a text. (What is answered because something went wrong is in error-response.ts.) Hot path
 * (`send`): no allocation, no strings, no throw.
 */

import type { RedirectAction, RespondAction, RoutePlan } from '../contract/plan.ts';
import { asciiBytes } from '../core/bytes.ts';
import { STATUS_PHRASES } from '../core/status-phrases.ts';
import type { CommandWriter } from '../engine/command-writer.ts';
import type { Dispatcher } from '../engine/dispatcher.ts';
import { HEADER_WORDS, VALUE_END } from './h1/head-fields.ts';
import type { RequestHead } from './h1/request-head.ts';
import { writeBytes } from './header-edits.ts';
import { PathRewrite } from './path-rewrite.ts';

const SLASH = 0x2f;
const DOT = 0x2e;
/** Never have a body (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5). */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);
const USUAL_PORTS = { http: 80, https: 443 } as const;

/** What clients speak to us. */
export type Scheme = 'http' | 'https';

const LAST_LINES = asciiBytes('\r\n\r\n');
const CLOSING_LAST_LINES = asciiBytes('\r\nConnection: close\r\n\r\n');

export interface DirectResponse {
  readonly status: number;
  /** Room that `send` takes of the scratch besides what it makes sure of itself: to be reserved before the path is written there. */
  readonly scratchBytes: number;
  /**
   * Sends the whole answer to connection `id`. The request is `head`, with its path at `slab[pathStart, pathEnd)` in normal form. `hasBody` false for
   * HEAD: the length is said, the body left out (RFC 9110 section 9.3.2). Returns the bytes of the body, or -1, with nothing sent, if the
   * request does not say enough to be answered.
   */
  send(
    dispatcher: Dispatcher,
    id: number,
    head: RequestHead,
    pathStart: number,
    pathEnd: number,
    closes: boolean,
    hasBody: boolean,
  ): number;
}

/** `action` is the one of `route`; `own`: what the client speaks. */
export function compileDirectResponse(
  route: RoutePlan,
  action: RedirectAction | RespondAction,
  own: Scheme,
): DirectResponse {
  return action.kind === 'redirect' ? new Redirect(route, own, action) : new TextResponse(route, action);
}

class TextResponse implements DirectResponse {
  readonly status: number;
  readonly scratchBytes = 0;
  /** Without the end of its last line. */
  readonly #head: Uint8Array;
  readonly #body: Uint8Array;

  constructor(route: RoutePlan, { status, body, contentType }: RespondAction) {
    this.status = status;
    this.#body = Buffer.from(body, 'utf8');
    const type = body === '' ? [] : [{ name: 'Content-Type', value: contentType }];
    // Neither may say a length (RFC 9110 section 8.6); after 304 it would be another one's.
    const length = status === 204 || status === 304 ? '' : `\r\nContent-Length: ${this.#body.length}`;
    this.#head = asciiBytes(`${statusLine(status)}${editedLines(route, type)}${length}`);
  }

  send(
    dispatcher: Dispatcher,
    id: number,
    _head: RequestHead,
    _pathStart: number,
    _pathEnd: number,
    closes: boolean,
    hasBody: boolean,
  ): number {
    const { commands, scratch } = dispatcher;
    dispatcher.reserveScratch(this.#head.length + CLOSING_LAST_LINES.length + this.#body.length);
    commands.beginSend(id, 0, 0);
    writeBytes(commands, scratch, this.#head);
    writeBytes(commands, scratch, closes ? CLOSING_LAST_LINES : LAST_LINES);
    const bodyBytes = hasBody && !BODILESS.has(this.status) ? this.#body.length : 0;
    if (bodyBytes > 0) writeBytes(commands, scratch, this.#body);
    commands.endSend();
    return bodyBytes;
  }
}

class Redirect implements DirectResponse {
  readonly status: number;
  readonly scratchBytes: number;
  /** Up to the scheme's `://`, included. */
  readonly #beforeHost: Uint8Array;
  /** Undefined: that of the request. */
  readonly #host: Uint8Array | undefined;
  /** With its colon; empty for none. Undefined: that of the request. */
  readonly #port: Uint8Array | undefined;
  readonly #path: PathRewrite | undefined;

  constructor(route: RoutePlan, own: Scheme, { status, scheme = own, host, port, path }: RedirectAction) {
    this.status = status;
    const lines = `${editedLines(route, [])}\r\nContent-Length: 0\r\nLocation: ${scheme}://`;
    this.#beforeHost = asciiBytes(`${statusLine(status)}${lines}`);
    this.#host = host === undefined ? undefined : asciiBytes(host);
    this.#port = port === undefined && scheme === own ? undefined : portText(scheme, port);
    this.#path = path === undefined ? undefined : new PathRewrite(path, route.match);
    const parts = [this.#beforeHost, this.#host, this.#port, CLOSING_LAST_LINES];
    this.scratchBytes = parts.reduce((bytes, part) => bytes + (part?.length ?? 0), this.#path?.scratchBytes ?? 0);
  }

  send(
    dispatcher: Dispatcher,
    id: number,
    head: RequestHead,
    pathStart: number,
    pathEnd: number,
    closes: boolean,
    _hasBody: boolean,
  ): number {
    const { commands, scratch } = dispatcher;
    if (this.#host === undefined && head.hostEnd === head.hostStart) return -1;
    commands.beginSend(id, 0, 0);
    writeBytes(commands, scratch, this.#beforeHost);
    if (this.#host === undefined) commands.range(head.hostStart, head.hostEnd - head.hostStart);
    else writeBytes(commands, scratch, this.#host);
    if (this.#port === undefined) writePortOf(commands, scratch.bytes, head);
    else writeBytes(commands, scratch, this.#port);
    // `OPTIONS *` has no path.
    const start = scratch.bytes[pathStart] === SLASH ? pathStart : pathEnd;
    if (this.#path === undefined) commands.range(start, pathEnd - start);
    else this.#path.write(commands, scratch, start, pathEnd);
    commands.range(head.queryStart, head.queryEnd - head.queryStart);
    writeBytes(commands, scratch, closes ? CLOSING_LAST_LINES : LAST_LINES);
    commands.endSend();
    return 0;
  }
}

function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_PHRASES[status] ?? ''}`;
}

/** The lines, as `responseHeaders` of the route leaves them, each with CR LF before it. */
function editedLines(
  { responseHeaders: { set, add, remove } = { set: [], add: [], remove: [] } }: RoutePlan,
  lines: readonly { name: string; value: string }[],
): string {
  const dropped = new Set([...set.map(({ name }) => name), ...remove].map((name) => name.toLowerCase()));
  const kept = lines.filter(({ name }) => !dropped.has(name.toLowerCase()));
  return [...kept, ...set, ...add].map(({ name, value }) => `\r\n${name}: ${value}`).join('');
}

function portText(scheme: 'http' | 'https', port: number | undefined): Uint8Array {
  return asciiBytes(port === undefined || port === USUAL_PORTS[scheme] ? '' : `:${port}`);
}

/** The port that the request names, if it does. */
function writePortOf(commands: CommandWriter, bytes: Uint8Array, head: RequestHead): void {
  const end = head.hostIndex < 0 ? head.authorityEnd : head.headers[head.hostIndex * HEADER_WORDS + VALUE_END]!;
  const colonAt = head.hostEnd < end && bytes[head.hostEnd] === DOT ? head.hostEnd + 1 : head.hostEnd;
  // A colon alone names none.
  if (end - colonAt > 1) commands.range(colonAt, end - colonAt);
}
