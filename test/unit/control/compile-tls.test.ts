import { beforeAll, describe, expect, test } from 'vitest';
import type { ListenerConfig } from '../../../src/config/config.ts';
import { loadTlsFiles } from '../../../src/config/load-tls.ts';
import { validateConfig } from '../../../src/config/validate-config.ts';
import { compileClusterTls, compileListenerTls } from '../../../src/control/compile-tls.ts';
import { Authority, type Pair } from '../../tls/authority.ts';

let ecdsa: Pair;
let rsa: Pair;
let other: Pair;
let ca: string;

beforeAll(async () => {
  const authority = await Authority.create();
  ca = authority.certificate;
  ecdsa = await authority.sign({ names: ['a.test', '*.a.test'] });
  rsa = await authority.sign({ names: ['a.test'], keyType: 'rsa' });
  other = await authority.server('b.test');
});

async function listenerWith(tls: object): Promise<ListenerConfig> {
  const { config } = validateConfig({
    listeners: { web: { address: '127.0.0.1:1', cluster: 'site', tls } },
    clusters: { site: { endpoints: ['127.0.0.1:2'] }, raw: { endpoints: ['127.0.0.1:3'] } },
  });
  return (await loadTlsFiles(config!, '/')).config.listeners[0]!;
}

async function compiled(tls: object, challenges: Parameters<typeof compileListenerTls>[2] = []) {
  return compileListenerTls(await listenerWith(tls), () => 1, challenges)!;
}

describe('the TLS of a plan', () => {
  test('puts certificates of different kinds for one name into one context', async () => {
    const { contexts, names, fallback, policies } = await compiled({ certificates: [ecdsa, rsa, other] });
    expect(contexts.map(({ pairs }) => pairs.length)).toEqual([2, 1, 1]);
    expect(names).toEqual([
      { name: 'a.test', context: 0 },
      { name: '*.a.test', context: 1 },
      { name: 'b.test', context: 2 },
    ]);
    expect([fallback, policies]).toEqual([0, [0, 0, 0]]);
  });

  test('tells apart what hosts ask of clients, and binds sessions to it', async () => {
    const asking = { ...other, clientCa: ca, clientCertificate: 'require' };
    const plain = await compiled({ certificates: [ecdsa, other] });
    const { contexts, policies } = await compiled({ certificates: [ecdsa, asking] });
    expect(policies).toEqual([0, 1]);
    expect(contexts[1]).toMatchObject({ clientCertificate: 'require', authorities: ca });
    expect(contexts[0]!.identity).toBe(plain.contexts[0]!.identity);
    expect(contexts[1]!.identity).not.toBe(plain.contexts[1]!.identity);
  });

  test('lets a renewed certificate know the sessions of the one before', async () => {
    const authority = await Authority.create();
    const [before, after] = [await authority.server('a.test'), await authority.server('a.test')];
    const [first, second] = [await compiled({ certificates: [before] }), await compiled({ certificates: [after] })];
    expect(second.contexts[0]!.identity).toBe(first.contexts[0]!.identity);
    expect(second.contexts[0]!.key).not.toBe(first.contexts[0]!.key);
  });

  test('shows challenges besides, and guards nothing because of them', async () => {
    const challenge = { kind: 'tls-alpn-01', name: 'a.test', ...other } as const;
    const { contexts, challenges, policies } = await compiled({ certificates: [ecdsa] }, [
      challenge,
      { kind: 'http-01', name: 'a.test', token: 't', keyAuthorization: 'k' },
    ]);
    expect(challenges).toEqual([{ name: 'a.test', context: 1 }]);
    expect(contexts[1]!.protocols).toEqual(['acme-tls/1']);
    expect(policies).toEqual([0, 0]);
  });

  test('is the same for the same, so that nothing is made anew', async () => {
    const tls = { certificates: [ecdsa, rsa], passthrough: [{ names: ['raw.test'], cluster: 'raw' }] };
    expect(await compiled(tls)).toEqual(await compiled(tls));
    expect((await compiled(tls)).passthrough).toEqual([{ names: ['raw.test'], protocols: [], cluster: 1 }]);
  });

  test('of a cluster believes the system unless it is told whom to believe', () => {
    const base = { serverName: undefined, minVersion: '1.2', certificate: undefined, key: undefined } as const;
    const text = { path: '', text: ca };
    expect(compileClusterTls({ tls: { ...base, verify: true, ca: undefined } })).toMatchObject({ trustsSystem: true });
    expect(compileClusterTls({ tls: { ...base, verify: true, ca: text } })).toMatchObject({
      trustsSystem: false,
      authorities: ca,
    });
    expect(compileClusterTls({ tls: { ...base, verify: false, ca: undefined } })).toMatchObject({
      trustsSystem: false,
      verify: false,
    });
    expect(compileClusterTls({ tls: undefined })).toBeUndefined();
  });
});
