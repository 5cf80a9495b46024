/**
 * Host names of endpoints: resolved by the supervisor when the proxy starts, and again every now and then, so that shards never wait for a
 * resolver. A name that stops resolving keeps its last known addresses.
 */
import { lookup as systemLookup } from 'node:dns/promises';
import type { EndpointAddress, SocketAddress } from '../core/address.ts';
import { ProxyError } from '../core/errors.ts';
import type { EventLog } from './event-log.ts';

/** `getaddrinfo` blocks a thread of libuv's pool of four (dns.lookup in the Node documentation); files and crypto need one too. */
const LOOKUPS_AT_ONCE_MAX = 3;
const LOOKUP_TIMEOUT_MS = 5_000;
const REFRESH_INTERVAL_MS = 30_000;
const REFRESH_JITTER = 0.1;
/** A name with more addresses than this is answered with its first ones, in the order of their text. */
const ADDRESSES_PER_NAME_MAX = 256;

/** All addresses of a host name, numeric. Rejects if there are none. */
export type Lookup = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

export interface ResolverOptions {
  readonly log: EventLog;
  readonly lookup?: Lookup;
  readonly lookupTimeoutMs?: number;
  readonly refreshIntervalMs?: number;
  /** 0 to 1, for the jitter. */
  readonly random?: () => number;
}

/** Where a host name is used, for the message if it does not resolve. */
export interface NameUse {
  readonly host: string;
  readonly cluster: string;
}

type Addresses = readonly { readonly family: 4 | 6; readonly host: string }[];

const lookupAll: Lookup = (host) => systemLookup(host, { all: true, verbatim: true });

export class Resolver {
  readonly #log: EventLog;
  readonly #lookup: Lookup;
  readonly #lookupTimeoutMs: number;
  readonly #refreshIntervalMs: number;
  readonly #random: () => number;
  readonly #known = new Map<string, Addresses>();
  /** Lookups cannot be cancelled: one that hangs is waited for again, not doubled. */
  readonly #underway = new Map<string, Promise<Addresses>>();
  readonly #failing = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #isStarted = false;
  #isStopped = false;

  constructor(options: ResolverOptions) {
    this.#log = options.log;
    this.#lookup = options.lookup ?? lookupAll;
    this.#lookupTimeoutMs = options.lookupTimeoutMs ?? LOOKUP_TIMEOUT_MS;
    this.#refreshIntervalMs = options.refreshIntervalMs ?? REFRESH_INTERVAL_MS;
    this.#random = options.random ?? Math.random;
  }

  /** Resolves every name for the first time. Throws ProxyError `name_unresolved` that says which do not, where they are used, and why. */
  async resolveAll(uses: readonly NameUse[]): Promise<void> {
    const clusters = new Map<string, Set<string>>();
    for (const { host, cluster } of uses) clusters.set(host, (clusters.get(host) ?? new Set()).add(cluster));
    const failures: string[] = [];
    await forEachBounded([...clusters.keys()], async (host) => {
      try {
        this.#known.set(host, await this.#resolve(host));
      } catch (error) {
        const names = [...clusters.get(host)!].join(', ');
        failures.push(`the host name ${host} (cluster ${names}) does not resolve: ${reasonOf(error)}`);
      }
    });
    if (failures.length === 0) return;
    const remedy = 'correct the name, make it resolvable from this machine, or write its numeric address';
    throw new ProxyError('name_unresolved', `${failures.sort().join('; ')}; ${remedy}`);
  }

  /** As `resolveAll`, for names that are not known yet; the others keep what they have. */
  async resolveNew(uses: readonly NameUse[]): Promise<void> {
    await this.resolveAll(uses.filter(({ host }) => !this.#known.has(host)));
  }

  /** Forgets all other names. */
  keepOnly(uses: readonly NameUse[]): void {
    const kept = new Set(uses.map(({ host }) => host));
    for (const host of this.#known.keys()) if (!kept.has(host)) this.#known.delete(host);
    for (const host of this.#failing) if (!kept.has(host)) this.#failing.delete(host);
  }

  /** The last known addresses. The name must have been given to `resolveAll`. */
  addressesOf(address: EndpointAddress): readonly SocketAddress[] {
    if (address.family !== 'name') return [address];
    return (this.#known.get(address.host) ?? []).map(({ family, host }) => ({ family, host, port: address.port }));
  }

  /** Asks again for every known name. Returns whether any set of addresses has changed. Never throws. */
  async refresh(): Promise<boolean> {
    let hasChanged = false;
    await forEachBounded([...this.#known.keys()], async (host) => {
      if (this.#isStopped) return;
      if (await this.#refreshOne(host)) hasChanged = true;
    });
    return hasChanged;
  }

  /** Refreshes in the background until `stop`; `onChange` is called after a refresh that changed something. Called again, it does no harm. */
  start(onChange: () => void): void {
    if (this.#isStarted || this.#known.size === 0 || this.#isStopped) return;
    this.#isStarted = true;
    const delayMs = this.#refreshIntervalMs * (1 + REFRESH_JITTER * (2 * this.#random() - 1));
    this.#timer = setTimeout(async () => {
      const hasChanged = await this.refresh();
      this.#isStarted = false;
      if (this.#isStopped) return;
      if (hasChanged) onChange();
      this.start(onChange);
    }, delayMs);
    this.#timer.unref();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #refreshOne(host: string): Promise<boolean> {
    try {
      const addresses = await this.#resolve(host);
      if (this.#failing.delete(host)) this.#log.info(`the host name ${host} resolves again`);
      const known = this.#known.get(host);
      // Forgotten meanwhile, or nothing new.
      if (known === undefined || textOf(addresses) === textOf(known)) return false;
      this.#known.set(host, addresses);
      this.#log.info(`the host name ${host} now resolves to ${textOf(addresses)}`);
      return true;
    } catch (error) {
      // Once per outage, not once per attempt.
      if (!this.#failing.has(host)) {
        this.#log.warn(`the host name ${host} does not resolve (${reasonOf(error)}); its last known addresses stay`);
      }
      this.#failing.add(host);
      return false;
    }
  }

  async #resolve(host: string): Promise<Addresses> {
    let underway = this.#underway.get(host);
    if (underway === undefined) {
      underway = this.#lookup(host).then(sorted);
      this.#underway.set(host, underway);
      const forget = () => this.#underway.delete(host);
      underway.then(forget, forget);
    }
    return withTimeout(underway, this.#lookupTimeoutMs);
  }
}

/** Resolvers rotate their answers: without an order, every refresh would look like a change. */
function sorted(answers: Awaited<ReturnType<Lookup>>): Addresses {
  const unique = new Map(answers.map(({ address, family }) => [address, family]));
  if (unique.size === 0) throw new Error('it has no address');
  return [...unique]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, ADDRESSES_PER_NAME_MAX)
    .map(([host, family]) => ({ family: family === 6 ? 6 : 4, host }));
}

function textOf(addresses: Addresses): string {
  return addresses.map(({ host }) => host).join(', ');
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOTFOUND') return 'no such name (ENOTFOUND)';
  if (code === 'EAI_AGAIN') return 'the resolver does not answer (EAI_AGAIN)';
  return error instanceof Error ? error.message : String(error);
}

async function withTimeout<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

async function forEachBounded<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const remaining = [...items].reverse();
  const lane = async () => {
    for (let item = remaining.pop(); item !== undefined; item = remaining.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: LOOKUPS_AT_ONCE_MAX }, lane));
}
