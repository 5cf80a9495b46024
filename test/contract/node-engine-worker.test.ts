import { describeWorkerContract } from './worker-contract.ts';

describeWorkerContract('node');
