/** Requests that must be refused, and endpoints that do not answer as they should. */
import { Agent } from 'node:http';
import { HttpClient } from '../../integration/http-client.ts';
import { type Ask, ask } from './ask.ts';
import { type Pacer, pause } from './pacer.ts';
import { requestText } from './raw-requests.ts';
import { cut } from './requests.ts';
import type { Tally } from './tally.ts';

const REFUSAL_TIMEOUT_MS = 20_000;
const KIB = 1024;
/** Long after the late bytes, and before the proxy would close the connection as idle. */
const LATE_REST_MS = 1_000;

const HOST = 'Host: soak.test';
const PATH = '/must-not-arrive';
const lines = (...all: readonly string[]) => `${all.join('\r\n')}\r\n\r\n`;
const get = (...fields: readonly string[]) => lines(`GET ${PATH} HTTP/1.1`, ...fields);
const post = (...fields: readonly string[]) => `${lines(`POST ${PATH} HTTP/1.1`, HOST, ...fields)}hello`;

/** With the statuses that refuse them. None may reach an origin. */
const MALFORMED: readonly (readonly [text: string, ...statuses: number[]])[] = [
  [post('Content-Length: 5', 'Transfer-Encoding: chunked'), 400],
  [post('Transfer-Encoding: gzip, chunked'), 400, 501],
  [post('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'), 400],
  [post('Transfer-Encoding: xchunked'), 400, 501],
  [post('Content-Length: +5'), 400],
  [post('Content-Length: 5, 5'), 400],
  [post('Content-Length: 5', 'Content-Length: 6'), 400],
  [post('Content-Length:'), 400],
  [post('Content-Length: 99999999999999999999'), 400],
  [post('Content-Length : 5'), 400],
  [get(), 400],
  [get(HOST, 'Host: other.test'), 400],
  [get('Host: a b'), 400],
  [get(HOST, ' folded: 1'), 400],
  [get(HOST, ': no name'), 400],
  [get(HOST, 'a b: 1'), 400],
  [get(HOST, 'nul: \0'), 400],
  [get(HOST, 'bare: \r x'), 400],
  [`GET ${PATH} HTTP/1.1\n${HOST}\n\n`, 400],
  [lines(`GET  ${PATH} HTTP/1.1`, HOST), 400],
  [lines(`GET ${PATH} HTTP/1.1 `, HOST), 400],
  [lines(`GET ${PATH} HTTP/3.7`, HOST), 400, 505],
  [lines(`GET ${PATH}`), 400, 505],
  [lines(`GET ${PATH}/%zz HTTP/1.1`, HOST), 400],
  [lines(`GET ${PATH}/%00 HTTP/1.1`, HOST), 400],
  [lines(`GET ${PATH}#fragment HTTP/1.1`, HOST), 400],
  [lines(`GET http://other.test${PATH} HTTP/1.1`, HOST), 400],
  [lines('CONNECT must-not-arrive:443 HTTP/1.1', 'Host: must-not-arrive:443'), 405],
  [lines(`GET ${PATH}/${'x'.repeat(17 * KIB)} HTTP/1.1`, HOST), 414],
  [get(HOST, `long: ${'x'.repeat(17 * KIB)}`), 431],
  [get(HOST, ...Array.from({ length: 101 }, (_, index) => `name-${index}: 1`)), 431],
  ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 400],
  ['SSH-2.0-OpenSSH_9.2\r\n\r\n', 400],
];

/** How an endpoint fails, and what the client may be told; 0: the answer breaks off. */
const FAULTS: readonly (readonly [kind: string, size: number, ...statuses: number[]])[] = [
  ['hang', 0, 504],
  ['reset-before', 0, 502],
  ['end-before', 0, 502],
  ['garbage', 0, 502],
  ['two-lengths', 0, 502],
  ['reset-within', 20 * KIB, 0, 502],
  ['end-within', 20 * KIB, 0, 502],
  ['bad-chunk', 0, 0, 502],
  ['surplus', 500, 200],
];

export function startHostile(port: number, pacer: Pacer, tally: Tally): void {
  let malformed = 0;
  pacer.every(10, 32, () => {
    const [text, ...statuses] = MALFORMED[malformed++ % MALFORMED.length]!;
    return tally.run('malformed', () => refused(port, text, statuses));
  });
  pacer.every(5, 32, () =>
    tally.run('malformed', () => {
      const id = tally.nextId('bad-chunk-size');
      const text = `${requestText('POST', 'upload', 5, id, ['Transfer-Encoding: chunked'])}0x5\r\nhello\r\n0\r\n\r\n`;
      return refused(port, text, [400]);
    }),
  );
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  let fault = 0;
  pacer.every(10, 32, () => {
    const [kind, size, ...statuses] = FAULTS[fault++ % FAULTS.length]!;
    return tally.run('fault', () => faultProblem({ port, agent, tally, kind, size, id: tally.nextId(kind) }, statuses));
  });
  // One after the other, with a rest: bytes that come while the next request is on its way could be its answer, for all that a proxy can know.
  pacer.always(1, async () => {
    await tally.run('late', () =>
      faultProblem({ port, agent, tally, kind: 'late', size: 500, id: tally.nextId('late') }, [200]),
    );
    await pause(LATE_REST_MS);
  });
}

/** One of the statuses, and the connection ends. */
async function refused(port: number, text: string, statuses: readonly number[]): Promise<string> {
  const client = new HttpClient(port);
  try {
    const { status } = await client.ask(text, { ms: REFUSAL_TIMEOUT_MS });
    if (!statuses.includes(status)) return `${status} instead of ${statuses.join(' or ')}: ${excerpt(text)}`;
    await client.ended;
    return client.received === '' ? '' : `more than one answer: ${excerpt(text)}`;
  } catch (error) {
    return `${(error as Error).message}: ${excerpt(text)}`;
  } finally {
    client.close();
  }
}

async function faultProblem(options: Ask, statuses: readonly number[]): Promise<string> {
  const { status, problem } = await ask(options).catch(cut);
  if (!statuses.includes(status)) return `${options.id} gave ${status} (${problem})`;
  return status === 200 ? problem : '';
}

function excerpt(text: string): string {
  return JSON.stringify(text.slice(0, 120));
}
