/**
 * Has certificates issued, and renewed in time: looks at what the store has, asks the authority for what is missing, and leaves it there, where
 * the watch over certificates finds it. One process asks once, for all shards.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../../config/config.ts';
import type { AcmeConfig } from '../../config/tls-config.ts';
import type { EventLog } from '../event-log.ts';
import { AcmeStore, type IssuedCertificate } from './acme-store.ts';
import type { ChallengeHost } from './challenge.ts';

/** Between two looks; a certificate has days left when it is renewed. */
const LOOK_EVERY_MS = 6 * 3_600_000;
const JITTER = 0.2;
/** After a failure, doubled each time: authorities count failed orders by the hour. */
const RETRY_MIN_MS = 60_000;
const RETRY_MAX_MS = 12 * 3_600_000;
/** What lives for days only is not renewed with each look. */
const RENEW_SHARE = 1 / 3;

export type Issue = (
  config: AcmeConfig,
  names: readonly string[],
  store: AcmeStore,
  host: ChallengeHost,
) => Promise<void>;

export interface AcmeManagerOptions {
  readonly host: ChallengeHost;
  readonly log: EventLog;
  /** Asks the authority; for tests. */
  readonly issue?: Issue;
}

export class AcmeManager {
  readonly #host: ChallengeHost;
  readonly #log: EventLog;
  readonly #issue: Issue;
  #config: AcmeConfig | undefined;
  #orders: readonly (readonly string[])[] = [];
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #failures = 0;
  #isStopped = false;

  constructor({ host, log, issue = issueOnDemand }: AcmeManagerOptions) {
    this.#host = host;
    this.#log = log;
    this.#issue = issue;
  }

  /** Looks at once, and from then on, after what the configuration wants issued. */
  apply({ acme, listeners }: Pick<Config, 'acme' | 'listeners'>): void {
    const orders = listeners.flatMap(({ tls }) =>
      (tls?.certificates ?? []).filter(({ isIssued }) => isIssued).map(({ names }) => names),
    );
    // By what names the files: two listeners may share one certificate.
    const wanted = [...new Map(orders.map((names) => [names[0], names])).values()];
    // A reload that changes nothing here does not ask an authority again that has just refused.
    if (isDeepStrictEqual([wanted, acme], [this.#orders, this.#config])) return;
    this.#orders = wanted;
    this.#config = acme;
    clearTimeout(this.#timer);
    if (acme !== undefined && wanted.length > 0) this.#lookIn(0);
  }

  /** Resolves once what runs now is over. */
  async settled(): Promise<void> {
    await this.#looking;
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined;
      });
    }, ms).unref();
  }

  async #look(): Promise<void> {
    const config = this.#config;
    if (config === undefined) return;
    const store = new AcmeStore(config.storage);
    let failed = false;
    for (const names of this.#orders) {
      if (this.#isStopped) return;
      try {
        if (isGood(await store.read(names), names, config)) continue;
        this.#log.info(`acme: a certificate for ${names.join(', ')} is asked for`);
        await this.#issue(config, names, store, this.#host);
        this.#log.info(`acme: the certificate for ${names.join(', ')} has come`);
      } catch (error) {
        failed = true;
        this.#log.error(
          `acme: no certificate for ${names.join(', ')}: ${error instanceof Error ? error.message : error}`,
        );
      }
    }
    this.#failures = failed ? this.#failures + 1 : 0;
    const ms = failed ? Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** (this.#failures - 1)) : LOOK_EVERY_MS;
    this.#lookIn(ms * (1 - JITTER * Math.random()));
  }
}

/** Whether it is for all these names, and not to be renewed yet. */
function isGood(
  certificate: IssuedCertificate | undefined,
  names: readonly string[],
  { renewBeforeMs }: AcmeConfig,
): boolean {
  if (certificate === undefined || !names.every((name) => certificate.names.includes(name))) return false;
  const { notBeforeMs, notAfterMs } = certificate;
  const beforeMs = Math.min(renewBeforeMs, (notAfterMs - notBeforeMs) * RENEW_SHARE);
  return Date.now() < notAfterMs - beforeMs;
}

const issueOnDemand: Issue = async (...args) => {
  const { issueCertificate } = await import('./acme-client.ts');
  await issueCertificate(...args);
};
