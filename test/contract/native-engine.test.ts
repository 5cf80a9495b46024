import { describe } from 'vitest';
import { loadAddon } from '../../src/engine/binding.ts';
import { NativeEngine } from '../../src/engine/native-engine.ts';
import { describeEngineContract } from './engine-contract.ts';

const { addon, reason } = loadAddon();

if (addon === undefined) {
  console.warn(`the contract of the native engine is NOT tested: ${reason}`);
  describe.skip('the native engine', () => {});
} else {
  describeEngineContract('native', (options) => new NativeEngine(options));
}
