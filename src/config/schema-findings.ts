/** Turns what zod says about a configuration into findings that name cause and remedy. */
import type { z } from 'zod';
import { nearest } from './nearest.ts';
import { error, type Finding, type Path } from './problem.ts';
import { describeValue, quote } from './quote.ts';
import { configSchema } from './schema.ts';
import { httpClientOptions } from './schema-clients.ts';
import { listenerSchema } from './schema-listener.ts';
import { splitFault } from './schema-values.ts';
import { asMapping } from './sketch-values.ts';

type Issue = z.core.$ZodIssue;
type Parsed = z.output<typeof configSchema>;

/** What a tcp listener cannot have, relative to the listener: not unknown, but misplaced. */
const HTTP_ONLY: ReadonlySet<string> = new Set([
  'routes',
  'paths',
  ...['head', 'headers', 'line', 'body', 'bodyRate'].map((limit) => `limits.${limit}`),
  'timeouts.head',
  'timeouts.body',
  ...Object.keys(httpClientOptions),
]);

/** `reportInput`: problems quote what was written. The known keys are in zod's schema object only, so that they travel in the message. */
const OPTIONS = {
  reportInput: true,
  error: (issue: z.core.$ZodRawIssue) => (issue.code === 'unrecognized_keys' ? knownKeys(issue.inst) : undefined),
};

/** With fewer values than that, to compile the schema takes longer (30 ms of a start) than to check them without. */
const COMPILED_MIN_VALUES = 2_000;

/** How many values there are in it, its own included; counted up to `max`, so that one that contains itself has an end. */
function countValues(value: unknown, max: number): number {
  let count = 1;
  if (typeof value !== 'object' || value === null) return count;
  for (const inner of Object.values(value)) {
    if (count >= max) break;
    count += countValues(inner, max - count);
  }
  return count;
}

function knownKeys(schema: unknown): string {
  return Object.keys((schema as z.ZodObject | undefined)?.shape ?? {}).join(' ');
}

/** Checks the input against the schema: the parsed configuration, or every way in which it breaks the schema. Never throws. */
export function checkSchema(input: unknown): { readonly parsed?: Parsed; readonly findings: readonly Finding[] } {
  const isSmall = countValues(input, COMPILED_MIN_VALUES) < COMPILED_MIN_VALUES;
  const result = configSchema.safeParse(input, { ...OPTIONS, jitless: isSmall });
  if (result.success) return { parsed: result.data, findings: [] };
  return { findings: result.error.issues.flatMap((issue) => findingsOf(issue, [], input)) };
}

/** `base`: the path that the issue's own path starts from; `root`: the whole configuration. */
function findingsOf(issue: Issue, base: Path, root: unknown): Finding[] {
  const path = [...base, ...(issue.path as Path)];
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => unknownKey(path, key, issue.message.split(' ')));
  if (issue.code === 'invalid_union') {
    return issue.path.at(-1) === 'protocol' ? wrongProtocol(path, root) : wrongChoice(issue, path, root);
  }
  if (issue.code === 'invalid_key') return [{ ...error(path, ...pair(issue.issues[0]?.message ?? '')), atKey: true }];
  if (issue.message.includes('\n')) return [error(path, ...pair(issue.message))];
  return [plainFinding(issue, path)];
}

function pair(message: string): [cause: string, remedy: string] {
  const { cause, remedy } = splitFault(message);
  return [cause, remedy];
}

function unknownKey(path: Path, key: string, known: readonly string[]): Finding {
  const relative = [...path.slice(2), key].join('.');
  if (path[0] === 'listeners' && HTTP_ONLY.has(relative) && !known.includes(key)) {
    const cause = `\`${relative}\` is for http listeners, and this one is tcp`;
    return { ...error([...path, key], cause, 'remove it, or write `protocol: http`'), atKey: true };
  }
  const close = nearest(key, known);
  const remedy = close === undefined ? `remove it; known here: ${known.join(', ')}` : `did you mean \`${close}\`?`;
  return { ...error([...path, key], `there is no option ${quote(key)}`, remedy), atKey: true };
}

/** Which of both shapes holds depends on the protocol: with the probable one, the rest of the listener is checked all the same. */
function wrongProtocol(path: Path, root: unknown): Finding[] {
  const listenerPath = path.slice(0, -1);
  const listener = asMapping(valueAt(root, listenerPath)) ?? {};
  const written = listener.protocol;
  const probable = (typeof written === 'string' ? nearest(written, ['http', 'tcp']) : undefined) ?? 'http';
  const finding = error(path, `${describeValue(written)} is not a protocol of listeners`, 'write http or tcp');
  const result = listenerSchema.safeParse({ ...listener, protocol: probable }, OPTIONS);
  if (result.success) return [finding];
  return [finding, ...result.error.issues.flatMap((inner) => findingsOf(inner, listenerPath, root))];
}

