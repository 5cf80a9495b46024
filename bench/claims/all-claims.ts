import type { Results } from '../results.ts';
import type { Experiment, Judgement, Reading } from './claim.ts';
import { busyConnection } from './experiments/busy-connection.ts';
import { checkCost } from './experiments/check-cost.ts';
import { checkInterval } from './experiments/check-interval.ts';
import { hiddenClients } from './experiments/hidden-clients.ts';
import { lyingCheck } from './experiments/lying-check.ts';
import { remapping } from './experiments/remapping.ts';
import { routingRace } from './experiments/routing-race.ts';
import { ruleChain } from './experiments/rule-chain.ts';
import { slowEndpoint } from './experiments/slow-endpoint.ts';
import { stickiness } from './experiments/stickiness.ts';
import { takingOut } from './experiments/taking-out.ts';
import { twoChoices } from './experiments/two-choices.ts';
import { READINGS } from './readings.ts';

/** Each knows the shape of its own data, and gets back what it gave. */
export const EXPERIMENTS: readonly Experiment<unknown>[] = [
  slowEndpoint,
  busyConnection,
  twoChoices,
  hiddenClients,
  remapping,
  ruleChain,
  stickiness,
  lyingCheck,
  checkInterval,
  checkCost,
  takingOut,
  routingRace,
];

export interface JudgedClaim extends Judgement {
  readonly number: number;
  readonly claim: string;
  /** Repeats what decides it. */
  readonly command: string;
}

/** Every claim that a run has measured what it takes for, in the order of their numbers. */
export function judgeClaims(results: Results): readonly JudgedClaim[] {
  const played = EXPERIMENTS.flatMap((experiment) => {
    const { number, claim } = experiment;
    const data = results.experiments[number];
    const command = `npm run bench -- --only claims --claims ${number}`;
    return data === undefined ? [] : [{ number, claim, command, ...experiment.judge(data) }];
  });
  const read = READINGS.flatMap(({ number, claim, command, judge }: Reading) => {
    const judgement = judge(results);
    return judgement === undefined ? [] : [{ number, claim, command, ...judgement }];
  });
  return [...played, ...read].toSorted((a, b) => a.number - b.number);
}
