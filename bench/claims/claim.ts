import type { Table } from '../report/table.ts';
import type { Results } from '../results.ts';
import type { Rig } from './rig.ts';

export type Verdict = 'holds' | 'half-true' | 'false here';

/** What the figures say of a claim. All of it follows from them: other figures, another text. */
export interface Judgement {
  readonly verdict: Verdict;
  /** What was found, in a sentence or three, with the figures that decide. */
  readonly found: string;
  readonly table: Table;
  /** What decides it, as bars, in one unit. */
  readonly bars: readonly { readonly name: string; readonly value: number }[];
  readonly unit: string;
  /** The condition under which the verdict would be another. */
  readonly turns: string;
}

/** A claim of the texts, with the experiment that decides it. */
export interface Experiment<Data> {
  readonly number: number;
  readonly claim: string;
  /** Plays it: real endpoints, real traffic. What it returns can be written as JSON. */
  run(rig: Rig): Promise<Data>;
  /** Pure. */
  judge(data: Data): Judgement;
}

/** A claim that the scenarios of the benchmark decide. */
export interface Reading {
  readonly number: number;
  readonly claim: string;
  /** Measures what it takes. */
  readonly command: string;
  /** Pure. Undefined where the run has not measured what it takes. */
  readonly judge: (results: Results) => Judgement | undefined;
}
