/**
 * Byte sequences from the test suites of other projects, with a verdict each: data that this repository does not hold. The folder is named
 * by FOURSEVEN_CORPORA, or stands beside the repository; see its README for what the words mean.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = process.env.FOURSEVEN_CORPORA ?? fileURLToPath(new URL('../../../shared/corpora', import.meta.url));
const HOST_LINE = 'Host: example.test\r\n';

export type RequestPolicy = 'must_reject' | 'must_accept' | 'safe' | 'either' | 'no_forward';
export type ResponsePolicy = 'upstream_reject_502' | 'upstream_accept' | 'upstream_incomplete' | 'upstream_either';

export const REQUEST_POLICIES = ['must_reject', 'must_accept', 'safe', 'either', 'no_forward'] as const;
export const RESPONSE_POLICIES = [
  'upstream_reject_502',
  'upstream_accept',
  'upstream_incomplete',
  'upstream_either',
] as const;

export interface CorpusCase<Policy> {
  readonly id: string;
  readonly policy: Policy;
  /** With a Host put in where it needs one. */
  readonly bytes: Buffer;
  /** Whether it begins with a PROXY header, for a listener that wants one. */
  readonly isProxied: boolean;
  /** As it was found, where that is something else. */
  readonly withoutHost: Buffer | undefined;
}

interface IndexRow {
  readonly id: string;
  readonly file: string;
  readonly policy: string;
  readonly needs_host: boolean;
  readonly why: string;
}

interface FileCase {
  readonly id: string;
  readonly request?: string;
  readonly request_b64?: string;
  readonly request_gen?: { prefix: string; repeat: string; count: number; suffix: string };
}

/** Where the corpora are, or undefined if they are not here. */
export const CORPORA = existsSync(join(FOLDER, 'index.json')) ? FOLDER : undefined;

/** The cases with one of these policies. Others (`info`) judge nothing. */
export function readCorpora<Policy extends string>(folder: string, policies: readonly Policy[]): CorpusCase<Policy>[] {
  const rows = readJson<IndexRow[]>(folder, 'index.json').filter(({ policy }) => policies.includes(policy as Policy));
  const bytes = new Map<string, Buffer>();
  for (const file of new Set(rows.map(({ file }) => file))) {
    for (const found of readJson<FileCase[]>(folder, file)) bytes.set(found.id, bytesOf(found));
  }
  return rows.map(({ id, policy, needs_host, why }) => {
    const raw = bytes.get(id);
    if (raw === undefined) throw new Error(`index.json names ${id}, which is in no file`);
    const helped = needs_host ? withHost(raw) : raw;
    const isProxied = /PROXY protocol on/.test(why);
    return { id, policy: policy as Policy, bytes: helped, isProxied, withoutHost: helped === raw ? undefined : raw };
  });
}

/** All of them, without their verdicts: seeds for whoever looks for trouble. */
export function corpusBytes(folder: string): Buffer[] {
  return [...readCorpora(folder, REQUEST_POLICIES), ...readCorpora(folder, RESPONSE_POLICIES)].map(
    ({ bytes }) => bytes,
  );
}

function readJson<T>(folder: string, file: string): T {
  return JSON.parse(readFileSync(join(folder, file), 'utf8')) as T;
}

function bytesOf({ request, request_b64, request_gen }: FileCase): Buffer {
  if (request !== undefined) return Buffer.from(request, 'latin1');
  if (request_b64 !== undefined) return Buffer.from(request_b64, 'base64');
  const { prefix, repeat, count, suffix } = request_gen!;
  return Buffer.from(`${prefix}${repeat.repeat(count)}${suffix}`, 'latin1');
}

/** A Host behind the request line; the same bytes where there is no line. */
function withHost(raw: Buffer): Buffer {
  const text = raw.toString('latin1');
  const lineStart = text.startsWith('\r\n') ? 2 : 0;
  const lineEnd = text.indexOf('\n', lineStart);
  if (lineEnd < 0) return raw;
  return Buffer.from(`${text.slice(0, lineEnd + 1)}${HOST_LINE}${text.slice(lineEnd + 1)}`, 'latin1');
}
