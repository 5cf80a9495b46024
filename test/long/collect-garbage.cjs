/**
 * Preloaded into a proxy, into each of its threads: collects garbage again and again for as long as the file FOURSEVEN_TEST_COLLECT is there. Then what a
 * process has in memory is what it uses, and not what it has not given back yet.
 */
const { existsSync } = require('node:fs');
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');

const EVERY_MS = 1_000;

setInterval(() => {
  if (!existsSync(process.env.FOURSEVEN_TEST_COLLECT)) return;
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}, EVERY_MS).unref();
