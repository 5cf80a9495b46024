import { EXPERIMENTS } from '../claims/all-claims.ts';
import { Rig } from '../claims/rig.ts';
import type { Environment } from '../environment.ts';
import type { Failure, Results } from '../results.ts';

/** Plays the experiments of the claims that are asked for. One that cannot be played is reported, and the others go on. */
export async function playClaims(
  environment: Environment,
): Promise<{ experiments: Results['experiments']; failures: Failure[] }> {
  const { options, progress } = environment;
  const rig = new Rig(environment);
  const experiments: Record<number, unknown> = {};
  const failures: Failure[] = [];
  for (const experiment of EXPERIMENTS.filter((one) => options.claims.includes(one.number))) {
    const { number } = experiment;
    try {
      experiments[number] = await experiment.run(rig);
      progress.step(`claim ${number}: played`);
    } catch (error) {
      const reason = (error as Error).message;
      failures.push({ subject: 'fourseven', where: `claim ${number}`, reason, missing: false });
      progress.step(`claim ${number}: ${reason}`);
    }
  }
  return { experiments, failures };
}
