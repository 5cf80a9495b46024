import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js';
import type { ChildProcesses } from '../../child-processes.ts';
import { compile } from '../compile.ts';
import { poissonArrivals } from './arrivals.ts';

const HIGHEST_US = 60_000_000;
const SIGNIFICANT_DIGITS = 3;
/** Latency, lateness, index of the arrival: see generator.cc. */
const RECORD_WORDS = 3;

export interface Order {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  /** When requests are due: microseconds from the start, ascending. 'saturating': as many as are answered, and none is measured. */
  readonly arrivals: Float64Array | 'saturating';
  /** Arrivals before this are sent, not measured. */
  readonly warmUpUs: number;
  /** When to stop, whatever is still due. */
  readonly endUs: number;
}

export interface Report {
  readonly answeredPerSecond: number;
  /**
   * Microseconds from when a request was due to its whole answer, and by which the generator sent one late though a connection was free. In the
   * interchange format of HdrHistogram (V2, compressed, base64), so that runs can be merged.
   */
  readonly latency: string;
  readonly lateness: string;
  /** What makes it invalid, in words. */
  readonly problems: readonly string[];
}

/** A schedule of independent clients. Each seed makes its own. */
export function makeOrder(
  place: Pick<Order, 'port' | 'path' | 'connections'>,
  ratePerSecond: number | 'saturating',
  time: { readonly warmUpSeconds: number; readonly seconds: number },
  seed: number,
): Order {
  const total = time.warmUpSeconds + time.seconds;
  const arrivals = ratePerSecond === 'saturating' ? ratePerSecond : poissonArrivals(ratePerSecond, total, seed);
  return { ...place, arrivals, warmUpUs: time.warmUpSeconds * 1e6, endUs: total * 1e6 };
}

/** The open-loop generator, compiled. */
export class OpenLoop {
  readonly #children: ChildProcesses;
  readonly #program: string;

  private constructor(children: ChildProcesses, program: string) {
    this.#children = children;
    this.#program = program;
  }

  /** Compiles the generator into a folder. Throws, with a remedy, where it cannot. */
  static async build(children: ChildProcesses, directory: string): Promise<OpenLoop> {
    return new OpenLoop(children, await compile(children, 'bench/load/open-loop/generator.cc', directory));
  }

  /** Plays an order in a process of its own. Throws if that does not come to its end. */
  async run({ port, connections, path, arrivals, warmUpUs, endUs }: Order): Promise<Report> {
    const folder = await mkdtemp(`${tmpdir()}/fourseven-open-loop-`);
    try {
      const [arrivalsFile, recordsFile] = [`${folder}/arrivals`, `${folder}/records`];
      if (arrivals !== 'saturating') await writeFile(arrivalsFile, arrivals);
      const schedule = arrivals === 'saturating' ? '-' : arrivalsFile;
      const command = [this.#program, String(port), String(connections), path, String(endUs), schedule, recordsFile];
      const { code, child } = await this.#children.run('open-loop generator', command, 'generator core');
      if (code !== 0) throw new Error(`the open-loop generator did not finish:\n${child.stderr}`);
      const said = JSON.parse(child.stdout) as { answered: number; elapsedUs: number; problem: string };
      return {
        answeredPerSecond: said.answered / (said.elapsedUs / 1e6),
        ...sortOut(wordsOf(await readFile(recordsFile)), arrivals, warmUpUs),
        problems: said.problem === '' ? [] : [said.problem],
      };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

function sortOut(
  words: Uint32Array,
  arrivals: Order['arrivals'],
  warmUpUs: number,
): Pick<Report, 'latency' | 'lateness'> {
  const [latency, lateness] = [makeHistogram(), makeHistogram()];
  for (let at = 0; arrivals !== 'saturating' && at < words.length; at += RECORD_WORDS) {
    if (arrivals[words[at + 2]!]! < warmUpUs) continue;
    latency.recordValue(inRange(words[at]!));
    lateness.recordValue(inRange(words[at + 1]!));
  }
  return { latency: encodeIntoCompressedBase64(latency), lateness: encodeIntoCompressedBase64(lateness) };
}

function wordsOf(bytes: Buffer): Uint32Array {
  return new Uint32Array(Uint8Array.from(bytes).buffer);
}

/** Of microseconds: 1 to a minute, with three significant digits. */
export function makeHistogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST_US,
    numberOfSignificantValueDigits: SIGNIFICANT_DIGITS,
  });
}

function inRange(us: number): number {
  return Math.min(HIGHEST_US, Math.max(1, us));
}

/** All recorded values of several runs in one: percentiles are taken of that, never averaged. */
export function mergeHistograms(encoded: readonly string[]): Histogram {
  const merged = makeHistogram();
  for (const one of encoded) merged.add(decodeFromCompressedBase64(one));
  return merged;
}
