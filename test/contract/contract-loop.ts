import { readFile } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { sharedNowMs } from '../../src/core/clock.ts';
import type { UseDriver } from './engine-contract.ts';
import type { EngineDriver } from './engine-driver.ts';
import { Peer } from './peer.ts';

const AT_ONCE_MS = 500;
const TIMER_MS = 50;

/** What JavaScript begins within a round, Node's loop carries on, though nothing else wakes the thread. */
export function sharingTheLoop(use: UseDriver): void {
  it.each<[string, (driver: EngineDriver, done: () => void) => void, number]>([
    ['a socket', ({ port }, done) => connect(port, '127.0.0.1', done).on('error', done).unref(), AT_ONCE_MS],
    ['a file', (_driver, done) => readFile(import.meta.filename, done), AT_ONCE_MS],
    ['an immediate', (_driver, done) => setImmediate(done), AT_ONCE_MS],
    ['a tick', (_driver, done) => process.nextTick(done), AT_ONCE_MS],
    ['a timer', (_driver, done) => setTimeout(done, TIMER_MS), TIMER_MS + AT_ONCE_MS],
  ])('serves %s that is begun within a round', async (_name, begin, latestMs) => {
    const driver = await use();
    const peer = await Peer.connect(driver.port);
    await driver.next('accepted');
    const tookMs = new Promise<number>((resolve) => {
      driver.inRound = (event) => {
        if (event.kind !== 'data') return false;
        const begunMs = performance.now();
        begin(driver, () => resolve(performance.now() - begunMs));
        return true;
      };
    });
    peer.send('go');
    expect(await tookMs).toBeLessThan(latestMs);
    peer.destroy();
  });

  it('tells the time: from the start on, of each round, and after it has waited', async () => {
    const startMs = sharedNowMs();
    const driver = await use();
    const ageMs = () => sharedNowMs() - driver.counter('NOW_MS');
    expect(driver.counter('NOW_MS')).toBeGreaterThanOrEqual(startMs);
    const peer = await Peer.connect(driver.port);
    await driver.next('accepted');
    let inRoundMs = Number.NaN;
    driver.inRound = (event) => {
      if (event.kind === 'data') inRoundMs = ageMs();
      return false;
    };
    await sleep(AT_ONCE_MS);
    peer.send('now');
    await driver.next('data');
    expect(inRoundMs).toBeGreaterThanOrEqual(0);
    expect(inRoundMs).toBeLessThan(AT_ONCE_MS);
    peer.destroy();
  });

  it('serves the engine while JavaScript keeps the loop busy', async () => {
    const driver = await use();
    let busy = true;
    const again = (): void => {
      if (busy) setImmediate(again);
    };
    again();
    const peer = await Peer.connect(driver.port);
    await driver.next('accepted');
    peer.send('served');
    expect((await driver.next('data')).bytes.toString()).toBe('served');
    busy = false;
    peer.destroy();
  });
}
