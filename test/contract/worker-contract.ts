import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Addon, loadAddon } from '../../src/engine/binding.ts';
import { Waiting } from './deadline.ts';
import { nothingAddedTo, openFiles } from './open-files.ts';
import { Peer, PeerServer } from './peer.ts';

const DIST = new URL('../../dist', import.meta.url);
const WORKER = new URL('./engine-worker.mjs', import.meta.url);
const STAGES = [
  'idle',
  'connecting',
  'pending output',
  'relaying',
  'tunnelling',
  'flushing',
  'with deadlines',
  'closing',
  'in a round',
] as const;
const WAYS = ['is terminated', 'exits', 'throws'] as const;
const TIMES = 2;
const BACKLOG = 16;
const QUEUE_FILLERS = 4;
const FLOOD_BYTES = 8 * 1024 * 1024;

type Stage = (typeof STAGES)[number];
type Way = (typeof WAYS)[number];

/** Ends the thread of an engine in every way at every stage of life, and counts what is left open in the process. */
export function describeWorkerContract(kind: 'native' | 'node'): void {
  const { addon } = loadAddon();
  if (addon === undefined || !existsSync(new URL(`${DIST}/engine/${kind}-engine.js`))) {
    console.warn(`worker threads of the ${kind} engine are NOT tested: they need the addon, and dist/ (npm run build)`);
    describe.skip(`the ${kind} engine in a worker`, () => {});
    return;
  }
  describe(`the ${kind} engine in a worker`, () => leavesNothing(kind, addon));
}

function leavesNothing(kind: string, addon: Addon): void {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.open(kind, addon);
    // The first thread makes descriptors that the process keeps.
    await scene.run('idle', 'exits');
  });
  afterAll(() => scene.close());

  for (const way of WAYS) {
    it.each(STAGES)(`leaves nothing open when it ${way} while %s`, async (stage) => {
      const before = openFiles();
      for (let i = 0; i < TIMES; i++) await scene.run(stage, way);
      await nothingAddedTo(before);
    });
  }
}

/** What the workers' engines talk to: a listening socket of this process, an endpoint, and a port that gives no answer. */
class Scene {
  readonly #kind: string;
  readonly #addon: Addon;
  readonly #upstream: PeerServer;
  readonly #fd: number;
  readonly #deafFd: number;
  readonly #fillers: readonly Peer[];

  private constructor(kind: string, addon: Addon, upstream: PeerServer) {
    this.#kind = kind;
    this.#addon = addon;
    this.#upstream = upstream;
    this.#fd = addon.listenSocket('127.0.0.1', 0, BACKLOG);
    this.#deafFd = addon.listenSocket('127.0.0.1', 0, 0);
    this.#fillers = Array.from({ length: QUEUE_FILLERS }, () => Peer.begin(addon.socketPort(this.#deafFd)));
  }

  static async open(kind: string, addon: Addon): Promise<Scene> {
    return new Scene(kind, addon, await PeerServer.open());
  }

  close(): void {
    this.#upstream.close();
    for (const filler of this.#fillers) filler.destroy();
    this.#addon.closeDescriptor(this.#fd);
    this.#addon.closeDescriptor(this.#deafFd);
  }

  /** Brings a worker to a stage and ends it. Resolves once it is gone, and with it both connections of its engine. */
  async run(stage: Stage, way: Way): Promise<void> {
    const worker = new Worker(fileURLToPath(WORKER), { workerData: this.#workerData(stage, way) });
    const said = new Messages(worker);
    let failure: Error | undefined;
    worker.on('error', (error) => {
      failure = error;
    });
    const exited = new Promise<void>((resolve) => {
      worker.on('exit', () => resolve());
    });
    const peers: Peer[] = [];
    try {
      await said.next('listening');
      const client = Peer.begin(this.#addon.socketPort(this.#fd));
      peers.push(client);
      if (stage === 'pending output' || stage === 'flushing') client.socket.pause();
      if (stage !== 'connecting') peers.push(await this.#upstream.next());
      await said.next('ready');
      flood(peers, stage);
      await end(worker, stage, way, said);
      await exited;
      expect(failure?.message).toBe(way === 'throws' ? 'thrown on purpose' : undefined);
    } finally {
      await worker.terminate();
      for (const peer of peers) peer.destroy();
    }
  }

  #workerData(stage: Stage, way: Way) {
    return {
      dist: DIST.href,
      kind: this.#kind,
      stage,
      way,
      fd: this.#fd,
      upstreamPort: this.#upstream.port,
      deafPort: this.#addon.socketPort(this.#deafFd),
    };
  }
}

/** Gives the engine something to do while it is ended. */
function flood(peers: readonly Peer[], stage: Stage): void {
  if (stage === 'in a round') peers[0]!.send('now');
  if (stage !== 'relaying' && stage !== 'tunnelling') return;
  for (const peer of peers) peer.sendBlocks(FLOOD_BYTES).catch(() => 'cut');
}

async function end(worker: Worker, stage: Stage, way: Way, said: Messages): Promise<void> {
  if (way !== 'is terminated') {
    if (stage !== 'in a round') worker.postMessage('end');
    return;
  }
  if (stage === 'in a round') await said.next('in round');
  await worker.terminate();
}

/** What a worker said, in order. */
class Messages {
  readonly #waiting = new Waiting();
  readonly #arrived: string[] = [];

  constructor(worker: Worker) {
    worker.on('message', (message: string) => {
      this.#arrived.push(message);
      this.#waiting.changed();
    });
  }

  async next(expected: string): Promise<void> {
    const message = await this.#waiting.until(
      () => this.#arrived.shift(),
      () => `the worker to say ${expected}`,
    );
    expect(message).toBe(expected);
  }
}
