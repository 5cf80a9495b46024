import { afterEach, describe } from 'vitest';
import type { EngineOptions } from '../../src/engine/engine.ts';
import { closing, deadlines, staleIds } from './contract-close.ts';
import { acceptingAndReading, sending } from './contract-data.ts';
import { dialing, replaying } from './contract-dial.ts';
import { listeners } from './contract-listener.ts';
import { sharingTheLoop } from './contract-loop.ts';
import { relaying } from './contract-relay.ts';
import { secureAccepting, secureDialing } from './contract-secure.ts';
import { tunnelling } from './contract-tunnel.ts';
import { EngineDriver, type MakeEngine } from './engine-driver.ts';

/** A driver over a fresh engine, closed when the test ends. */
export type UseDriver = (options?: Partial<EngineOptions>) => Promise<EngineDriver>;

/** Everything that src/engine promises, for one engine. */
export function describeEngineContract(name: string, makeEngine: MakeEngine): void {
  describe(`the ${name} engine`, () => {
    const drivers: EngineDriver[] = [];
    const use: UseDriver = async (options) => {
      const driver = await EngineDriver.open(makeEngine, options);
      drivers.push(driver);
      return driver;
    };
    afterEach(async () => {
      for (const driver of drivers.splice(0)) await driver.close();
    });

    describe('accepting and reading', () => acceptingAndReading(use));
    describe('sending', () => sending(use));
    describe('relaying', () => relaying(use));
    describe('tunnelling', () => tunnelling(use));
    describe('dialing', () => dialing(use));
    describe('replaying', () => replaying(use));
    describe('closing', () => closing(use));
    describe('deadlines', () => deadlines(use));
    describe('stale ids', () => staleIds(use));
    describe('TLS with clients', () => secureAccepting(use));
    describe('TLS with endpoints', () => secureDialing(use));
    describe('sharing the loop', () => sharingTheLoop(use));
    describe('listeners', () => listeners(use, makeEngine));
  });
}
