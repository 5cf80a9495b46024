import type { ClientAddress } from '../downstream/client-address.ts';
import { EntryText, NO_TIME, type Phase } from '../observe/access/access-entry.ts';
import type { AccessLog } from '../observe/access/access-log.ts';
import type { SessionOutcome } from '../observe/traffic-counters.ts';

/** Whose doing each outcome is. */
const ENDED_BY: Readonly<Record<SessionOutcome, string>> = {
  ok: '-',
  client_reset: 'downstream',
  client_gone: 'downstream',
  endpoint_reset: 'upstream',
  connect_failed: 'upstream',
  connect_timeout: 'upstream',
  idle_timeout: 'internal',
  no_endpoint: 'internal',
  no_room: 'internal',
  cut: 'internal',
};

/** Keeps what the access log is to tell of a session, while it runs: little, as there may be many that do nothing for hours. */
export class SessionRecord {
  readonly #client: ClientAddress;
  readonly #beganMs: number;
  #endpoint = '';
  #attempts = 0;
  #connectMs = NO_TIME;
  #received = 0;
  #sent = 0;

  /** `client` is the caller's. `nowMs`: of the round. */
  constructor(client: ClientAddress, nowMs: number) {
    this.#client = client.clone();
    this.#beganMs = nowMs;
  }

  attempt(endpoint: string): void {
    this.#endpoint = endpoint;
    this.#attempts++;
  }

  connected(ms: number): void {
    this.#connectMs = ms;
  }

  /** Bytes from the client and to it. */
  moved(received: number, sent: number): void {
    this.#received = received;
    this.#sent = sent;
  }

  tell(log: AccessLog, cluster: string, outcome: SessionOutcome, phase: Phase, nowMs: number): void {
    const { entry } = log;
    entry.reset();
    entry.wrote(EntryText.CLIENT, this.#client.write(entry.bytes, entry.room));
    entry.port = this.#client.port;
    entry.cluster = cluster;
    entry.endpoint = this.#endpoint;
    entry.attempts = this.#attempts;
    entry.connectMs = this.#connectMs;
    entry.requestBytes = this.#received;
    entry.responseBytes = this.#sent;
    entry.durationMs = nowMs - this.#beganMs;
    if (outcome !== 'ok') entry.failed(outcome, ENDED_BY[outcome], phase);
    log.session(entry);
  }
}
