/** The page of the admin API in a real browser. `FOURSEVEN_SCREENSHOTS=1` takes the pictures of docs/ again. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AXE, CHROMIUM, type Look, launchBrowser } from './browser.ts';
import { until } from './deadline.ts';
import { HttpClient } from './http-client.ts';
import { get } from './http-rig.ts';
import { Origin } from './origin-server.ts';
import { ProxyProcess } from './proxy-process.ts';

const PICTURES = fileURLToPath(new URL('../../docs/dashboard/', import.meta.url));
const ENDPOINTS = 1_000;
const DESK: Look = { viewport: { width: 1200, height: 1100 }, colorScheme: 'light' };
const DARK: Look = { ...DESK, colorScheme: 'dark' };
const PHONE: Look = { viewport: { width: 390, height: 844 }, colorScheme: 'light' };
const TOKEN = 'a token that nobody guesses'.replaceAll(' ', '-');

if (CHROMIUM === undefined) console.warn('the dashboard is NOT looked at: it needs chromium');

describe.skipIf(CHROMIUM === undefined)('the dashboard', () => {
  let browser: Browser;
  let origin: Origin;
  let proxy: ProxyProcess;

  beforeAll(async () => {
    browser = await launchBrowser();
    origin = await Origin.start();
    proxy = await ProxyProcess.start({
      shards: 2,
      listeners: {
        web: {
          address: '127.0.0.1:0',
          routes: [
            { name: 'api', match: { path: '/api/*' }, cluster: 'api' },
            { name: 'rest', cluster: 'site' },
          ],
        },
        raw: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'api' },
      },
      clusters: {
        api: { endpoints: [`127.0.0.1:${origin.port}`, '127.0.0.2:9000', '127.0.0.3:9000'] },
        site: { endpoints: [`127.0.0.1:${origin.port}`] },
      },
    });
  });
  afterAll(async () => {
    await browser.close();
    await proxy.stop();
    await origin.close();
  });

  /** Opens the page; `wrong` collects whatever it complains about, and whatever it asks for elsewhere. */
  async function open(look: Look, target: ProxyProcess = proxy): Promise<{ page: Page; wrong: string[] }> {
    const page = await browser.newPage({ ...look, bypassCSP: true });
    const wrong: string[] = [];
    page.on('console', (message) => wrong.push(message.text()));
    page.on('pageerror', (error) => wrong.push(error.message));
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(target.adminUrl) && !url.startsWith('data:')) wrong.push(`asks for ${url}`);
    });
    await page.goto(target.adminUrl);
    return { page, wrong };
  }

  const rows = (page: Page) => page.locator('#endpoints tbody tr');
  const rowOf = (page: Page, text: string) => rows(page).filter({ hasText: text });

  test('follows a drain live, and asks before it does anything', async () => {
    const { page, wrong } = await open(DESK);
    const row = rowOf(page, '127.0.0.2:9000');
    await row.getByRole('button', { name: 'Drain 127.0.0.2:9000 of api' }).click();
    await page.getByRole('button', { name: 'Leave it' }).click();
    expect(await row.textContent()).toContain('enabled');
    await row.getByRole('button', { name: 'Drain 127.0.0.2:9000 of api' }).click();
    await page.locator('#confirm-yes').click();
    await until(5_000, 'the endpoint to drain', async () => (await row.textContent())?.includes('draining'));
    await until(5_000, 'the event', async () =>
      (await page.locator('#events').textContent())?.includes('127.0.0.2:9000 drains'),
    );
    await row.getByRole('button', { name: 'Enable 127.0.0.2:9000 of api' }).click();
    await page.locator('#confirm-yes').click();
    await until(5_000, 'the endpoint back', async () => (await row.textContent())?.includes('enabled'));
    expect(wrong).toEqual([]);
    await page.close();
  });

  test('shows what comes in while it does', async () => {
    const { page, wrong } = await open(DESK);
    const client = new HttpClient(proxy.port('web'));
    const card = page.locator('#listeners article').filter({ hasText: 'web' });
    let answered = 0;
    await until(10_000, 'a rate and a latency', async () => {
      for (let count = 0; count < 20; count++, answered++) await client.send(get('/api/x')).answer();
      const text = (await card.textContent()) ?? '';
      return /Requests\/s[1-9]/.test(text) && /p99 [\d.]+ m?s/.test(text);
    });
    expect(answered).toBeGreaterThan(0);
    expect(await page.locator('#routes').textContent()).toContain('api');
    expect(wrong).toEqual([]);
    client.close();
    await page.close();
  });

  test('explains what would become of a request', async () => {
    const { page } = await open(DESK);
    await page.getByLabel('URL').fill(`http://127.0.0.1:${proxy.port('web')}/api/x`);
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.waitForSelector('#explanation strong');
    expect(await page.locator('#explanation').textContent()).toContain('On listener web, route api takes it.');
    await page.getByLabel('URL').fill('nonsense');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.waitForSelector('#explanation .bad');
    await page.close();
  });

  test.each([
    ['by day', DESK],
    ['in the dark', DARK],
    ['on a phone', PHONE],
  ])('has no fault that keeps anybody out: %s', async (_where, look) => {
    const { page } = await open(look);
    await page.waitForSelector('#endpoints tbody tr');
    await page.addScriptTag({ path: AXE });
    const faults = await page.evaluate<string[]>(
      'axe.run().then(({ violations }) => violations.map(({ impact, id, nodes }) => impact + ": " + id + " " + nodes[0].html))',
    );
    expect(faults.filter((fault) => /^(serious|critical)/.test(fault))).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(look.viewport!.width);
    await page.close();
  });

  test.each([
    ['light', DESK],
    ['dark', DARK],
    ['phone', PHONE],
  ] as const)('has its picture in docs/: %s', async (name, look) => {
    const path = join(PICTURES, `${name}.png`);
    if (process.env.FOURSEVEN_SCREENSHOTS === '1') {
      const { page } = await open(look);
      const client = new HttpClient(proxy.port('web'));
      for (let second = 0; second < 20; second++) {
        for (let count = 0; count < 40 + 20 * (second % 5); count++) {
          await client.send(get(count % 7 === 0 ? '/' : '/api/x')).answer();
        }
        await page.waitForTimeout(500);
      }
      client.close();
      await page.screenshot({ path, fullPage: name === 'phone' });
      await page.close();
    }
    expect(existsSync(path)).toBe(true);
  });

  test('asks for the token where there is one, and holds a thousand endpoints', async () => {
    const endpoints = Array.from({ length: ENDPOINTS }, (_, index) => `127.1.${index >> 8}.${index & 255}:9000`);
    const big = await ProxyProcess.start({
      admin: { address: '127.0.0.1:0', token: TOKEN },
      shards: 1,
      listeners: { web: { address: '127.0.0.1:0', cluster: 'big' } },
      clusters: { big: { endpoints } },
    });
    expect((await big.admin('/api/status')).status).toBe(401);
    expect((await big.admin('/readyz')).status).toBe(200);
    const { page } = await open(DESK, big);
    await page.getByLabel('This proxy asks for its token').fill(TOKEN);
    await page.getByRole('button', { name: 'Go on' }).click();
    await until(10_000, 'all rows', async () => (await rows(page).count()) === ENDPOINTS);
    await page.getByLabel('Filter endpoints').fill('127.1.3.231');
    expect(await page.locator('#filter-count').textContent()).toBe(`1 of ${ENDPOINTS}`);
    const path = `/api/clusters/big/endpoints/127.1.3.231:9000/disable`;
    await big.admin(path, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` } });
    await until(5_000, 'the change', async () =>
      (await rowOf(page, '127.1.3.231').textContent())?.includes('disabled'),
    );
    await page.close();
    await big.stop();
  });
});
