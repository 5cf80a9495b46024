import { beforeEach, describe, expect, test } from 'vitest';
import type { OutlierConfig } from '../../../src/config/cluster-config.ts';
import { boardTick, TICK_MS } from '../../../src/contract/board.ts';
import type { Endpoint } from '../../../src/upstream/endpoint.ts';
import { EJECTION_MAX_MS, OutlierDetection } from '../../../src/upstream/outlier.ts';
import { UpstreamFixture } from './upstream-fixture.ts';

const PLAN: OutlierConfig = { consecutiveFailures: 3, ejectMs: 30_000, maxEjectedPercent: 10 };

let fixture: UpstreamFixture;
let endpoints: Endpoint[];
let ejections: [slot: number, ms: number][];

function detection(plan: Partial<OutlierConfig> = {}, count = 4): OutlierDetection {
  fixture = new UpstreamFixture();
  endpoints = fixture.endpoints(count);
  ejections = [];
  return new OutlierDetection({ ...PLAN, ...plan }, fixture.board, endpoints, ({ slot }, ms) =>
    ejections.push([slot, ms]),
  );
}

function fail(outlier: OutlierDetection, slot: number, times = 3): void {
  for (let i = 0; i < times; i++) outlier.failed(endpoints[slot]!);
}

function isEjected(slot: number): boolean {
  return fixture.board.ejectedUntilTick(slot) > boardTick();
}

let outlier: OutlierDetection;
beforeEach(() => {
  outlier = detection();
});

test('ejects after so many failures in a row, and a success in between begins anew', () => {
  fail(outlier, 0, 2);
  outlier.succeeded(endpoints[0]!);
  fail(outlier, 0, 2);
  expect(isEjected(0)).toBe(false);
  fail(outlier, 0, 1);
  expect(isEjected(0)).toBe(true);
  expect(ejections).toEqual([[0, 30_000]]);
});

test('counts what all shards have seen', () => {
  const other = new OutlierDetection(PLAN, fixture.board, endpoints, () => {});
  fail(outlier, 0, 2);
  fail(other, 0, 1);
  expect(isEjected(0)).toBe(true);
});

describe('the share that may be ejected', () => {
  test('is one at least', () => {
    fail(outlier, 0);
    fail(outlier, 1);
    expect([isEjected(0), isEjected(1)]).toEqual([true, false]);
  });

  test('is the percentage, rounded down', () => {
    outlier = detection({ maxEjectedPercent: 50 }, 5);
    for (const slot of [0, 1, 2]) fail(outlier, slot);
    expect([0, 1, 2].map(isEjected)).toEqual([true, true, false]);
  });
});

describe('an endpoint that fails again', () => {
  function failAfterEjection(): void {
    // As if the time had passed.
    fixture.board.endEjection(0);
    fail(outlier, 0);
  }

  test('is ejected for longer each time, up to a limit', () => {
    fail(outlier, 0);
    failAfterEjection();
    failAfterEjection();
    expect(ejections.map(([, ms]) => ms)).toEqual([30_000, 60_000, 90_000]);
    for (let i = 0; i < 10; i++) failAfterEjection();
    expect(ejections.at(-1)).toEqual([0, EJECTION_MAX_MS]);
  });

  test('begins anew if it has done well for as long as it was ejected', () => {
    const nowTick = boardTick();
    // Two ejections that ended longer ago than they took.
    fixture.board.eject(0, nowTick - (2 * PLAN.ejectMs) / TICK_MS - 1, 2);
    fail(outlier, 0);
    expect(ejections).toEqual([[0, 30_000]]);
  });
});
