import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from './deadline.ts';
import { ENGINES, ProxyProcess, runCommand, temporaryDirectory } from './proxy-process.ts';
import { startEchoServer, TcpClient } from './tcp-client.ts';

const DESCRIPTORS_MAX = 256;
/** More than fit, each with its upstream twin. */
const CLIENTS = 200;
const SPIN_WATCHED_MS = 1_000;

let echo: Awaited<ReturnType<typeof startEchoServer>>;
beforeAll(async () => {
  echo = await startEchoServer();
});
afterAll(() => echo.close());

/** User and system time of a process in milliseconds; fields 14 and 15 of proc_pid_stat(5), in ticks of 10 ms. */
function processorMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

describe.each(ENGINES)('beyond the limit of open files, the %s engine', (engine) => {
  it('serves who is in, lets others wait without spinning, and recovers', async () => {
    const proxy = await ProxyProcess.start(
      {
        engine,
        shards: 1,
        listeners: { raw: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'echo' } },
        clusters: { echo: { endpoints: [`127.0.0.1:${echo.port}`] } },
      },
      { descriptorsMax: DESCRIPTORS_MAX },
    );
    const clients = Array.from({ length: CLIENTS }, () => new TcpClient({ port: proxy.port('raw') }));
    const served = new Set<TcpClient>();
    for (const client of clients) {
      client.echo('hello', 60_000).then(
        () => served.add(client),
        () => {},
      );
    }
    const settled = await untilSteady(() => served.size);
    expect(settled).toBeGreaterThan(20);
    expect(settled).toBeLessThan(CLIENTS);

    // Who is in is served, and so is the operator.
    const [inside] = served;
    await inside!.echo('still here');
    expect((await proxy.admin('/readyz')).status).toBe(200);
    expect(await proxy.metric('process_open_fds')).toBeLessThan(DESCRIPTORS_MAX);

    const beforeMs = processorMs(proxy.pid);
    await new Promise((resolve) => setTimeout(resolve, SPIN_WATCHED_MS));
    expect(processorMs(proxy.pid) - beforeMs).toBeLessThan(SPIN_WATCHED_MS / 4);

    // As some leave, others get in, until everybody was served.
    await until(20_000, 'everybody served', () => {
      for (const client of served) client.close();
      return served.size === CLIENTS;
    });
    expect((await proxy.stop()).code).toBe(0);
  });
});

describe('a limit of open files that is too low to work', () => {
  it('exits 3 and says which number would do', async () => {
    const directory = temporaryDirectory();
    const file = directory.write(
      'many-shards.yaml',
      'shards: 16\nadmin: off\nlisteners: { a: { address: 127.0.0.1:0, protocol: tcp, cluster: c } }\nclusters: { c: { endpoints: [127.0.0.1:9] } }\n',
    );
    const { code, stderr } = await runCommand(['run', file], { descriptorsMax: 128 });
    directory.remove();
    if (ENGINES.includes('native')) {
      expect(code).toBe(3);
      expect(stderr).toMatch(/the limit of open files is 128, too low for 16 shards \(they need \d+\)/);
    }
  });
});

/** The value once it has not changed for a while. */
async function untilSteady(read: () => number): Promise<number> {
  const STEADY_LOOKS = 50;
  let last = -1;
  let looks = 0;
  return until(20_000, 'a steady number', () => {
    looks = read() === last ? looks + 1 : 0;
    last = read();
    return looks >= STEADY_LOOKS && last > 0 ? last : undefined;
  });
}
