/**
 * Keeps what the access log is to tell of an exchange, while it runs. Made where a listener has such a log, reused for each exchange; elsewhere an
 * exchange asks once whether there is one. Hot path: no allocation, no strings.
 */
import { ERRORS, type ErrorCode } from '../core/errors.ts';
import type { ClientAddress } from '../downstream/client-address.ts';
import { AccessEntry, EntryText, type Phase } from '../observe/access/access-entry.ts';
import type { RequestCounter } from '../observe/traffic-counters.ts';
import { HEADER_WORDS, NAME_ID, VALUE_END, VALUE_START } from './h1/head-fields.ts';
import { Header } from './h1/header-names.ts';
import type { RequestHead } from './h1/request-head.ts';

export class ExchangeRecord {
  readonly entry = new AccessEntry();

  /** A request has been read: `slab` has its bytes only now. `client`: who connected. */
  begin(slab: Uint8Array, head: RequestHead, client: ClientAddress): void {
    const { entry } = this;
    entry.reset();
    putClient(entry, client);
    entry.versionMinor = head.versionMinor;
    entry.put(EntryText.METHOD, slab, head.methodStart, head.methodEnd);
    entry.put(EntryText.TARGET, slab, head.targetStart, head.targetEnd);
    entry.put(EntryText.HOST, slab, head.hostStart, head.hostEnd);
    const { headers } = head;
    const words = head.headerCount * HEADER_WORDS;
    for (let word = 0; word < words; word += HEADER_WORDS) {
      const id = headers[word + NAME_ID];
      if (id === Header.USER_AGENT) this.#putField(EntryText.USER_AGENT, slab, headers, word);
      else if (id === Header.REFERER) this.#putField(EntryText.REFERER, slab, headers, word);
    }
  }

  #putField(text: 3 | 4, slab: Uint8Array, headers: Int32Array, word: number): void {
    this.entry.put(text, slab, headers[word + VALUE_START]!, headers[word + VALUE_END]!);
  }

  /** The name that the request goes on with: `slab[start, end)`. */
  named(slab: Uint8Array, start: number, end: number): void {
    if (end > start) this.entry.put(EntryText.REQUEST_ID, slab, start, end);
  }

  /** An attempt begins on that endpoint. */
  attempt(endpoint: string, sinceBeginMs: number): void {
    this.entry.endpoint = endpoint;
    this.entry.attemptMs = sinceBeginMs;
    this.entry.attempts++;
  }

  failed(code: ErrorCode, phase: Phase): void {
    this.entry.failed(code, ERRORS[code].source, phase);
  }

  /** The client, or the endpoint, ended what came after an upgrade. */
  tunnelFailed(endedBy: 'downstream' | 'upstream'): void {
    this.entry.failed(endedBy === 'downstream' ? 'client_reset' : 'endpoint_reset', endedBy, 'tunnel');
  }

  /** The exchange is over. `requestBytes` and `responseBytes` of the bodies. */
  end(counter: RequestCounter, status: number, durationMs: number, requestBytes: number, responseBytes: number): void {
    const { entry } = this;
    entry.route = counter.route;
    entry.cluster = counter.cluster;
    entry.status = status;
    entry.durationMs = durationMs;
    entry.requestBytes = requestBytes;
    entry.responseBytes = responseBytes;
  }
}

/** Writes who a client is into its entry. */
export function putClient(entry: AccessEntry, client: ClientAddress): void {
  entry.wrote(EntryText.CLIENT, client.write(entry.bytes, entry.room));
  entry.port = client.port;
  entry.isSecure = client.secure !== undefined;
}
