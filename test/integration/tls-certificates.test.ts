/** Certificates that change while the proxy runs. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Authority, type Pair } from '../tls/authority.ts';
import { until, within } from './deadline.ts';
import { ENGINES, ProxyProcess, runCommand, temporaryDirectory } from './proxy-process.ts';
import { askSecurely } from './tls-client.ts';

const MS = 8_000;
const ROUTES = [{ respond: { body: 'here' } }];
const CLUSTERS = { unused: { endpoints: ['127.0.0.1:1'] } };

describe.each(ENGINES)('certificates of the %s engine', (engine) => {
  const directory = temporaryDirectory();
  let authority: Authority;
  let proxy: ProxyProcess | undefined;

  beforeAll(async () => {
    authority = await Authority.create();
  });

  afterEach(async () => {
    await proxy?.stop();
    proxy = undefined;
  });

  afterAll(() => directory.remove());

  /** In two steps each, as tools do that write beside and rename. */
  function put(pair: Pair): void {
    for (const [name, text] of [
      ['cert.pem', pair.certificate],
      ['key.pem', pair.key],
    ] as const) {
      writeFileSync(`${directory.path}/${name}.new`, text);
      renameSync(`${directory.path}/${name}.new`, `${directory.path}/${name}`);
    }
  }

  const config = () => ({
    engine,
    shards: 2,
    listeners: {
      secure: {
        address: '127.0.0.1:0',
        routes: ROUTES,
        tls: { certificates: [{ certificate: `${directory.path}/cert.pem`, key: `${directory.path}/key.pem` }] },
      },
    },
    clusters: CLUSTERS,
  });

  async function serialNow(): Promise<string> {
    const port = proxy!.port('secure');
    const socket = connect({ port, host: '127.0.0.1', servername: 'a.test', ca: authority.certificate });
    socket.on('error', () => {});
    await within(MS, 'TLS', once(socket, 'secureConnect'));
    const { serialNumber } = socket.getPeerX509Certificate()!;
    socket.destroy();
    return serialNumber;
  }

  const serialOf = ({ certificate }: Pair) => new X509Certificate(certificate).serialNumber;

  it('are those in the files, without being told; one that is broken changes nothing', async () => {
    const [first, second, other] = await Promise.all([1, 2, 3].map(() => authority.server('a.test')));
    put(first!);
    proxy = await ProxyProcess.start(config());
    expect(await serialNow()).toBe(serialOf(first!));
    // Connections stay, whichever certificate they began with.
    const kept = connect({
      port: proxy.port('secure'),
      host: '127.0.0.1',
      servername: 'a.test',
      ca: authority.certificate,
    });
    await within(MS, 'TLS', once(kept, 'secureConnect'));
    put(second!);
    await until(MS, 'the second certificate', async () => (await serialNow()) === serialOf(second!));
    put({ certificate: other!.certificate, key: second!.key });
    await until(MS, 'the refusal', async () => (await proxy!.status()).rejected !== null);
    expect((await proxy.status()).rejected!.problems.join()).toMatch(/key/);
    expect(await serialNow()).toBe(serialOf(second!));
    put(other!);
    await until(MS, 'the third certificate', async () => (await serialNow()) === serialOf(other!));
    // One shard may serve it before all have said that they do.
    await until(MS, 'nothing refused any more', async () => (await proxy!.status()).rejected === null);
    kept.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
    expect(String((await within(MS, 'an answer', once(kept, 'data')))[0])).toContain('200 OK');
    kept.destroy();
  });

  it('say when they expire, in status and metrics', async () => {
    put(await authority.sign({ names: ['a.test', 'b.test'], days: 20 }));
    proxy = await ProxyProcess.start(config());
    const [certificate] = (await proxy.status()).listeners[0]!.certificates!;
    expect(certificate).toMatchObject({ names: ['a.test', 'b.test'], keyType: 'ec' });
    const leftDays = (Date.parse(certificate!.notAfter) - Date.now()) / 86_400_000;
    expect(leftDays).toBeGreaterThan(19);
    expect(leftDays).toBeLessThan(21);
    const seconds = await proxy.metric('fourseven_certificate_expiry_timestamp_seconds{key="ec",listener="secure"');
    const value = seconds ?? (await proxy.metric('fourseven_certificate_expiry_timestamp_seconds{listener="secure"'));
    expect(value).toBe(Date.parse(certificate!.notAfter) / 1000);
    await askSecurely(proxy.port('secure'), { ca: authority.certificate });
    await until(
      MS,
      'a handshake in the metrics',
      async () => (await proxy!.metric('fourseven_tls_handshakes_total{outcome="full"')) === 1,
    );
  });

  it('reload with the configuration as well', async () => {
    const first = await authority.server('a.test');
    const second = await authority.server('a.test');
    put(first);
    proxy = await ProxyProcess.start(config());
    put(second);
    proxy.signal('SIGHUP');
    await until(MS, 'the second certificate', async () => (await serialNow()) === serialOf(second));
  });
});

describe('a configuration with TLS', () => {
  const directory = temporaryDirectory();
  afterAll(() => directory.remove());

  const check = async (tls: object, more: object = {}) => {
    const file = directory.write(
      'config.json',
      JSON.stringify({
        listeners: { web: { address: '127.0.0.1:0', routes: ROUTES, tls, ...more } },
        clusters: CLUSTERS,
      }),
    );
    return runCommand(['check', file]);
  };

  it('names files relative to itself, or the text', async () => {
    const pair = await (await Authority.create()).server('a.test');
    directory.write('cert.pem', pair.certificate);
    directory.write('key.pem', pair.key);
    expect((await check({ certificates: [{ certificate: 'cert.pem', key: 'key.pem' }] })).code).toBe(0);
    expect((await check({ certificates: [pair] })).code).toBe(0);
  });

  it('says what is wrong with a certificate', async () => {
    const authority = await Authority.create();
    const pair = await authority.server('a.test');
    const other = await authority.server('a.test');
    const expired = await authority.sign({ names: ['a.test'], days: -1 });
    const cases: [object, number, RegExp][] = [
      [{ certificates: [{ certificate: 'nowhere.pem', key: pair.key }] }, 1, /there is no file nowhere\.pem/],
      [{ certificates: [{ ...pair, key: other.key }] }, 1, /the key is not that of the certificate/],
      [{ certificates: [{ certificate: pair.key, key: pair.key }] }, 1, /certificate/],
      [{ certificates: [{ certificate: pair.certificate, key: pair.certificate }] }, 1, /no private key/],
      [{ certificates: [expired] }, 0, /has expired/],
      [{ certificates: [] }, 1, /nothing to speak TLS with/],
      [{ certificates: [pair], clientCertificate: 'require' }, 1, /nobody is said to sign/],
      [{ certificates: [pair], ciphers: 'NONE-SUCH' }, 1, /names no cipher/],
      [{ certificates: [pair], minVersion: '1.1' }, 1, /minVersion/],
      [{ certificates: [pair], passthrough: [{ names: ['x.test'], cluster: 'nobody' }] }, 1, /no cluster "nobody"/],
      [{ certificates: [pair], passthrough: [{ names: ['*'], cluster: 'unused' }] }, 1, /names/],
    ];
    for (const [tls, code, text] of cases) {
      const result = await check(tls);
      expect([JSON.stringify(tls).slice(-200), result.code, result.stdout]).toEqual([
        expect.any(String),
        code,
        expect.stringMatching(text),
      ]);
    }
  });
});
