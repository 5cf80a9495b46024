/**
 * Routes are code, and can be tested as such: `explain` says what would become of a request, with nothing running. This file is for
 * Vitest (`npx vitest run routes.test.ts`); any other test runner will do.
 */
import { explain } from 'fourseven';
import { expect, test } from 'vitest';
import config from './canary.config.ts';

test.each([
  ['http://shop.example.com/cart', {}, 'shop'],
  ['http://shop.example.com/cart', { 'x-canary': 'true' }, 'canary'],
  ['http://shop.example.com/cart', { cookie: 'tester=1' }, 'testers'],
  ['http://www.example.com/', {}, 'moved'],
])('%s with %o takes the route %s', async (url, headers, route) => {
  expect(await explain(config, { url, headers })).toMatchObject({ route });
});

test('endpoints see the path without its version', async () => {
  const { outcome } = await explain(config, { url: 'http://shop.example.com/v1/items?page=2' });
  expect(outcome).toMatchObject({ kind: 'forwarded', request: expect.stringMatching(/^GET \/items\?page=2 HTTP/) });
});

test('nobody outside reaches the internal pages', async () => {
  const url = 'http://shop.example.com/internal/metrics';
  expect(await explain(config, { url, source: '192.0.2.1' })).toMatchObject({ outcome: { status: 403 } });
  expect(await explain(config, { url, source: '10.1.2.3' })).toMatchObject({ route: 'internal' });
});
