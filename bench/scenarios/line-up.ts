import { type Environment, type Purpose, type RunningSubject, startSubject } from '../environment.ts';
import type { Failure } from '../results.ts';
import type { Subject } from '../subjects/subject.ts';
import type { BodySize } from '../vocabulary.ts';
import { checkProxied } from './proxied.ts';

/**
 * Starts all subjects side by side, each checked to do the whole job. One that cannot start or changes a body has ended, and is a failure of
 * `where`. The caller ends the others.
 */
export async function lineUp(
  environment: Environment,
  subjects: readonly Subject[],
  purpose: Purpose,
  sizes: readonly BodySize[],
  where: string,
): Promise<{ running: RunningSubject[]; failures: Failure[] }> {
  const running: RunningSubject[] = [];
  const failures: Failure[] = [];
  for (const subject of subjects) {
    try {
      running.push(await startChecked(environment, subject, purpose, sizes));
    } catch (error) {
      failures.push({ subject: subject.name, where, reason: (error as Error).message, missing: false });
    }
  }
  return { running, failures };
}

async function startChecked(
  environment: Environment,
  subject: Subject,
  purpose: Purpose,
  sizes: readonly BodySize[],
): Promise<RunningSubject> {
  const running = await startSubject(environment, subject, purpose);
  try {
    await checkProxied(running, purpose.layer, sizes);
  } catch (error) {
    await running.end();
    throw error;
  }
  return running;
}
