/**
 * Nanoseconds per head and path, warm, on one thread. Best of several rounds: what the code can do, not what the machine did
 * meanwhile. Not part of `npm run bench`; bundle it first, so that Node sees plain modules:
 *
 *   npx rolldown bench/micro/head-parse.ts --platform node -o build/head-parse.mjs && node build/head-parse.mjs
 */
import { SLAB_BYTES } from '../../src/engine/protocol.ts';
import { RequestHead } from '../../src/l7/h1/request-head.ts';
import { parseRequestHead } from '../../src/l7/h1/request-parser.ts';
import { ResponseHead } from '../../src/l7/h1/response-head.ts';
import { parseResponseHead } from '../../src/l7/h1/response-parser.ts';
import { normalizePath } from '../../src/l7/path.ts';

const ROUNDS = 8;
const RUNS = 100_000;
/** Heads lie at different offsets, as they do on a slab that fills. */
const COPIES = 64;
const LIMITS = { headMaxBytes: 65_536, headersMaxCount: 100, lineMaxBytes: 16_384 };

const slab = new Uint8Array(new ArrayBuffer(SLAB_BYTES));

const SMALL_REQUEST = 'GET /small.html HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nA: b\r\n\r\n';
const BROWSER_REQUEST = [
  'GET /assets/app.4f2c1d.js?v=3 HTTP/1.1',
  'Host: www.example.com',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'Accept-Language: en-US,en;q=0.5',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Referer: https://www.example.com/',
  'Connection: keep-alive',
  'Cookie: session=0123456789abcdef0123456789abcdef; theme=dark',
  'Sec-Fetch-Dest: script',
  'Sec-Fetch-Mode: no-cors',
  'Sec-Fetch-Site: same-origin',
  '',
  '',
].join('\r\n');
const RESPONSE = [
  'HTTP/1.1 200 OK',
  'Server: nginx/1.22.1',
  'Date: Thu, 05 Nov 2026 10:11:12 GMT',
  'Content-Type: text/html',
  'Content-Length: 612',
  'Last-Modified: Mon, 02 Nov 2026 08:00:00 GMT',
  'Connection: keep-alive',
  'ETag: "6547a3c0-264"',
  'Accept-Ranges: bytes',
  '',
  '',
].join('\r\n');

function place(text: string): { starts: number[]; length: number } {
  const starts: number[] = [];
  for (let copy = 0; copy < COPIES; copy++) {
    const start = copy * 8192 + copy * 7;
    slab.set(Buffer.from(text, 'latin1'), start);
    starts.push(start);
  }
  return { starts, length: text.length };
}

function measure(name: string, text: string, run: (start: number, end: number) => number): void {
  const { starts, length } = place(text);
  let best = Number.POSITIVE_INFINITY;
  let sum = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const begun = process.hrtime.bigint();
    for (let index = 0; index < RUNS; index++) {
      const start = starts[index % COPIES]!;
      sum += run(start, start + length);
    }
    best = Math.min(best, Number(process.hrtime.bigint() - begun) / RUNS);
  }
  if (sum === 0) throw new Error(`${name}: nothing was done`);
  process.stdout.write(`${name.padEnd(44)} ${String(length).padStart(4)} bytes ${best.toFixed(0).padStart(6)} ns\n`);
}

const request = new RequestHead();
const response = new ResponseHead();

measure('request, small', SMALL_REQUEST, (start, end) => parseRequestHead(slab, start, end, LIMITS, request));
measure('request, browser', BROWSER_REQUEST, (start, end) => parseRequestHead(slab, start, end, LIMITS, request));
measure('response, static file', RESPONSE, (start, end) => parseResponseHead(slab, start, end, LIMITS, response, 1));
measure('path, normal', '/assets/app.4f2c1d.js', (start, end) => normalizePath(slab, start, end, slab, 4_000_000));
measure('path, rewritten', '/a/../b/%7Euser//x.html', (start, end) => normalizePath(slab, start, end, slab, 4_000_000));
