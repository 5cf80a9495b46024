/**
 * Preloaded into a proxy that runs from the bundle (scripts/code-recording.mjs), where it runs in each thread: writes what V8 has compiled so far beside
 * the files of the bundle, as bin/load-code.js reads it, when the process is asked for it.
 */
const { renameSync, writeFileSync } = require('node:fs');
const { BroadcastChannel, isMainThread } = require('node:worker_threads');
const { RECORDING, loaded } = require('../bin/load-code.js');

/** Between the threads: 'record' to the shards, 'recorded' to the main thread. */
const channel = new BroadcastChannel('fourseven-code');

/** What this thread has compiled. */
function record() {
  for (const [path, { build, script }] of loaded) {
    const draft = `${path}.draft`;
    writeFileSync(draft, Buffer.concat([build, script.createCachedData()]));
    renameSync(draft, path + RECORDING);
  }
}

if (isMainThread) {
  process.once('message', () => {
    record();
    channel.postMessage('record');
  });
  channel.onmessage = () => process.send?.('recorded');
} else {
  channel.onmessage = () => {
    record();
    channel.postMessage('recorded');
  };
}
channel.unref();

module.exports = { record };
