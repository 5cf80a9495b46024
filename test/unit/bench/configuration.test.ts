import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { bodyOf, hashOf } from '../../../bench/origin/bodies.ts';
import { RIVALS } from '../../../bench/paths.ts';
import { configurationFor } from '../../../bench/subjects/fourseven.ts';
import { parseNginxBuild } from '../../../bench/subjects/nginx.ts';
import { fillTemplate } from '../../../bench/template.ts';
import { BODY_SIZES } from '../../../bench/vocabulary.ts';

const PLACE = {
  serves: 'requests',
  listenPort: 4001,
  originPort: 4002,
  connections: 64,
  certificate: '/c.pem',
  key: '/k.pem',
  directory: '/d',
} as const;

describe('the configurations of the subjects', () => {
  it('fills every place of a template', () => {
    expect(fillTemplate('a {{x}} b {{y}} {{x}}', { x: 1, y: '$&' })).toBe('a 1 b $& 1');
  });

  it('refuses a template that names more or less than it is given', () => {
    expect(() => fillTemplate('{{x}} {{y}}', { x: 1 })).toThrow('{{y}}');
    expect(() => fillTemplate('{{x}}', { x: 1, y: 2, z: 3 })).toThrow('y, z');
  });

  it.each(['haproxy-l7.cfg', 'haproxy-l4.cfg', 'haproxy-tls.cfg', 'nginx-l7.conf', 'nginx-l4.conf', 'nginx-tls.conf'])(
    'binds %s to loopback only',
    (name) => {
      const template = readFileSync(`${RIVALS}/${name}`, 'utf8');
      expect(template.match(/^\s*(?:bind|listen)\s+.*$/gm)).toEqual([
        expect.stringMatching(/^\s*(?:bind|listen)\s+127\.0\.0\.1:\{\{listenPort\}\}/),
      ]);
    },
  );

  it.each([
    ['l7', 'http'],
    ['l4', 'tcp'],
  ] as const)('gives the proxy one shard and one %s listener', (layer, protocol) => {
    const text = configurationFor('fourseven', { layer, ...PLACE });
    expect(parse(text)).toEqual({
      shards: 1,
      engine: 'native',
      admin: 'off',
      listeners: { bench: { address: '127.0.0.1:4001', protocol, cluster: 'origin' } },
      clusters: { origin: { endpoints: ['127.0.0.1:4002'] } },
    });
  });

  it('gives it a log and the admin API in every layer, where that is what is measured', () => {
    for (const layer of ['l7', 'l4', 'tls'] as const) {
      expect(parse(configurationFor('fourseven-logged', { layer, ...PLACE }))).toMatchObject({
        admin: { address: 'unix:/d/admin.sock' },
        listeners: { bench: { accessLog: { file: '/d/access.log' } } },
      });
    }
  });

  it.each([
    ['tls', 'fourseven', 'http', { certificates: [{ certificate: '/c.pem', key: '/k.pem' }] }],
    ['full', 'fourseven', 'http', { certificates: [{ certificate: '/c.pem', key: '/k.pem' }] }],
    ['passed', 'fourseven', 'tcp', { passthrough: [{ names: ['localhost'], cluster: 'origin' }] }],
    ['passed', 'fourseven-plain', 'tcp', undefined],
  ] as const)('lets TLS (%s, %s) end in a %s listener, or pass', (layer, name, protocol, tls) => {
    const { bench } = parse(configurationFor(name, { layer, ...PLACE })).listeners;
    expect(bench).toEqual({ address: '127.0.0.1:4001', protocol, cluster: 'origin', ...(tls && { tls }) });
  });

  it('has an access log where that is the point', () => {
    const secure = parse(configurationFor('fourseven', { layer: 'tls-logged', ...PLACE })).listeners.bench;
    expect(secure).toMatchObject({ accessLog: { file: '/d/access.log' }, tls: { certificates: expect.anything() } });
    const { bench } = parse(configurationFor('fourseven', { layer: 'logged', ...PLACE })).listeners;
    expect(bench).toEqual({
      address: '127.0.0.1:4001',
      protocol: 'http',
      cluster: 'origin',
      accessLog: { file: '/d/access.log' },
    });
  });

  it('speaks TLS to the endpoint, too, where that is asked for', () => {
    const { clusters } = parse(configurationFor('fourseven', { layer: 'reencrypted', ...PLACE }));
    expect(clusters).toEqual({ origin: { endpoints: ['127.0.0.1:4002'], tls: { verify: 'off' } } });
  });

  it.each([
    ['--with-stream --with-threads', 'built-in'],
    [
      '--modules-path=/usr/lib/nginx/modules --with-stream=dynamic',
      { path: '/usr/lib/nginx/modules/ngx_stream_module.so' },
    ],
    ['--with-stream_ssl_module --with-http_v2_module', 'absent'],
  ])('finds the stream module of nginx in "%s"', (args, stream) => {
    const output = `nginx version: nginx/1.22.1\nbuilt with OpenSSL 3.0.20\nconfigure arguments: ${args}\n`;
    expect(parseNginxBuild(output)).toEqual({ version: '1.22.1', stream });
  });

  it('has bodies of the promised sizes in which no block repeats', () => {
    expect(BODY_SIZES.map((size) => bodyOf(size).length)).toEqual(
      [100 / 1024, 1, 4, 16, 64, 128, 256, 512, 1024, 16_384].map((kib) => kib * 1024),
    );
    const body = bodyOf('1m');
    const swapped = Buffer.concat([body.subarray(32, 64), body.subarray(0, 32), body.subarray(64)]);
    expect(hashOf(swapped)).not.toBe(hashOf(body));
  });
});
