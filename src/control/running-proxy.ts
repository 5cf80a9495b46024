/**
 * The whole proxy in one process: brings it up from a configuration, keeps it going, and takes it down. Prints nothing: what happens goes to
 * the log.
 */
import { availableParallelism } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config/config.ts';
import { tlsFilesOf } from '../config/load-tls.ts';
import { type ConfigResult, recheckFiles } from '../config/validate-config.ts';
import { Board } from '../contract/board.ts';
import type { Plan } from '../contract/plan.ts';
import { ProxyError } from '../core/errors.ts';
import { EventCounters } from '../observe/event-counters.ts';
import { AccessLogFiles } from './access-log-files.ts';
import { AcmeManager } from './acme/acme-manager.ts';
import type { AcmeChallenge, ChallengeHost } from './acme/challenge.ts';
import type { AdminQuestion, AdminSource } from './admin/admin-routes.ts';
import { ADMIN_CONNECTIONS_MAX, AdminServer } from './admin/admin-server.ts';
import { endpointStatus, type Status } from './admin/status.ts';
import { CertificateWatch } from './certificate-watch.ts';
import { chooseEngine, type EngineChoice } from './choose-engine.ts';
import { PlanCompiler } from './compile-plan.ts';
import { descriptorsPerShard, readDescriptorUse } from './descriptor-budget.ts';
import { drainShards } from './drain.ts';
import { EndpointDrains } from './endpoint-drains.ts';
import { type EndpointAction, EndpointOperator } from './endpoint-operator.ts';
import type { EventLog } from './event-log.ts';
import { HealthMonitor } from './health/health-monitor.ts';
import { ListeningSockets } from './listening-sockets.ts';
import { checkMachine } from './machine-checks.ts';
import { becomeUser } from './privileges.ts';
import { type ListenerInfo, ProxyReport } from './proxy-report.ts';
import { RecentEvents } from './recent-events.ts';
import { Reloader, type ReloadOutcome } from './reloader.ts';
import { type NameUse, Resolver, type ResolverOptions } from './resolver.ts';
import { PiscinaShardPool } from './shard-pool.ts';
import { Supervisor } from './supervisor.ts';
import { SpanExporter } from './tracing/span-exporter.ts';
import { inheritedEndpoints, isSameAddress, restoreEndpoints } from './upgrade/endpoint-states.ts';
import type { Handover } from './upgrade/handover.ts';
import type { Successor, SuccessorCommand } from './upgrade/successor.ts';
import { Upgrader } from './upgrade/upgrader.ts';

/** Twice what a keep-alive client of a busy proxy lets pass between two requests. */
const UPGRADE_GRACE_MS = 1_000;

export interface ProxyOptions {
  readonly log: EventLog;
  /** Offers the admin calls that crash and hang shards. */
  readonly testCalls?: boolean;
  /** Reads the configuration anew. Left out: only `take` brings a new one. */
  readonly load?: () => Promise<ConfigResult>;
  /** Answers `GET /api/explain`. Left out: there is none. */
  readonly explain?: (config: Config, question: AdminQuestion) => ReturnType<NonNullable<AdminSource['explain']>>;
  /** Looks at what the machine allows, and says what to set. */
  readonly checksMachine?: boolean;
  /** Told when a configuration is about to be read anew, and when that is over. */
  readonly onReload?: (phase: 'begun' | 'over') => void;
  /** What was handed to this process: by the one before it, or by a service manager. */
  readonly inherited?: Handover | undefined;
  /** How a successor is started. Left out: there can be none. */
  readonly successor?: SuccessorCommand | undefined;
  /** How host names of endpoints are resolved, and how often; for tests. */
  readonly names?: Pick<ResolverOptions, 'lookup' | 'refreshIntervalMs'>;
}

