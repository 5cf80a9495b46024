import { createRequire } from 'node:module';
import { SLAB_BYTES } from '../../src/engine/protocol.ts';
import { RequestHead } from '../../src/l7/h1/request-head.ts';
import { parseRequestHead } from '../../src/l7/h1/request-parser.ts';
import { ResponseHead } from '../../src/l7/h1/response-head.ts';
import { parseResponseHead } from '../../src/l7/h1/response-parser.ts';
import { normalizePath } from '../../src/l7/path.ts';
import { type Figure, sample } from './measure.ts';

const RUNS = 50_000;
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

const request = new RequestHead();
const response = new ResponseHead();

type Parse = (start: number, end: number) => number;

const ours: Parse = (start, end) => parseRequestHead(slab, start, end, LIMITS, request);
const normalize: Parse = (start, end) => normalizePath(slab, start, end, slab, 4_000_000);

/** Heads and paths, in nanoseconds each; `x` is the length in bytes. */
export function headParse(): Figure[] {
  return [
    figure('request, small', SMALL_REQUEST, ours),
    figure('request, small, llhttp', SMALL_REQUEST, llhttp()),
    figure('request, browser', BROWSER_REQUEST, ours),
    figure('request, browser, llhttp', BROWSER_REQUEST, llhttp()),
    figure('response, static file', RESPONSE, (start, end) => parseResponseHead(slab, start, end, LIMITS, response, 1)),
    figure('path, normal', '/assets/app.4f2c1d.js', normalize),
    figure('path, rewritten', '/a/../b/%7Euser//x.html', normalize),
  ];
}

function figure(name: string, text: string, parse: Parse): Figure {
  const { starts, length } = place(text);
  const samples = sample(RUNS, (index) => {
    const start = starts[index % COPIES]!;
    return parse(start, start + length);
  });
  return { name, x: length, samples };
}

/** The part of node's internal HTTPParser that is used here. */
interface HttpParser {
  [callback: number]: (...values: never[]) => unknown;
  initialize(type: number, resource: object): void;
  execute(bytes: Buffer): number | Error;
}

/** Node's own parser, driven as node:http does: it hands out the fields as strings, since nobody can ask it later. */
function llhttp(): Parse {
  const { HTTPParser } = createRequire(import.meta.url)('_http_common') as {
    readonly HTTPParser: { new (): HttpParser; readonly REQUEST: number; readonly kOnHeadersComplete: number };
  };
  const parser = new HTTPParser();
  parser.initialize(HTTPParser.REQUEST, {});
  parser[HTTPParser.kOnHeadersComplete] = () => 0;
  return (start, end) => {
    const parsed = parser.execute(Buffer.from(slab.buffer, start, end - start));
    if (typeof parsed !== 'number') throw parsed;
    return parsed;
  };
}
