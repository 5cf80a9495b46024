import { describeWorkerContract } from './worker-contract.ts';

describeWorkerContract('native');
