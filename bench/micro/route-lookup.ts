import type { RouteMatch } from '../../src/contract/plan.ts';
import { ClientAddress } from '../../src/downstream/client-address.ts';
import { RequestHead } from '../../src/l7/h1/request-head.ts';
import { parseRequestHead } from '../../src/l7/h1/request-parser.ts';
import { compileRoutes } from '../../src/l7/routing/router.ts';
import { type Figure, sample } from './measure.ts';

const RUNS = 50_000;
const COUNTS = [1, 10, 100, 1_000, 10_000];
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

/** The kinds of matchers: what route `index` asks for. */
const KINDS: Readonly<Record<string, (index: number) => RouteMatch>> = {
  prefixes: (index) => ({ path: `/p${index}/*` }),
  'exact paths': (index) => ({ path: `/p${index}/some/file.html` }),
  'prefixes on 10 hosts': (index) => ({
    hosts: ['*.example.com', `h${index % 10}.example.com`],
    path: `/p${index}/*`,
  }),
  patterns: (index) => ({ pathRegex: `^/p${index}/\\w+/[^/]+\\.html$` }),
  'prefixes, each with a header': (index) => ({
    path: `/p${index}/*`,
    headers: [{ name: 'x-canary', exact: 'true' }],
  }),
  'prefixes, each with a parameter': (index) => ({
    path: `/p${index}/*`,
    query: [{ name: 'include', exact: 'profile' }],
  }),
};

/** Lookups of a route, in nanoseconds each; `x` is the number of routes. */
export function routeLookup(): Figure[] {
  return Object.entries(KINDS).flatMap(([name, makeMatch]) => COUNTS.map((count) => lookup(name, count, makeMatch)));
}

function lookup(name: string, count: number, makeMatch: (index: number) => RouteMatch): Figure {
  const router = compileRoutes(Array.from({ length: count }, (_, index) => ({ match: makeMatch(index) })));
  // A stride without a common factor, so that all parts of the table are asked.
  const heads = placeHeads((index) => `GET /p${(index * 7919) % count}/some/file.html?include=profile&x=y HTTP/1.1`);
  const samples = sample(RUNS, (index) => {
    const head = heads[index % REQUESTS]!;
    const route = router.match(bytes, head, head.pathStart, head.pathEnd, client);
    if (route < 0) throw new Error(`${name}: a request reached no route`);
    return route + 1;
  });
  return { name, x: count, samples };
}
