import { loadAddon } from '../../src/engine/binding.ts';
import { NodeEngine } from '../../src/engine/node-engine.ts';
import { describeEngineContract } from './engine-contract.ts';

const { addon } = loadAddon();

describeEngineContract(
  'node',
  (options) => new NodeEngine(addon === undefined ? options : { ...options, duplicate: addon.duplicateDescriptor }),
);
