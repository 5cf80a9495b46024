/**
 * Nanoseconds per lookup of a route, warm, on one thread: what ten thousand routes cost against ten, and what each kind of matcher costs. Best of
 * several rounds: what the code can do, not what the machine did meanwhile. Not part of `npm run bench`; bundle it first, so that
 * Node sees plain modules:
 *
 *   npx rolldown bench/micro/route-lookup.ts --platform node -o build/route-lookup.mjs && node build/route-lookup.mjs
 */
import type { RouteMatch } from '../../src/contract/plan.ts';
import { ClientAddress } from '../../src/downstream/client-address.ts';
import { RequestHead } from '../../src/l7/h1/request-head.ts';
import { parseRequestHead } from '../../src/l7/h1/request-parser.ts';
import { normalizePath } from '../../src/l7/path.ts';
import { compileRoutes } from '../../src/l7/routing/router.ts';

const ROUNDS = 10;
const RUNS = 100_000;
const LIMITS = { headMaxBytes: 65_536, headersMaxCount: 100, lineMaxBytes: 16_384 };
/** Requests asked in turn, so that neither a cache nor the branch predictor knows the answer. Ten of a small table, over and over. */
const REQUESTS = 1_000;

const bytes = new Uint8Array(2 * 1024 * 1024);
const client = new ClientAddress();
client.read(4, 1, Int32Array.of(0x0a000001, 0, 0, 0), 0);

function placeHeads(requestLine: (index: number) => string): RequestHead[] {
  let at = 0;
  return Array.from({ length: REQUESTS }, (_, index) => {
    const lines = [
      'X-Canary: true',
      'Accept: */*',
      'User-Agent: bench/1.0 (any)',
      'Cookie: a=b; region=us; theme=dark',
    ];
    const text = [requestLine(index), `Host: h${index % 10}.example.com`, ...lines, '', ''].join('\r\n');
    bytes.set(Buffer.from(text, 'latin1'), at);
    const head = new RequestHead();
    if (parseRequestHead(bytes, at, at + text.length, LIMITS, head) <= 0) throw new Error(`refused: ${text}`);
    at += text.length;
    return head;
  });
}

function bestOf(run: (head: RequestHead) => number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    let missed = 0;
    const begun = process.hrtime.bigint();
    for (let index = 0; index < RUNS; index++) if (run(heads[index % REQUESTS]!) < 0) missed++;
    best = Math.min(best, Number(process.hrtime.bigint() - begun) / RUNS);
    if (missed > 0) throw new Error(`${missed} requests reached no route`);
  }
  return best;
}

let heads: RequestHead[] = [];
const parsed = new RequestHead();

/** `makeMatch`: of route `index` of `count`. Requests ask for each of them in turn. */
function measure(
  name: string,
  count: number,
  makeMatch: (index: number) => RouteMatch,
): { lookup: number; request: number } {
  const router = compileRoutes(Array.from({ length: count }, (_, index) => ({ match: makeMatch(index) })));
  // A stride without a common factor, so that all parts of the table are asked.
  heads = placeHeads((index) => `GET /p${(index * 7919) % count}/some/file.html?include=profile&x=y HTTP/1.1`);
  const lookup = bestOf((head) => router.match(bytes, head, head.pathStart, head.pathEnd, client));
  const request = bestOf((head) => {
    parseRequestHead(bytes, head.start, head.start + head.length, LIMITS, parsed);
    normalizePath(bytes, parsed.pathStart, parsed.pathEnd, bytes, bytes.length / 2);
    return router.match(bytes, parsed, parsed.pathStart, parsed.pathEnd, client);
  });
  const figures = [lookup, request].map((figure) => `${figure.toFixed(0).padStart(6)} ns`);
  process.stdout.write(`${name.padEnd(42)} ${String(count).padStart(6)} routes ${figures.join(' ')}\n`);
  return { lookup, request };
}

function compare(name: string, makeMatch: (index: number) => RouteMatch): void {
  const few = measure(name, 10, makeMatch);
  const many = measure(name, 10_000, makeMatch);
  const ratios = [many.lookup / few.lookup, many.request / few.request].map((ratio) => `× ${ratio.toFixed(2)}`);
  process.stdout.write(`${''.padEnd(56)} ${ratios.map((ratio) => ratio.padStart(9)).join(' ')}\n`);
}

process.stdout.write(`${''.padEnd(56)}    lookup   request (head, path and lookup)\n`);
measure('catch-all', 1, () => ({}));
compare('prefixes', (index) => ({ path: `/p${index}/*` }));
compare('exact paths', (index) => ({ path: `/p${index}/some/file.html` }));
compare('prefixes on 10 hosts', (index) => ({
  hosts: ['*.example.com', `h${index % 10}.example.com`],
  path: `/p${index}/*`,
}));
compare('patterns', (index) => ({ pathRegex: `^/p${index}/\\w+/[^/]+\\.html$` }));
compare('prefixes, each with a method', (index) => ({ path: `/p${index}/*`, methods: ['GET', 'HEAD'] }));
compare('prefixes, each with a header', (index) => ({
  path: `/p${index}/*`,
  headers: [{ name: 'x-canary', exact: 'true' }],
}));
compare('prefixes, each with a cookie', (index) => ({
  path: `/p${index}/*`,
  cookies: [{ name: 'region', exact: 'us' }],
}));
compare('prefixes, each with a parameter', (index) => ({
  path: `/p${index}/*`,
  query: [{ name: 'include', exact: 'profile' }],
}));
compare('prefixes, each with a header by pattern', (index) => ({
  path: `/p${index}/*`,
  headers: [{ name: 'user-agent', regex: '(?i)^bench/\\d' }],
}));
compare('prefixes, each with a source', (index) => ({
  path: `/p${index}/*`,
  sources: [{ family: 4, words: [0x0a000000, 0, 0, 0], bits: 8 }],
}));
