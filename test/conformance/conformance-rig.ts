/** One proxy with as many lanes as are asked for, and the hands that work them. */
import { ProxyProcess } from '../integration/proxy-process.ts';
import { Lane } from './lane.ts';

/** Long enough for bytes that were sent at once, on a machine that is busy; short because each case waits for one of them. */
const HASTY = { head: '1500ms', body: '1500ms', idle: '200ms' } as const;
const PATIENT = { head: '60s', body: '60s', idle: '120s' } as const;

export class ConformanceRig {
  readonly #proxy: ProxyProcess;
  readonly #lanes: readonly Lane[];
  #isStopped = false;

  private constructor(proxy: ProxyProcess, lanes: readonly Lane[]) {
    this.#proxy = proxy;
    this.#lanes = lanes;
  }

  static async start(engine: 'native' | 'node', laneCount: number): Promise<ConformanceRig> {
    const lanes = await Promise.all(Array.from({ length: laneCount }, () => Lane.open()));
    const listeners = lanes.flatMap((_, index) => {
      const routes = [{ cluster: `lane-${index}` }];
      const address = '127.0.0.1:0';
      return [
        [`hasty-${index}`, { address, timeouts: HASTY, routes }] as const,
        [`patient-${index}`, { address, timeouts: PATIENT, routes }] as const,
        [`proxied-${index}`, { address, timeouts: HASTY, proxyProtocol: 'require' as const, routes }] as const,
      ];
    });
    const clusters = lanes.map(({ origin }, index) => {
      const endpoints = [`127.0.0.1:${origin.port}`];
      return [`lane-${index}`, { endpoints, timeouts: { idle: '60s' } }] as const;
    });
    const proxy = await ProxyProcess.start({
      engine,
      shards: 1,
      listeners: Object.fromEntries(listeners),
      clusters: Object.fromEntries(clusters),
    });
    for (const [index, lane] of lanes.entries()) {
      const port = (kind: string) => proxy.port(`${kind}-${index}`);
      lane.connect({ hasty: port('hasty'), patient: port('patient'), proxied: port('proxied') });
    }
    return new ConformanceRig(proxy, lanes);
  }

  /** Works on all cases, one at a time per lane, and gives what came of each, in their order. */
  async runAll<Case, Outcome>(
    cases: readonly Case[],
    run: (lane: Lane, what: Case) => Promise<Outcome>,
  ): Promise<Outcome[]> {
    const outcomes = new Array<Outcome>(cases.length);
    const waiting = cases.entries();
    const work = async (lane: Lane) => {
      for (const [index, what] of waiting) {
        if (this.#isStopped) return;
        outcomes[index] = await run(lane, what);
      }
    };
    await Promise.all(this.#lanes.map(work));
    return outcomes;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const { code } = await this.#proxy.stop();
    await Promise.all(this.#lanes.map((lane) => lane.close()));
    const complaints = this.#proxy.stderr.split('\n').filter((line) => line.includes('shard'));
    if (code !== 0 || complaints.length > 0) throw new Error(`the proxy ended with ${code}:\n${this.#proxy.stderr}`);
  }
}
