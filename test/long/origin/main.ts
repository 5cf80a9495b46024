/** The origin of the soak, a process of its own: HTTP endpoints, good and bad, and one for sessions. */
import { serveParent } from '../child.ts';
import { Failures } from '../failures.ts';
import { startFlappingOrigin } from './flapping-origin.ts';
import { startHttpOrigin } from './http-origin.ts';
import { startSessionOrigin } from './session-origin.ts';

export interface OriginPorts {
  readonly steady: readonly number[];
  readonly restless: number;
  readonly faulty: number;
  readonly late: number;
  readonly flapping: number;
  readonly sessions: number;
}

export interface OriginReport {
  readonly failures: Failures;
  readonly requestCount: number;
  readonly wholeUploadCount: number;
  readonly wholeSessionCount: number;
}

const failures = new Failures();
const first = await startHttpOrigin(failures);
const second = await startHttpOrigin(failures);
const restless = await startHttpOrigin(failures, { endsIdleConnections: true });
const faulty = await startHttpOrigin(failures);
const late = await startHttpOrigin(failures);
const flapping = await startFlappingOrigin(failures);
const sessions = await startSessionOrigin(failures);
const origins = [first, second, restless, faulty, late, flapping];

const ports: OriginPorts = {
  steady: [first.port, second.port],
  restless: restless.port,
  faulty: faulty.port,
  late: late.port,
  flapping: flapping.port,
  sessions: sessions.port,
};
serveParent(ports, (): OriginReport => {
  const sum = (key: 'requestCount' | 'wholeUploadCount') => origins.reduce((all, { counts }) => all + counts[key], 0);
  return {
    failures,
    requestCount: sum('requestCount'),
    wholeUploadCount: sum('wholeUploadCount'),
    wholeSessionCount: sessions.counts.wholeSessionCount,
  };
});
