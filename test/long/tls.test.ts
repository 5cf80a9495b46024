/** TLS for long: certificates that change under load, and hellos that are none. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect as connectPlain } from 'node:net';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../integration/deadline.ts';
import { residentBytes } from '../integration/process-memory.ts';
import { ENGINES, ProxyProcess, temporaryDirectory } from '../integration/proxy-process.ts';
import { Authority, type Pair } from '../tls/authority.ts';
import { hello } from '../tls/hello-builder.ts';
import { Child } from './child.ts';
import { pause } from './load/pacer.ts';
import type { SecureOrder, SecureReport } from './load/secure.ts';
import { openDescriptors } from './process-figures.ts';

const RELOADS = 100;
const RELOAD_EVERY_MS = 500;
const HELLOS = 10_000;
const WARM_UP_ATTACKS = 3;
const AT_ONCE = 64;
const MS = 10_000;
const REPORT_TIMEOUT_MS = 30_000;
const MEMORY_TOLERANCE_BYTES = 16 * 1024 * 1024;

describe.each(ENGINES)('TLS with the %s engine', (engine) => {
  const directory = temporaryDirectory();
  let authority: Authority;
  let originPort = 0;
  const origin = createServer((request: IncomingMessage, response: ServerResponse) => response.end(request.url));

  beforeAll(async () => {
    authority = await Authority.create();
    origin.listen(0, '127.0.0.1');
    await once(origin, 'listening');
    originPort = (origin.address() as AddressInfo).port;
  });

  afterAll(() => {
    origin.close();
    origin.closeAllConnections();
    directory.remove();
  });

  function put({ certificate, key }: Pair): void {
    for (const [name, text] of [
      ['key.pem', key],
      ['cert.pem', certificate],
    ] as const) {
      writeFileSync(`${directory.path}/${name}.new`, text);
      renameSync(`${directory.path}/${name}.new`, `${directory.path}/${name}`);
    }
  }

  async function start() {
    put(await authority.server('a.test'));
    const own = { certificate: `${directory.path}/cert.pem`, key: `${directory.path}/key.pem` };
    const passthrough = [{ names: ['raw.test'], cluster: 'site' }];
    const proxy = await ProxyProcess.start({
      engine,
      shards: 2,
      listeners: {
        secure: { address: '127.0.0.1:0', cluster: 'site', tls: { certificates: [own], passthrough } },
      },
      clusters: { site: { endpoints: [`127.0.0.1:${originPort}`], outlier: 'off' } },
    });
    const order: SecureOrder = {
      port: proxy.port('secure'),
      servername: 'a.test',
      ca: authority.certificate,
      kept: 60,
      fresh: 20,
      resumed: 20,
    };
    const load = await Child.start<object, SecureReport>('load/secure.ts', order);
    return { proxy, load };
  }

  it(`${RELOADS} certificates in a row lose nobody`, { timeout: 180_000 }, async () => {
    const { proxy, load } = await start();
    try {
      let last: Pair | undefined;
      for (let count = 0; count < RELOADS; count++) {
        const nextMs = performance.now() + RELOAD_EVERY_MS;
        last = await authority.server('a.test');
        put(last);
        proxy.signal('SIGHUP');
        await pause(Math.max(0, nextMs - performance.now()));
      }
      const { serialNumber } = new X509Certificate(last!.certificate);
      await until(MS, 'the last certificate', async () => (await serialOf(proxy.port('secure'))) === serialNumber);
      const report = await load.stop(REPORT_TIMEOUT_MS);
      console.log(engine, report);
      expect(report.failures).toEqual([]);
      expect(report.skippedCount).toBe(0);
      expect(report.resumedCount).toBeGreaterThan(0);
      expect((await proxy.status()).shards.map(({ restarts }) => restarts)).toEqual([0, 0]);
    } finally {
      await proxy.stop().catch(() => proxy.signal('SIGKILL'));
      load.kill();
    }
  });

  async function serialOf(port: number): Promise<string> {
    const socket = connect({ port, host: '127.0.0.1', servername: 'a.test', ca: authority.certificate });
    await once(socket, 'secureConnect');
    const { serialNumber } = socket.getPeerX509Certificate()!;
    socket.destroy();
    return serialNumber;
  }

  it(`${HELLOS} mutated hellos leave nothing, and harm nobody`, { timeout: 300_000 }, async () => {
    const { proxy, load } = await start();
    const port = proxy.port('secure');
    try {
      const attack = async (count: number) => {
        let begun = 0;
        await Promise.all(
          Array.from({ length: AT_ONCE }, async () => {
            while (begun++ < count) await say(port, mutatedHello());
          }),
        );
      };
      // Until memory is what it is in the long run.
      for (let count = 0; count < WARM_UP_ATTACKS; count++) await attack(HELLOS);
      await pause(MS / 2);
      const before = { memory: residentBytes(proxy.pid), descriptors: openDescriptors(proxy.pid).others };
      await attack(HELLOS);
      await until(MS * 2, 'descriptors as before', () => openDescriptors(proxy.pid).others <= before.descriptors + 8);
      const grownBytes = residentBytes(proxy.pid) - before.memory;
      const report = await load.stop(REPORT_TIMEOUT_MS);
      console.log(engine, { grownBytes, ...report });
      expect(report.failures).toEqual([]);
      expect(grownBytes).toBeLessThan(MEMORY_TOLERANCE_BYTES);
      expect((await proxy.status()).shards.map(({ restarts }) => restarts)).toEqual([0, 0]);
    } finally {
      await proxy.stop().catch(() => proxy.signal('SIGKILL'));
      load.kill();
    }
  });
});

/** Some are whole, and lead to termination or to passthrough; most are not. In one piece or two. */
function mutatedHello(): Buffer[] {
  const random = (below: number) => Math.floor(Math.random() * below);
  const serverName = ['a.test', 'raw.test', 'other.test', undefined][random(4)];
  const recordBytes = random(3) === 0 ? 1 + random(200) : undefined;
  const bytes = hello(
    { serverName, protocols: ['http/1.1'], padding: random(300), grease: random(2) === 0 },
    recordBytes,
  );
  for (let changes = random(5); changes > 0; changes--) bytes[random(bytes.length)] = random(256);
  const length = random(4) === 0 ? random(bytes.length) : bytes.length;
  const cut = random(length + 1);
  return random(2) === 0 ? [bytes.subarray(0, length)] : [bytes.subarray(0, cut), bytes.subarray(cut, length)];
}

/** Sends it, waits a moment for what comes back, and leaves in one way or another. */
async function say(port: number, pieces: readonly Buffer[]): Promise<void> {
  const socket = connectPlain({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.resume();
  for (const piece of pieces) {
    if (piece.length > 0) socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.race([closed, pause(20)]);
  if (Math.random() < 0.5) socket.resetAndDestroy();
  else socket.destroy();
  await closed;
}