/** A value that may have one of several shapes: the problems of the shape that was meant, or what all of them are. */
function wrongChoice(issue: Extract<Issue, { code: 'invalid_union' }>, path: Path, root: unknown): Finding[] {
  const meant = issue.errors.find((branch) => !branch.some(isWrongKind));
  if (meant !== undefined) return meant.flatMap((inner) => findingsOf(inner, path, root));
  const expected = issue.errors.flat().filter(isWrongKind).map(expectation);
  const remedy = `write ${orList(expected)}${inQuotes(issue.input, expected)}`;
  return [error(path, `${describeValue(issue.input)} is not expected here`, remedy)];
}

/** YAML takes `true` and `1` for what they look like. */
function inQuotes(input: unknown, expected: readonly string[]): string {
  const isPlain = typeof input === 'boolean' || typeof input === 'number';
  return isPlain && expected.includes(KINDS.string!) ? `; in quotes it is a text: "${input}"` : '';
}

function isWrongKind(issue: Issue): boolean {
  return (
    issue.path.length === 0 &&
    !issue.message.includes('\n') &&
    (issue.code === 'invalid_type' || issue.code === 'invalid_value')
  );
}

function plainFinding(issue: Issue, path: Path): Finding {
  const key = String(path.at(-1) ?? 'the configuration');
  if (issue.input === undefined && (issue.code === 'invalid_type' || issue.code === 'invalid_value')) {
    return error(path, `\`${key}\` is missing`, `add ${EXAMPLES[key] ?? expectation(issue)}`);
  }
  if (issue.code === 'too_small' || issue.code === 'too_big') return outOfRange(issue, path);
  if (issue.code === 'invalid_value') {
    const close = nearest(String(issue.input), issue.values.map(String));
    const remedy =
      close === undefined ? `write ${expectation(issue)}` : `did you mean ${close}? Known: ${issue.values.join(', ')}`;
    return error(path, `${describeValue(issue.input)} is not a value of \`${key}\``, remedy);
  }
  if (issue.input === null) return error(path, `\`${key}\` is empty`, `write ${expectation(issue)}, or remove the key`);
  const isQuotedNumber = typeof issue.input === 'string' && issue.input !== '' && Number.isFinite(Number(issue.input));
  const quotes = isQuotedNumber ? ', without quotes' : inQuotes(issue.input, [expectation(issue)]);
  const remedy = `write ${expectation(issue)}${quotes}`;
  return error(path, `${describeValue(issue.input)} is not expected here`, remedy);
}

function outOfRange(issue: Extract<Issue, { code: 'too_small' | 'too_big' }>, path: Path): Finding {
  if (issue.origin === 'array')
    return error(path, 'this list is empty', 'add an entry, or remove the key if it may be left out');
  const [word, remedy] =
    issue.code === 'too_small' ? ['small', `at least ${issue.minimum}`] : ['large', `at most ${issue.maximum}`];
  return error(path, `${describeValue(issue.input)} is too ${word}`, `write ${remedy}`);
}

/** For the keys that must be there. */
const EXAMPLES: Readonly<Record<string, string>> = {
  listeners: '`listeners`, as in `listeners: { web: { address: 0.0.0.0:8080, cluster: site } }`',
  clusters: '`clusters`, as in `clusters: { site: { endpoints: [10.0.0.1:9000] } }`',
  address: 'it, as in `address: 10.0.0.1:8080`',
  cluster: 'it, with the name of one of `clusters`',
  endpoints: 'it, as in `endpoints: [10.0.0.1:9000]`',
};

const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of keys to values',
  record: 'a mapping of names to values',
};

function expectation(issue: Issue): string {
  if (issue.code === 'invalid_value') return orList(issue.values.map(String));
  return issue.code === 'invalid_type'
    ? (KINDS[issue.expected] ?? `a value of kind ${issue.expected}`)
    : 'another value';
}

function orList(words: readonly string[]): string {
  const distinct = [...new Set(words)];
  return distinct.length < 2 ? distinct.join('') : `${distinct.slice(0, -1).join(', ')} or ${distinct.at(-1)}`;
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const part of path) value = (value as Record<string | number, unknown> | null | undefined)?.[part];
  return value;
}
