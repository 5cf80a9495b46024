import { parseArgs } from 'node:util';
import { EXPERIMENTS } from './claims/all-claims.ts';
import {
  BODY_SIZES,
  type BodySize,
  isSecure,
  LAYERS,
  type Layer,
  LOADS,
  type LoadKind,
  SCENARIOS,
  type Scenario,
  SUBJECT_NAMES,
  type SubjectName,
  USUAL_CONNECTIONS,
  USUAL_LAYERS,
  USUAL_SIZES,
} from './vocabulary.ts';

export interface Options {
  readonly scenarios: readonly Scenario[];
  readonly loads: readonly LoadKind[];
  readonly sizes: readonly BodySize[];
  readonly subjects: readonly SubjectName[];
  /** Whether the subjects were named by the user: then one that is missing is a failure. */
  readonly subjectsNamed: boolean;
  readonly rounds: number;
  /** Number of the first round: even ones go forwards, odd ones backwards. */
  readonly firstRound: number;
  /** Length of one measurement. */
  readonly seconds: number;
  readonly connections: readonly number[];
  readonly latency: {
    readonly layers: readonly Layer[];
    readonly sizes: readonly BodySize[];
    /** Loads, as shares of what the weakest subject answers at most. */
    readonly shares: readonly number[];
  };
  /** Numbers of the claims whose experiments are played. */
  readonly claims: readonly number[];
  /** Of the schedules of the open loop. */
  readonly seed: number;
  readonly idleConnections: number;
  /** The proxy under test: an executable that takes `run FILE`. */
  readonly command: string;
  readonly jsonFile: string | undefined;
  readonly updateReadme: boolean;
  /** Keep the rendered configurations. */
  readonly keep: boolean;
}

export type ParsedArguments =
  | { readonly kind: 'options'; readonly options: Options }
  | { readonly kind: 'compare'; readonly beforeFile: string; readonly afterFile: string }
  | { readonly kind: 'help' }
  | { readonly kind: 'problem'; readonly problem: string };

/** The numbers of the experiments; the other claims are read off the scenarios. */
const PLAYED_CLAIMS = EXPERIMENTS.map(({ number }) => number);
const DEFAULT_IDLE_CONNECTIONS = 5000;
const FULL = { rounds: 5, seconds: 4 };
const QUICK = { rounds: 2, seconds: 1 };

/** The others are for one question each. */
const USUAL_SUBJECTS: readonly SubjectName[] = ['fourseven', 'haproxy', 'nginx', 'http-proxy'];

export const HELP = `Usage: npm run bench -- [options]
       npm run bench -- compare BEFORE.json AFTER.json

Measures CPU per request and requests per second of Fourseven and its rivals, side by side.
compare says which figures of two runs (--json) differ by more than their rounds do among themselves.

  --quick               ${QUICK.rounds} rounds of ${QUICK.seconds} s instead of ${FULL.rounds} rounds of ${FULL.seconds} s: a first look, not a figure to quote
  --only LIST           scenarios: ${SCENARIOS.join(', ')} (default: ${USUAL_LAYERS.join(',')})
  --loads LIST          what clients do: ${LOADS.join(', ')} (default: kept)
  --sizes LIST          bodies: ${BODY_SIZES.join(', ')} (default: ${USUAL_SIZES.join(',')})
  --subjects LIST       ${SUBJECT_NAMES.join(', ')} (default: ${USUAL_SUBJECTS.join(',')})
  --node-engine         adds the subject fourseven-node: the same proxy on its portable engine
  --idle [N]            adds the scenario idle: memory of N idle keep-alive connections (default: ${DEFAULT_IDLE_CONNECTIONS})
  --start               adds the scenario start: time from start to the first byte
  --rounds N            rounds, 1 to 100
  --seconds N           seconds per measurement, 1 to 600
  --connections LIST    connections of the load, 1 to 10000 (default: ${USUAL_CONNECTIONS})
  --shares LIST         loads of latency, in percent of what the weakest subject answers at most (default: 70)
  --latency-layers LIST layers whose latency is measured (default: l7)
  --claims LIST         numbers of the claims whose experiments are played (default: all)
  --seed N              makes the same arrivals as before (default: 1)
  --command FILE        the proxy under test (default: bin/fourseven)
  --json FILE           writes all figures, every round, as JSON
  --update-readme       writes the summary between the markers of README.md
  --keep                keeps the rendered configurations and says where they are
  --help                prints this
`;

/** Reads the command line. A problem is one sentence for the user; nothing throws. */
export function parseArguments(argv: readonly string[]): ParsedArguments {
  try {
    if (argv[0] === 'compare') return toComparison(argv.slice(1));
    const values = parseValues(withIdleDefault(argv));
    if (values.help) return { kind: 'help' };
    return { kind: 'options', options: toOptions(values) };
  } catch (error) {
    return { kind: 'problem', problem: error instanceof Error ? error.message : String(error) };
  }
}

function toComparison(files: readonly string[]): ParsedArguments {
  const [beforeFile, afterFile] = files;
  if (beforeFile === undefined || afterFile === undefined || files.length > 2) {
    throw new Error('compare takes two files that --json has written');
  }
  return { kind: 'compare', beforeFile, afterFile };
}

