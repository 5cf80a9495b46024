/** How soon the dashboard is there, from loopback and with a thousand endpoints. */
import { describe, expect, test } from 'vitest';
import { CHROMIUM, launchBrowser } from '../integration/browser.ts';
import { ProxyProcess } from '../integration/proxy-process.ts';

const LOADS = 21;
const LOAD_MAX_MS = 200;
const ENDPOINTS = 1_000;

describe.skipIf(CHROMIUM === undefined)('the dashboard', () => {
  test('is loaded within 200 ms', { timeout: 60_000 }, async () => {
    const endpoints = Array.from({ length: ENDPOINTS }, (_, index) => `127.1.${index >> 8}.${index & 255}:9000`);
    const proxy = await ProxyProcess.start({
      listeners: { web: { address: '127.0.0.1:0', cluster: 'many' } },
      clusters: { many: { endpoints } },
    });
    const browser = await launchBrowser();
    const times: number[] = [];
    for (let count = 0; count < LOADS; count++) {
      const page = await browser.newPage();
      await page.goto(proxy.adminUrl);
      await page.waitForSelector('#endpoints tbody tr');
      times.push(await page.evaluate<number>('performance.getEntriesByType("navigation")[0].loadEventEnd'));
      await page.close();
    }
    console.log('load event after', times.map(Math.round), 'ms');
    await browser.close();
    await proxy.stop();
    expect(times.toSorted((a, b) => a - b)[(LOADS - 1) / 2]).toBeLessThan(LOAD_MAX_MS);
  });
});
