import { type Clock, systemClock } from '../core/clock.ts';
import type { EventLog, LogLevel } from './event-log.ts';

/** Lines that are kept for who looks later. */
export const RECENT_EVENTS_MAX = 200;
const TEXT_MAX_LENGTH = 500;

export interface RecentEvent {
  /** Counts from 1. */
  readonly number: number;
  /** ISO time. */
  readonly at: string;
  readonly level: LogLevel;
  readonly text: string;
}

/** Passes on what is logged, and keeps the last of it. */
export class RecentEvents {
  readonly log: EventLog;
  readonly #events: RecentEvent[] = [];
  #count = 0;

  constructor(log: EventLog, clock: Clock = systemClock) {
    const note = (level: LogLevel) => (text: string) => {
      log[level](text);
      const at = new Date(clock.wallMs()).toISOString();
      this.#events.push({ number: ++this.#count, at, level, text: text.slice(0, TEXT_MAX_LENGTH) });
      if (this.#events.length > RECENT_EVENTS_MAX) this.#events.shift();
    };
    this.log = { info: note('info'), warn: note('warn'), error: note('error') };
  }

  /** Those with a higher number, oldest first. */
  after(number: number): readonly RecentEvent[] {
    return this.#events.filter((event) => event.number > number);
  }
}
