/**
 * A shard in miniature, to be torn down in the middle of something: brings an engine to a stage of life, says `ready`, and waits for its
 * end. Plain JavaScript over dist/, because a worker thread does not see the test runner's TypeScript.
 */
import { parentPort, workerData } from 'node:worker_threads';

const { dist, kind, stage, way, fd, upstreamPort, deafPort } = workerData;

const { CommandWriter } = await import(`${dist}/engine/command-writer.js`);
const { loadAddon } = await import(`${dist}/engine/binding.js`);
const { COUNTERS_LISTENER_OFFSET, Event, EVENT_WORDS, ListenerCounter, SCRATCH_OFFSET } = await import(
  `${dist}/engine/protocol.js`
);

const PIECE_BYTES = 64 * 1024;
const PIECES_MAX = 384;
const RELAY_BYTES = 2 ** 40;
const LATER_MS = 60_000;

const engine = await makeEngine();
const writer = new CommandWriter(engine);
let client = 0;
let upstream = 0;

engine.start((count) => {
  for (let at = 0; at < count * EVENT_WORDS; at += EVENT_WORDS) onEvent(engine.events[at], engine.events[at + 1]);
  return writer.take();
});
const adopted = engine.adoptListener(0, fd);
if (adopted !== 0) throw new Error(`adoptListener: ${adopted}`);
const port = stage === 'connecting' ? deafPort : upstreamPort;
const dialed = engine.dial(engine.rememberAddress({ family: 4, host: '127.0.0.1', port }));
if (dialed < 0) throw new Error(`dial: ${dialed}`);

parentPort.on('message', end);
parentPort.postMessage('listening');

async function makeEngine() {
  const options = { descriptorsMax: 100 };
  if (kind === 'native') {
    const { NativeEngine } = await import(`${dist}/engine/native-engine.js`);
    return new NativeEngine(options);
  }
  const { NodeEngine } = await import(`${dist}/engine/node-engine.js`);
  return new NodeEngine({ ...options, duplicate: loadAddon().addon.duplicateDescriptor });
}

function onEvent(event, id) {
  if (event === Event.ACCEPTED) client = id;
  else if (event === Event.CONNECTED) upstream = id;
  else if (event === Event.DATA && stage === 'in a round') endWithinRound();
  else return;
  if (client !== 0 && (upstream !== 0 || stage === 'connecting')) setImmediate(reach);
}

/** Brings the engine to the stage, outside of a round. */
function reach() {
  if (stage === 'pending output') fill();
  if (stage === 'relaying') writer.relay(client, upstream, RELAY_BYTES);
  if (stage === 'tunnelling') writer.tunnel(client, upstream, LATER_MS);
  if (stage === 'with deadlines') writer.deadline(client, LATER_MS);
  if (stage === 'flushing') {
    fill();
    writer.closeLingering(client, LATER_MS);
  }
  writer.flush();
  if (stage === 'closing') void engine.close();
  parentPort.postMessage('ready');
}

/** Sends until some of it waits. */
function fill() {
  for (let i = 0; i < PIECES_MAX; i++) {
    const before = sent();
    writer.send(client, 0, 0, SCRATCH_OFFSET, PIECE_BYTES);
    writer.flush();
    if (sent() === before) return;
  }
}

function sent() {
  return engine.counters[COUNTERS_LISTENER_OFFSET + ListenerCounter.BYTES_SENT];
}

function end() {
  if (way === 'exits') process.exit(0);
  throw new Error('thrown on purpose');
}

function endWithinRound() {
  if (way !== 'is terminated') end();
  parentPort.postMessage('in round');
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
}
