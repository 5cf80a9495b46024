/** What a running proxy tells of itself: where it listens, its status, its metrics, and what the dashboard follows. */
import type { Board } from '../contract/board.ts';
import type { ShardSnapshot } from '../contract/messages.ts';
import type { ListenerPlan, Plan } from '../contract/plan.ts';
import { systemClock } from '../core/clock.ts';
import { counterTotals, type Sample } from '../observe/counter-totals.ts';
import type { EventCounters } from '../observe/event-counters.ts';
import type { MetricFamily } from '../observe/prometheus-text.ts';
import { LiveView, type Look } from './admin/live-view.ts';
import { makeMetrics } from './admin/metrics.ts';
import { makeStatus, type Status } from './admin/status.ts';
import type { EngineChoice } from './choose-engine.ts';
import type { RecentEvents } from './recent-events.ts';
import type { ReloadOutcome } from './reloader.ts';
import type { Supervisor } from './supervisor.ts';

export interface ListenerInfo {
  readonly name: string;
  readonly protocol: 'http' | 'tcp';
  /** As bound: port 0 is replaced by the real one. */
  readonly address: string;
  /** Where it leads, for people. */
  readonly leadsTo: string;
}

export interface ProxyReportOptions {
  readonly engine: EngineChoice['kind'];
  readonly supervisor: Supervisor;
  readonly board: Board;
  readonly counters: EventCounters;
  readonly events: RecentEvents;
  /** Descriptors that the process may have open. */
  readonly descriptorLimit: number;
  /** Where the listener with that slot was bound. */
  readonly addressOf: (slot: number) => string;
  readonly reloads: () => ReloadOutcome;
  readonly isDraining: () => boolean;
}

export class ProxyReport {
  /** Looks by itself once it was started. */
  readonly live: LiveView;
  readonly #options: ProxyReportOptions;

  constructor(options: ProxyReportOptions) {
    this.#options = options;
    this.live = new LiveView({
      look: () => this.#look(),
      events: (after) => options.events.after(after),
      nowMs: () => systemClock.nowMs(),
      wallMs: () => systemClock.wallMs(),
    });
  }

  get listeners(): readonly ListenerInfo[] {
    const { supervisor, addressOf } = this.#options;
    return supervisor.plan.listeners.map((listener) => ({
      name: listener.name,
      protocol: listener.protocol,
      address: addressOf(listener.slot),
      leadsTo: leadsTo(listener, supervisor.plan),
    }));
  }

  /** Connections that are open now, to clients and to endpoints. */
  get connections(): number {
    return this.#options.supervisor.shards().reduce((sum, shard) => sum + shard.connections, 0);
  }

  async status(): Promise<Status> {
    return this.#statusOf(await this.#options.supervisor.snapshots());
  }

  async metrics(): Promise<readonly MetricFamily[]> {
    const { engine, supervisor, board, descriptorLimit, reloads, isDraining } = this.#options;
    const snapshots = await supervisor.snapshots();
    return makeMetrics({
      engine,
      totals: this.#allTotals(),
      latencies: supervisor.latencies(),
      snapshots,
      shards: supervisor.shards(),
      plan: supervisor.plan,
      board,
      configVersion: reloads().configVersion,
      draining: isDraining(),
      descriptorLimit,
    });
  }

  async #look(): Promise<Look> {
    const { supervisor } = this.#options;
    const snapshots = await supervisor.snapshots();
    return {
      status: this.#statusOf(snapshots),
      snapshots,
      totals: supervisor.totals(),
      latencies: supervisor.latencies(),
    };
  }

  #statusOf(snapshots: readonly ShardSnapshot[]): Status {
    const { supervisor, board, addressOf, reloads, isDraining } = this.#options;
    return makeStatus({
      plan: supervisor.plan,
      board,
      ...reloads(),
      draining: isDraining(),
      shards: supervisor.shards(),
      snapshots,
      addressOf,
    });
  }

  /** What shards and the control plane count; some of it is counted by both. */
  #allTotals(): readonly Sample[] {
    const totals = counterTotals();
    totals.put(0, this.#options.supervisor.totals());
    totals.put(1, this.#options.counters.samples());
    return totals.totals();
  }
}

function leadsTo(listener: ListenerPlan, plan: Plan): string {
  if (listener.protocol === 'tcp') return `cluster ${plan.clusters[listener.cluster]?.name}`;
  const [only, second] = listener.routes;
  if (second !== undefined || only?.action.kind !== 'forward')
    return second === undefined ? '1 route' : `${listener.routes.length} routes`;
  return `cluster ${only.action.clusters.map(({ cluster }) => plan.clusters[cluster]?.name).join(', ')}`;
}
