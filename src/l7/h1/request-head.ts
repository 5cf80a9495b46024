import { HeadFields } from './head-fields.ts';

/** Methods the proxy treats in a way of their own; any other token is METHOD_OTHER, and forwarded as it came. */
export const Method = {
  OTHER: 0,
  GET: 1,
  HEAD: 2,
  POST: 3,
  PUT: 4,
  DELETE: 5,
  OPTIONS: 6,
  PATCH: 7,
  CONNECT: 8,
  TRACE: 9,
} as const;

/** The four forms of a request target (RFC 9112 section 3.2). */
export const TargetForm = { ORIGIN: 0, ABSOLUTE: 1, ASTERISK: 2, AUTHORITY: 3 } as const;

/**
 * A request head as `parseRequestHead` found it: offsets on the slab. One object per shard is reused for all requests, so it is valid
 * until the next parse, and its offsets until the bytes move.
 */
export class RequestHead extends HeadFields {
  methodStart = 0;
  methodEnd = 0;
  /** A Method. */
  method: number = Method.OTHER;

  targetStart = 0;
  targetEnd = 0;
  /** A TargetForm. */
  targetForm: number = TargetForm.ORIGIN;
  /** In absolute form these point into the URI, and an empty path has no length. `*` is the path of the asterisk form. */
  pathStart = 0;
  pathEnd = 0;
  /** With its `?`; empty if there is none. */
  queryStart = 0;
  queryEnd = 0;
  /** Authority of the absolute form; empty otherwise. */
  authorityStart = 0;
  authorityEnd = 0;

  /** The host to route by: Host's, or the authority's where HTTP/1.0 names no Host. Without port and trailing dot; may be empty. */
  hostStart = 0;
  hostEnd = 0;

  /** The byte of the request line that was wrong, where it was refused: decides whether a limit was broken first. */
  stoppedAt = 0;

  /** 1 if the client waits for a 100 before it sends the body. HTTP/1.0 never does (RFC 9110 section 10.1.1). */
  expectsContinue = 0;
  /** 1 if the client asks to change the protocol of this connection, to anything but h2c. HTTP/1.1 only. */
  wantsUpgrade = 0;
}
