/**
 * Looks for inputs on which our HTTP/1 parsers do what they must not: throw, take long, come to another verdict when the bytes arrive in
 * pieces, accept what llhttp reads in another way, or accept a message that llhttp refuses once it is written down again.
 *
 *   node --import jiti/register test/fuzz/parser-fuzz.ts [--seconds N | --inputs N] [--seed N]
 *
 * Seeds are the rows of the conformance tables, and the corpora where they are here. Ends with 1 if anything was found.
 */
import { Random } from '../../src/core/random.ts';
import { CORPORA, corpusBytes } from '../conformance/corpora.ts';
import { fault } from '../conformance/differential.ts';
import { FIELD_ROWS, FORWARDING_ROWS } from '../conformance/field-rows.ts';
import { CHUNK_ROWS, CODING_ROWS, LENGTH_ROWS, PIPELINE_ROWS, TRAILER_ROWS } from '../conformance/framing-rows.ts';
import { readRequestsStrictly, readResponsesStrictly } from '../conformance/llhttp-reader.ts';
import { describeReading, type Message, type Reading } from '../conformance/message.ts';
import { readRequests, readResponses } from '../conformance/our-reader.ts';
import { HOST_ROWS, LINE_ROWS, TARGET_ROWS } from '../conformance/request-line-rows.ts';
import { RESPONSE_FIELD_ROWS, RESPONSE_FRAMING_ROWS, RESPONSE_LINE_ROWS } from '../conformance/response-rows.ts';
import { mutate } from './mutator.ts';

const SLOW_MS = 50;
const FINDINGS_MAX = 20;
const FINDING_MAX_CHARACTERS = 2_000;
const CUTS_MAX = 6;
const SEED_MAX_BYTES = 16 * 1024;
/** Inputs between two looks at the clock. */
const BATCH = 1_000;

const REQUEST_ROWS = [
  ...[LINE_ROWS, TARGET_ROWS, HOST_ROWS, FIELD_ROWS, FORWARDING_ROWS, LENGTH_ROWS, CODING_ROWS, CHUNK_ROWS].flat(),
  ...[TRAILER_ROWS, PIPELINE_ROWS].flat(),
];
const RESPONSE_ROWS = [RESPONSE_LINE_ROWS, RESPONSE_FIELD_ROWS, RESPONSE_FRAMING_ROWS].flat();

interface Side {
  readonly ours: (bytes: Buffer, ends?: readonly number[]) => Reading;
  readonly theirs: (bytes: Buffer) => Reading;
}

const REQUESTS: Side = { ours: (bytes, ends) => readRequests(bytes, ends), theirs: readRequestsStrictly };
const RESPONSES: Side = {
  ours: (bytes, ends) => readResponses(bytes, 'GET', true, ends),
  theirs: (bytes) => readResponsesStrictly(bytes),
};

/** What is wrong about an input, or ''. */
function examine(bytes: Buffer, { ours, theirs }: Side, random: Random): string {
  const startMs = performance.now();
  const whole = ours(bytes);
  // Once may be the machine's fault: another program's turn, or the collection of garbage.
  if (performance.now() - startMs > SLOW_MS && isSlow(bytes, ours)) return 'slow';
  const ends = cutsOf(bytes.length, random);
  const pieces = ours(bytes, ends);
  if (describeReading(pieces) !== describeReading(whole) || pieces.refusal !== whole.refusal)
    return `cut at ${ends.join()} it is ${describeReading(pieces)} ${pieces.refusal ?? ''}, whole ${describeReading(whole)} ${whole.refusal ?? ''}`;
  if (whole.messages.length === 0) return '';
  const difference = fault(bytes.toString('latin1'), whole, theirs);
  if (difference !== '') return difference;
  for (const message of whole.messages) {
    const written = write(message);
    const [again] = theirs(written).messages;
    if (again === undefined || again.body !== message.body)
      return `written again, ${JSON.stringify(written.toString('latin1'))} is not what llhttp reads`;
  }
  return '';
}

function isSlow(bytes: Buffer, ours: Side['ours']): boolean {
  for (let attempts = 0; attempts < 3; attempts++) {
    const startMs = performance.now();
    ours(bytes);
    if (performance.now() - startMs <= SLOW_MS) return false;
  }
  return true;
}

function attempt(bytes: Buffer, side: Side, random: Random): string {
  try {
    return examine(bytes, side, random);
  } catch (problem) {
    return `thrown: ${(problem as Error).stack}`;
  }
}

function cutsOf(length: number, random: Random): number[] {
  const cuts = Array.from({ length: random.below(CUTS_MAX) }, () => random.below(length + 1));
  return [...cuts.sort((one, other) => one - other), length];
}

/** The message as a proxy would send it on: its fields as they were read, its body framed anew. */
function write({ method, target, status, fields, body, trailers }: Message): Buffer {
  const first = status === 0 ? `${method} ${target} HTTP/1.1` : `HTTP/1.1 ${status} `;
  const isCoded = fields.some(([name]) => /^transfer-encoding$/i.test(name));
  const lines = (all: Message['fields']) => all.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const size = body === '' ? '' : `${body.length.toString(16)}\r\n${body}\r\n`;
  const framed = isCoded && status !== 204 && status !== 304 ? `${size}0\r\n${lines(trailers)}\r\n` : body;
  return Buffer.from(`${first}\r\n${lines(fields)}\r\n${framed}`, 'latin1');
}

function option(name: string): number | undefined {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : Number(process.argv[at + 1]);
}

function main(): number {
  const seed = option('seed') ?? Math.floor(Math.random() * 0x7fffffff);
  const inputsMax = option('inputs') ?? Number.POSITIVE_INFINITY;
  const seconds = option('seconds') ?? (inputsMax === Number.POSITIVE_INFINITY ? 60 : Number.POSITIVE_INFINITY);
  const random = new Random(seed);
  const small = (all: Buffer[]) => all.filter(({ length }) => length > 0 && length <= SEED_MAX_BYTES);
  const foreign = CORPORA === undefined ? [] : corpusBytes(CORPORA);
  const pools: readonly (readonly [side: Side, pool: Buffer[]])[] = [
    [REQUESTS, small([...REQUEST_ROWS.map(([, text]) => Buffer.from(text, 'latin1')), ...foreign])],
    [RESPONSES, small([...RESPONSE_ROWS.map(([, text]) => Buffer.from(text, 'latin1')), ...foreign])],
  ];
  console.log(
    `seed ${seed}; ${pools.map(([, pool]) => pool.length).join(' and ')} seeds; corpora ${CORPORA ?? 'are not here'}`,
  );
  const startMs = performance.now();
  let inputs = 0;
  let findings = 0;
  while (inputs < inputsMax && performance.now() - startMs < seconds * 1000 && findings < FINDINGS_MAX) {
    for (let count = 0; count < BATCH && inputs < inputsMax; count++) {
      const [side, pool] = pools[inputs++ % pools.length]!;
      const bytes = mutate(pool, random);
      const found = attempt(bytes, side, random);
      if (found === '') continue;
      findings++;
      const what = side === REQUESTS ? 'request' : 'response';
      console.log(`${what} ${bytes.toString('base64')}\n  ${found.slice(0, FINDING_MAX_CHARACTERS)}`);
    }
  }
  const perSecond = (inputs / (performance.now() - startMs)) * 1000;
  console.log(`${inputs} inputs, ${perSecond.toFixed(0)} a second, ${findings} findings`);
  return findings > 0 ? 1 : 0;
}

process.exitCode = main();