type Values = ReturnType<typeof parseValues>;

function parseValues(args: string[]) {
  return parseArgs({
    args,
    allowPositionals: false,
    options: {
      quick: { type: 'boolean' },
      only: { type: 'string' },
      loads: { type: 'string' },
      sizes: { type: 'string' },
      subjects: { type: 'string' },
      'node-engine': { type: 'boolean' },
      idle: { type: 'string' },
      start: { type: 'boolean' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      connections: { type: 'string' },
      shares: { type: 'string' },
      claims: { type: 'string' },
      'latency-layers': { type: 'string' },
      seed: { type: 'string' },
      command: { type: 'string' },
      json: { type: 'string' },
      'update-readme': { type: 'boolean' },
      keep: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  }).values;
}

/** util.parseArgs has no option with an optional value: `--idle` alone is `--idle DEFAULT`. */
function withIdleDefault(argv: readonly string[]): string[] {
  return argv.flatMap((argument, index) => {
    const next = argv[index + 1];
    const alone = argument === '--idle' && (next === undefined || next.startsWith('-'));
    return alone ? [argument, String(DEFAULT_IDLE_CONNECTIONS)] : [argument];
  });
}

function toOptions(values: Values): Options {
  const length = values.quick ? QUICK : FULL;
  return {
    scenarios: chosenScenarios(values),
    loads: values.loads === undefined ? ['kept'] : chosen('--loads', values.loads, LOADS),
    sizes: values.sizes === undefined ? USUAL_SIZES : chosen('--sizes', values.sizes, BODY_SIZES),
    subjects: chosenSubjects(values),
    subjectsNamed: values.subjects !== undefined,
    rounds: wholeNumber('--rounds', values.rounds, length.rounds, 100),
    firstRound: 0,
    seconds: wholeNumber('--seconds', values.seconds, length.seconds, 600),
    connections: (values.connections ?? String(USUAL_CONNECTIONS))
      .split(',')
      .map((text) => wholeNumber('--connections', text.trim(), USUAL_CONNECTIONS, 10_000)),
    latency: toLatency(values),
    claims: toClaims(values),
    seed: wholeNumber('--seed', values.seed, 1, 1_000_000),
    idleConnections: wholeNumber('--idle', values.idle, DEFAULT_IDLE_CONNECTIONS, 100_000),
    command: values.command ?? 'bin/fourseven',
    jsonFile: values.json,
    updateReadme: values['update-readme'] ?? false,
    keep: values.keep ?? false,
  };
}

function toLatency(values: Values): Options['latency'] {
  const shares = (values.shares ?? '70').split(',').map((text) => wholeNumber('--shares', text.trim(), 70, 100) / 100);
  return {
    layers: chosen(
      '--latency-layers',
      values['latency-layers'] ?? 'l7',
      LAYERS.filter((layer) => !isSecure(layer)),
    ),
    // One, unless sizes were asked for: each is measured by itself.
    sizes: values.sizes === undefined ? ['small'] : chosen('--sizes', values.sizes, BODY_SIZES),
    shares,
  };
}

function toClaims({ claims }: Values): readonly number[] {
  if (claims === undefined) return PLAYED_CLAIMS;
  return claims.split(',').map((text) => {
    const number = Number(text.trim());
    if (PLAYED_CLAIMS.includes(number)) return number;
    throw new Error(`--claims: "${text.trim()}" has no experiment; choose from ${PLAYED_CLAIMS.join(', ')}`);
  });
}

function chosenScenarios(values: Values): readonly Scenario[] {
  const scenarios = new Set<Scenario>(
    values.only === undefined ? USUAL_LAYERS : chosen('--only', values.only, SCENARIOS),
  );
  if (values.idle !== undefined) scenarios.add('idle');
  if (values.start) scenarios.add('start');
  return SCENARIOS.filter((scenario) => scenarios.has(scenario));
}

function chosenSubjects(values: Values): readonly SubjectName[] {
  const named = values.subjects === undefined ? undefined : chosen('--subjects', values.subjects, SUBJECT_NAMES);
  const subjects = new Set<SubjectName>(named ?? USUAL_SUBJECTS);
  if (named === undefined && chosenScenarios(values).includes('passed')) subjects.add('fourseven-plain');
  if (values['node-engine']) subjects.add('fourseven-node');
  return SUBJECT_NAMES.filter((name) => subjects.has(name));
}

function chosen<T extends string>(option: string, list: string, known: readonly T[]): readonly T[] {
  return list.split(',').map((text) => {
    const found = known.find((name) => name === text.trim());
    if (found === undefined) throw new Error(`${option}: "${text.trim()}" is unknown; choose from ${known.join(', ')}`);
    return found;
  });
}

function wholeNumber(option: string, text: string | undefined, absent: number, max: number): number {
  if (text === undefined) return absent;
  const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > max) throw new Error(`${option}: "${text}" is not a whole number from 1 to ${max}`);
  return value;
}
