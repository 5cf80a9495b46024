/** `fourseven status --watch`: what the dashboard shows, in a terminal. */

import { printable } from '../config/quote.ts';
import type { LiveMessage } from '../control/admin/live-stream.ts';
import { type AdminTarget, followAdmin } from './admin-client.ts';
import type { ExitCodeValue } from './exit-code.ts';
import { table } from './table.ts';

/** To the first place, and everything behind it gone: less restless than a blank screen in between (ECMA-48). */
const REDRAW = '\u001b[H\u001b[J';
const CLEAR = '\u001b[2J';
const EVENTS_SHOWN = 8;
/** What a screen has room for; those that are out of service or at work come first. */
const ENDPOINTS_SHOWN = 30;

type Endpoint = LiveMessage['endpoints'][number];

/** Redraws once a second until the proxy ends or the reader leaves. Into a pipe, one picture after the other. */
export function watchStatus(target: AdminTarget): Promise<ExitCodeValue> {
  const { stdout } = process;
  const screen = new LiveScreen();
  if (stdout.isTTY) stdout.write(CLEAR);
  return followAdmin(target, '/api/events', (data) => {
    const picture = screen.draw(JSON.parse(data) as LiveMessage);
    stdout.write(stdout.isTTY ? `${REDRAW}${picture}` : `${picture}\n`);
    return !stdout.destroyed;
  });
}

/** What is known of the proxy by now. */
export class LiveScreen {
  readonly #endpoints = new Map<string, Endpoint>();
  #events: string[] = [];

  draw(message: LiveMessage): string {
    const { status, load } = message;
    this.#take(message);
    const state = status.draining ? 'draining' : 'serving';
    const listeners = status.listeners.map(({ name, protocol, address, connections }) => {
      const now = load.listeners.find((row) => row.name === name);
      const rates = [rate(now?.perSecond), rate(now?.failuresPerSecond), ms(now?.p50Ms), ms(now?.p99Ms)];
      return [name, protocol, address, connections, ...rates];
    });
    const shards = status.shards.map(({ index, connections, restarts }) => {
      const now = load.shards.find((row) => row.index === index);
      return [index, connections, rate(now?.perSecond), ms(now?.delayMs), restarts];
    });
    const all = [...this.#endpoints.values()].sort((a, b) => urgency(b) - urgency(a));
    const endpoints = all
      .slice(0, ENDPOINTS_SHOWN)
      .map(({ cluster, address, health, admin, ejectedUntil, inFlight }) => {
        return [cluster, address, health, ejectedUntil === null ? admin : `${admin}, ejected`, inFlight];
      });
    const more = all.length > endpoints.length ? [`and ${all.length - endpoints.length} more endpoints\n`] : [];
    return [
      `fourseven ${status.version}, process ${status.pid}, configuration ${status.configVersion}, ${state}\n`,
      table(['LISTENER', 'PROTOCOL', 'ADDRESS', 'CONNECTIONS', 'PER S', 'FAILED', 'P50', 'P99'], listeners),
      table(['SHARD', 'CONNECTIONS', 'PER S', 'LATE BY', 'RESTARTS'], shards),
      table(['CLUSTER', 'ENDPOINT', 'HEALTH', 'STATE', 'IN FLIGHT'], endpoints),
      ...more,
      this.#events.map((line) => `${line}\n`).join(''),
    ].join('\n');
  }

  #take({ endpoints, isWhole, events }: LiveMessage): void {
    if (isWhole) this.#endpoints.clear();
    for (const endpoint of endpoints) this.#endpoints.set(`${endpoint.cluster} ${endpoint.address}`, endpoint);
    const lines = events.map(({ at, level, text }) => `${at.slice(11, 19)} ${level} ${printable(text)}`);
    this.#events = [...this.#events, ...lines].slice(-EVENTS_SHOWN);
  }
}

function urgency({ health, admin, ejectedUntil, inFlight }: Endpoint): number {
  const isOut = admin !== 'enabled' || health === 'unhealthy' || ejectedUntil !== null;
  return (isOut ? Number.MAX_SAFE_INTEGER / 2 : 0) + inFlight;
}

function rate(value = 0): string {
  return value.toFixed(value > 0 && value < 10 ? 1 : 0);
}

function ms(value: number | null | undefined): string {
  return value === null || value === undefined ? '-' : `${Number(value.toPrecision(2))} ms`;
}
