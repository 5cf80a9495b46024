import { afterEach, expect, it } from 'vitest';
import { ManualClock } from '../../../src/core/clock.ts';
import { Deadlines, type Timed } from '../../../src/engine/node-deadlines.ts';
import { DEADLINE_TICK_MS } from '../../../src/engine/protocol.ts';

const clock = new ManualClock();
const deadlines = new Deadlines(clock);

class Alarm implements Timed {
  dueMs: number;
  rang: number[] = [];

  constructor(dueMs: number) {
    this.dueMs = dueMs;
  }

  dueAtMs(): number {
    return this.dueMs;
  }

  onDue(): void {
    this.rang.push(clock.nowMs());
  }
}

function advance(ms: number): void {
  clock.advance(ms);
  deadlines.sweep();
}

afterEach(() => deadlines.stop());

it('rings once, at the first tick that is not early', () => {
  const dueMs = clock.nowMs() + 2.5 * DEADLINE_TICK_MS;
  const alarm = new Alarm(dueMs);
  deadlines.watch(alarm);
  for (let i = 0; i < 40; i++) advance(DEADLINE_TICK_MS / 4);
  expect(alarm.rang.length).toBe(1);
  expect(alarm.rang[0]).toBeGreaterThanOrEqual(dueMs);
  expect(alarm.rang[0]).toBeLessThan(dueMs + 2 * DEADLINE_TICK_MS);
});

it('is never early and at most two ticks late, whenever it is set', () => {
  const alarms: Alarm[] = [];
  for (let i = 0; i < 200; i++) {
    const alarm = new Alarm(clock.nowMs() + ((i * 37) % 300));
    alarms.push(alarm);
    deadlines.watch(alarm);
    advance(3);
  }
  for (let i = 0; i < 100; i++) advance(5);
  for (const alarm of alarms) {
    expect(alarm.rang.length).toBe(1);
    expect(alarm.rang[0]).toBeGreaterThanOrEqual(alarm.dueMs);
    expect(alarm.rang[0]).toBeLessThan(alarm.dueMs + 2 * DEADLINE_TICK_MS);
  }
});

it('waits on when the time has moved later without a word', () => {
  const alarm = new Alarm(clock.nowMs() + 50);
  deadlines.watch(alarm);
  alarm.dueMs += 500;
  advance(400);
  expect(alarm.rang).toEqual([]);
  advance(200);
  expect(alarm.rang.length).toBe(1);
});

it('rings earlier when told that the time has moved earlier', () => {
  const alarm = new Alarm(clock.nowMs() + 10_000);
  deadlines.watch(alarm);
  alarm.dueMs = clock.nowMs() + 50;
  deadlines.watch(alarm);
  advance(100);
  expect(alarm.rang.length).toBe(1);
});

it('does not ring what was forgotten, also when it is forgotten while others ring', () => {
  const victim = new Alarm(clock.nowMs() + 50);
  const killer = new Alarm(clock.nowMs() + 50);
  killer.onDue = () => deadlines.forget(victim);
  deadlines.watch(killer);
  deadlines.watch(victim);
  advance(200);
  expect(victim.rang).toEqual([]);
});

it('rings again when it is watched again as it rings', () => {
  const alarm = new Alarm(clock.nowMs() + 50);
  const { onDue } = alarm;
  alarm.onDue = () => {
    onDue.call(alarm);
    alarm.dueMs += 100;
    if (alarm.rang.length < 3) deadlines.watch(alarm);
  };
  deadlines.watch(alarm);
  for (let i = 0; i < 40; i++) advance(DEADLINE_TICK_MS);
  expect(alarm.rang.length).toBe(3);
});

it('rings all that is overdue after a long sleep', () => {
  const alarms = [40, 4_000, 400_000].map((ms) => new Alarm(clock.nowMs() + ms));
  for (const alarm of alarms) deadlines.watch(alarm);
  advance(500_000);
  expect(alarms.map((alarm) => alarm.rang.length)).toEqual([1, 1, 1]);
});
