/**
 * npm runs this when the package is installed. It builds the native engine, and never fails: where there is none, the node engine
 * does the same work at a higher price.
 */

import { buildNative, explainMissingNative, nativeIsFresh, usablePrebuild } from './build-native.mjs';
import { say } from './command.mjs';

if (usablePrebuild() !== undefined) say('the native engine came with the package');
else if (!nativeIsFresh()) {
  const outcome = await buildNative();
  say(outcome.state === 'built' ? 'built the native engine' : explainMissingNative(outcome));
}