export class RunningProxy {
  #config: Config;
  readonly #log: EventLog;
  readonly #engine: EngineChoice;
  readonly #board: Board;
  readonly #compiler: PlanCompiler;
  readonly #resolver: Resolver;
  readonly #accessLogs: AccessLogFiles;
  readonly #exporter: SpanExporter | undefined;
  readonly #sockets: ListeningSockets;
  readonly #supervisor: Supervisor;
  readonly #health: HealthMonitor;
  readonly #drains: EndpointDrains;
  readonly #operator: EndpointOperator;
  readonly #reloader: Reloader;
  readonly #report: ProxyReport;
  readonly #acme: AcmeManager;
  /** What authorities want to see now. */
  #challenges: readonly AcmeChallenge[] = [];
  readonly #certificates = new CertificateWatch(() => void this.#onCertificatesChanged());
  /** Plans are made one after the other. */
  #planning: Promise<void> = Promise.resolve();
  #admin: AdminServer | undefined;
  #phase: 'starting' | 'ready' | 'draining' = 'starting';
  readonly #shardCount: number;
  readonly #upgrader: Upgrader;
  #ending: Promise<number> | undefined;

  private constructor(
    config: Config,
    options: ProxyOptions,
    parts: {
      engine: EngineChoice;
      board: Board;
      compiler: PlanCompiler;
      resolver: Resolver;
      plan: Plan;
      sockets: ListeningSockets;
      shardCount: number;
      counters: EventCounters;
      accessLogs: AccessLogFiles;
      events: RecentEvents;
      exporter: SpanExporter | undefined;
    },
  ) {
    this.#accessLogs = parts.accessLogs;
    this.#exporter = parts.exporter;
    const { engine, board, plan, sockets, shardCount, counters } = parts;
    this.#shardCount = shardCount;
    this.#config = config;
    this.#log = options.log;
    this.#engine = engine;
    this.#board = board;
    this.#compiler = parts.compiler;
    this.#resolver = parts.resolver;
    this.#sockets = sockets;
    const use = readDescriptorUse(engine.addon, ADMIN_CONNECTIONS_MAX);
    if (options.checksMachine) for (const advice of checkMachine(use.limit)) this.#log.warn(`machine: ${advice}`);
    this.#health = new HealthMonitor({
      board,
      log: options.log,
      counters,
      checksAtOnceMax: use.checks,
    });
    this.#supervisor = new Supervisor({
      shardCount,
      engine: engine.kind,
      plan,
      board,
      sockets,
      descriptorsMax: descriptorsPerShard(use, shardCount),
      pool: new PiscinaShardPool(shardCount, options.log),
      log: options.log,
      ticketKeys: options.inherited?.ticketKeys,
      onSpans: (spans) => parts.exporter?.add(spans),
      onAccessLog: (batch, done) => this.#accessLogs.write(batch, done),
    });
    this.#drains = new EndpointDrains((endpoints) => this.#supervisor.cutEndpoints(endpoints));
    this.#operator = new EndpointOperator(board, this.#drains, options.log, counters);
    this.#upgrader = new Upgrader({
      log: options.log,
      addon: engine.addon,
      command: options.successor,
      exclusively: (work) => this.#exclusively(work),
      handover: () => this.#handover(),
      onTakenOver: () => this.#onTakenOver(),
    });
    this.#acme = new AcmeManager({ host: this.#challengeHost(), log: options.log });
    const apply = (next: Config) => this.#put(next);
    const { log, onReload } = options;
    const load =
      options.load &&
      (async () => {
        await this.#certificates.note();
        return options.load!();
      });
    this.#reloader = new Reloader({ load, apply, log, counters, ...(onReload && { onReload }) });
    this.#report = new ProxyReport({
      engine: engine.kind,
      supervisor: this.#supervisor,
      board,
      counters,
      events: parts.events,
      descriptorLimit: use.limit,
      addressOf: (slot) => sockets.addressOf(slot),
      reloads: () => this.#reloader.outcome,
      isDraining: () => this.#phase === 'draining',
    });
  }

  /**
   * Resolves when every listener accepts. Throws a ProxyError that says what is wrong, with everything closed again: `engine_unavailable`,
   * `name_unresolved`, `bind_failed`, `no_descriptors`.
   */
  static async start(config: Config, given: ProxyOptions): Promise<RunningProxy> {
    const events = new RecentEvents(given.log);
    const options = { ...given, log: events.log };
    const engine = chooseEngine(config.engine);
    if (engine.warning !== undefined) options.log.warn(engine.warning);
    const { inherited } = options;
    const shardCount = countShards(config, engine, inherited, options.log);
    const resolver = new Resolver({ ...options.names, log: options.log });
    await resolver.resolveAll(namesOf(config));
    const board = Board.create(shardCount);
    const compiler = new PlanCompiler(board);
    const plan = compiler.compile(config, (address) => resolver.addressesOf(address));
    const exporter = config.tracing && (await SpanExporter.open(config.tracing, options.log));
    const counters = new EventCounters();
    const accessLogs = new AccessLogFiles({ log: options.log, counters });
    let sockets: ListeningSockets | undefined;
    let proxy: RunningProxy;
    try {
      await accessLogs.open(logTargetsOf(config));
      sockets = await openSockets(plan, shardCount, engine, inherited);
      if (inherited !== undefined) restoreEndpoints(plan, board, inherited.endpoints);
      const parts = {
        engine,
        board,
        compiler,
        resolver,
        plan,
        sockets,
        shardCount,
        counters,
        accessLogs,
        events,
        exporter,
      };
      proxy = new RunningProxy(config, options, parts);
    } catch (error) {
      sockets?.close();
      await Promise.all([accessLogs.close(), exporter?.close()]);
      throw error;
    }
    try {
      await proxy.#start(options);
    } catch (error) {
      await proxy.close();
      throw error;
    }
    return proxy;
  }

  get listeners(): readonly ListenerInfo[] {
    return this.#report.listeners;
  }

  /** Where the admin API answers, or undefined if it is off. */
  get adminAddress(): string | undefined {
    return this.#admin?.address;
  }

  /** Connections that are open now, to clients and to endpoints. */
  get connections(): number {
    return this.#report.connections;
  }

  status(): Promise<Status> {
    return this.#report.status();
  }

  /** Resolves when a successor has taken over: from then on this proxy is to be drained. */
  get handedOver(): Promise<Successor> {
    return this.#upgrader.handedOver;
  }

  /** See Upgrader. */
  upgrade(): Promise<number> {
    return this.#upgrader.upgrade();
  }

  /** Opens the files of access logs anew, after they were moved away. */
  reopenLogs(): Promise<void> {
    return this.#accessLogs.reopen();
  }

  /** Reads the configuration anew, and puts it in force unless something is wrong with it. */
  reload(): Promise<ReloadOutcome> {
    return this.#reloader.reload();
  }

  /** Puts this configuration in force. Throws a ProxyError that says why not; then everything is as before. */
  take(config: Config): Promise<void> {
    return this.#reloader.take(config);
  }

  /**
   * Takes no new connections after `drain.grace`, finishes what runs until `drain.deadline`, and ends. Returns how many connections were cut
   * at the deadline. Called again, it waits for the same end.
   */
  drain(): Promise<number> {
    this.#upgrader.cancel();
    this.#ending ??= this.#drain(0);
    return this.#ending;
  }

  /**
   * As `drain`, after a successor has taken over. Clients get at least UPGRADE_GRACE_MS to learn from an answer that their connection ends, so that
   * none is closed under a request.
   */
  drainAfterUpgrade(): Promise<number> {
    this.#ending ??= this.#drain(UPGRADE_GRACE_MS);
    return this.#ending;
  }

  /** Cuts everything and ends, also in the middle of a drain. */
  async close(): Promise<void> {
    this.#phase = 'draining';
    this.#upgrader.cancel();
    this.#resolver.stop();
    this.#certificates.stop();
    this.#acme.stop();
    this.#health.stop();
    this.#drains.stop();
    this.#report.live.stop();
    const closed = this.#supervisor.close();
    this.#ending ??= closed;
    await closed;
    await this.#closeOutlets();
  }

  async #start(options: ProxyOptions): Promise<void> {
    // As long as there is a predecessor, it is the one to be asked.
    const hasPredecessor = options.inherited?.admin !== undefined;
    if (!hasPredecessor) await this.#openAdmin(options);
    if (this.#config.user !== undefined) {
      becomeUser(this.#config.user);
      this.#log.info(`running as ${this.#config.user.user} from now on`);
    }
    // While the shards start: the sooner it is known who is well, the better.
    this.#health.apply(this.#supervisor.plan);
    await this.#supervisor.start();
    if (this.#ending === undefined) this.#phase = 'ready';
    if (hasPredecessor) await this.#openAdmin(options);
    await this.#certificates.watch(tlsFilesOf(this.#config));
    this.#acme.apply(this.#config);
    this.#resolver.start(() => void this.#onNamesChanged());
  }

  async #openAdmin(options: ProxyOptions): Promise<void> {
    const { admin } = this.#config;
    const { explain, inherited } = options;
    const { addon } = this.#engine;
    const descriptor = inherited?.admin?.descriptor;
    const isSame =
      admin !== 'off' && descriptor !== undefined && isSameAddress(admin.address, inherited?.admin?.address);
    if (descriptor !== undefined && !isSame) addon?.closeDescriptor(descriptor);
    if (admin !== 'off') {
      const source = {
        phase: () => this.#phase,
        live: this.#report.live,
        token: admin.token,
        status: () => this.#report.status(),
        metrics: () => this.#report.metrics(),
        reload: this.#reloader.hasSource ? () => this.reload() : undefined,
        upgrade: this.#upgrader.isPossible ? () => this.upgrade() : undefined,
        endpoint: (action: EndpointAction, cluster: string, address: string, deadlineMs: number | undefined) =>
          this.#actOn(action, cluster, address, deadlineMs),
        explain: explain && ((question: AdminQuestion) => explain(this.#config, question)),
        testCall: options.testCalls
          ? (shard: number, call: 'crash' | 'hang') => this.#supervisor.testCall(shard, call)
          : undefined,
      };
      const taken = isSame ? descriptor : undefined;
      this.#report.live.start();
      this.#admin = await AdminServer.listen(admin.address, source, this.#log, addon, taken);
    }
  }

  async #drain(graceMinMs: number): Promise<number> {
    this.#phase = 'draining';
    this.#resolver.stop();
    this.#certificates.stop();
    this.#acme.stop();
    const { graceMs, deadlineMs } = this.#config.drain;
    const options = { graceMs: Math.max(graceMs, graceMinMs), deadlineMs, log: this.#log };
    const cut = await drainShards(this.#supervisor, options);
    this.#health.stop();
    this.#drains.stop();
    this.#report.live.stop();
    await this.#closeOutlets();
    return cut;
  }

  /** What shards have told last is still passed on, and whoever has asked is answered. */
  async #closeOutlets(): Promise<void> {
    await this.#accessLogs.close();
    await this.#exporter?.close();
    await this.#admin?.close();
  }

  /** Puts a configuration in force, or throws a ProxyError and leaves everything as it is. */
  async #put(config: Config): Promise<void> {
    refuseFixed(this.#config, config);
    try {
      await this.#accessLogs.open(logTargetsOf(config));
      await this.#resolver.resolveNew(namesOf(config));
      await this.#replan(config);
    } finally {
      this.#resolver.keepOnly(namesOf(this.#config));
      this.#accessLogs.keepOnly(logTargetsOf(this.#config));
    }
    if (this.#phase !== 'ready') return;
    this.#resolver.start(() => void this.#onNamesChanged());
    await this.#certificates.watch(tlsFilesOf(config));
    this.#acme.apply(config);
  }

  #challengeHost(): ChallengeHost {
    const others = ({ kind, name }: Pick<AcmeChallenge, 'kind' | 'name'>) =>
      this.#challenges.filter((challenge) => challenge.kind !== kind || challenge.name !== name);
    return {
      present: (challenge) => {
        this.#challenges = [...others(challenge), challenge];
        return this.#replan(undefined);
      },
      withdraw: (challenge) => {
        this.#challenges = others(challenge);
        return this.#replan(undefined);
      },
    };
  }

  async #onCertificatesChanged(): Promise<void> {
    if (this.#phase !== 'ready') return;
    this.#log.info('certificates have changed');
    await this.#reloader.reloadFrom(() => recheckFiles(this.#config));
  }

  async #onNamesChanged(): Promise<void> {
    try {
      await this.#replan(undefined);
    } catch (error) {
      this.#log.error(`the new addresses are not used: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** `config`: undefined for the one that is in force, whose names have changed their addresses. */
  #replan(config: Config | undefined): Promise<void> {
    return this.#exclusively(() => this.#makePlan(config ?? this.#config));
  }

  /** One after the other: whatever changes plan or sockets, or counts on them. */
  #exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#planning.then(work);
    this.#planning = done.then(
      () => {},
      () => {},
    );
    return done;
  }

  #refuseUnlessReady(): void {
    if (this.#phase !== 'ready') throw new ProxyError('draining', `the proxy is ${this.#phase}`);
  }

  #handover(): Handover {
    this.#refuseUnlessReady();
    const { plan, ticketKeys } = this.#supervisor;
    return {
      listeners: this.#sockets.forSuccessor(plan.listeners),
      admin: this.#admin?.forSuccessor,
      shardCount: this.#shardCount,
      ticketKeys,
      endpoints: inheritedEndpoints(plan, this.#board),
    };
  }

  #onTakenOver(): void {
    this.#phase = 'draining';
    this.#sockets.leaveUnixPaths();
    this.#admin?.leaveToSuccessor();
  }

  /** New listeners are bound before anything changes; old ones are let go when every shard has taken what waited for them. */
  async #makePlan(config: Config): Promise<void> {
    this.#refuseUnlessReady();
    const before = this.#supervisor.plan;
    const { plan, addedListeners, commit } = this.#compiler.propose(
      config,
      (it) => this.#resolver.addressesOf(it),
      this.#challenges,
    );
    await this.#sockets.add(plan.listeners.filter(({ slot }) => addedListeners.has(slot)));
    // What follows cannot fail.
    commit();
    this.#config = config;
    const kept = new Set(plan.listeners.map(({ slot }) => slot));
    // The shards' own are the last ones then: when they close them, nobody is left waiting in a queue that nobody reads.
    this.#sockets.remove(before.listeners.filter(({ slot }) => !kept.has(slot)).map(({ slot }) => slot));
    await this.#supervisor.apply(plan, addedListeners);
    this.#health.apply(plan);
    this.#operator.planChanged(before, plan);
  }

  #actOn(action: EndpointAction, cluster: string, address: string, deadlineMs: number | undefined) {
    const meant = this.#operator.act(this.#supervisor.plan, action, cluster, address, deadlineMs);
    return meant.map((endpoint) => endpointStatus(endpoint, this.#board));
  }
}

/** What threads, their engine and the admin server are made of is settled at the start. Throws ProxyError `config_invalid`. */
function refuseFixed(before: Config, after: Config): void {
  const changed = (['shards', 'engine', 'user', 'log', 'admin', 'tracing'] as const).filter(
    (key) => !isDeepStrictEqual(before[key], after[key]),
  );
  if (changed.length === 0) return;
  const problems = changed.map((key) => `${key}: it cannot change while the proxy runs; start it anew, or put it back`);
  throw new ProxyError('config_invalid', problems.join('\n'));
}

/**
 * Without the addon no two sockets can share a port (Node 20 knows no reusePort), so that one shard is all there can be. With sockets of a
 * predecessor there is a shard for each: to close one would lose who waits in its queue.
 */
function countShards(config: Config, engine: EngineChoice, inherited: Handover | undefined, log: EventLog): number {
  const wanted = config.shards === 'auto' ? availableParallelism() : config.shards;
  const inheritedCount = inherited?.shardCount ?? 0;
  if (inheritedCount > wanted) {
    log.warn(
      `${inheritedCount} shards instead of ${wanted}: an upgrade cannot have fewer than there were, a restart can`,
    );
    return inheritedCount;
  }
  if (engine.addon !== undefined || wanted === 1) return wanted;
  if (config.shards !== 'auto') log.warn(`one shard instead of ${wanted}: more need the addon`);
  return 1;
}

function openSockets(plan: Plan, shardCount: number, { addon }: EngineChoice, inherited: Handover | undefined) {
  return ListeningSockets.open(plan.listeners, shardCount, addon, inherited?.listeners);
}

function logTargetsOf({ listeners }: Config): string[] {
  return listeners.flatMap(({ accessLog }) => (accessLog === undefined ? [] : [accessLog.target]));
}

function namesOf(config: Config): readonly NameUse[] {
  return config.clusters.flatMap((cluster) =>
    cluster.endpoints.flatMap(({ address }) =>
      address.family === 'name' ? [{ host: address.host, cluster: cluster.name }] : [],
    ),
  );
}
