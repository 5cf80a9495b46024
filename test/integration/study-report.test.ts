/** The report of the study in a real browser: on a screen, in the dark, on a phone, on paper. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Results } from '../../bench/results.ts';
import { renderHtml } from '../../bench/study/report/html.ts';
import { picturesOf } from '../../bench/study/report/markdown.ts';
import { buildReport } from '../../bench/study/sections/all-sections.ts';
import { studyResults } from '../unit/study/study-results.ts';
import { AXE, CHROMIUM, type Look, launchBrowser } from './browser.ts';

/** The report that the repository has, and where its screenshots are kept. `FOURSEVEN_SCREENSHOTS=1` takes them again. */
const COMMITTED = fileURLToPath(new URL('../../docs/study/report.html', import.meta.url));
const RESULTS = fileURLToPath(new URL('../../docs/study/results.json', import.meta.url));
const SCREENSHOTS = fileURLToPath(new URL('../../docs/study/', import.meta.url));
const PHONE_WIDTH = 390;
/** WCAG 2.2, 1.4.6: of text that is easy to read. */
const CONTRAST_MIN = 7;

const DESK: Look = { viewport: { width: 1100, height: 1000 }, colorScheme: 'light' };
const DARK: Look = { ...DESK, colorScheme: 'dark' };
const PHONE: Look = { viewport: { width: PHONE_WIDTH, height: 800 }, colorScheme: 'light' };

if (CHROMIUM === undefined) console.warn('the report of the study is NOT looked at: it needs chromium');

describe.skipIf(CHROMIUM === undefined)('the report of the study', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fourseven-report-'));
  const report = buildReport(studyResults(), 'npm run study');
  const made = join(folder, 'report.html');
  let browser: Browser;

  beforeAll(async () => {
    writeFileSync(made, renderHtml(report));
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  /** Opens a report; fails on whatever it says to the console, and on whatever it asks for besides itself. */
  async function open(file: string, look: Look): Promise<Page> {
    const page = await browser.newPage(look);
    const wrong: string[] = [];
    page.on('console', (message) => wrong.push(message.text()));
    page.on('pageerror', (error) => wrong.push(error.message));
    page.on('request', (request) => {
      if (request.url() !== pathToFileURL(file).href) wrong.push(`asks for ${request.url()}`);
    });
    await page.goto(pathToFileURL(file).href);
    expect(wrong).toEqual([]);
    return page;
  }

  it.each([
    ['on a desk', DESK],
    ['in the dark', DARK],
    ['on a phone', PHONE],
  ])('shows every picture, with its text inside, and needs nothing else: %s', async (_where, look) => {
    const page = await open(made, look);
    const pictures = await page.$$eval('figure svg', (all) =>
      all.map((svg) => {
        const frame = svg.getBoundingClientRect();
        const cut = [...svg.querySelectorAll('text')].filter((text) => {
          const box = text.getBoundingClientRect();
          return box.left < frame.left - 2 || box.right > frame.right + 2;
        });
        return { width: frame.width, height: frame.height, cut: cut.map(({ textContent }) => textContent) };
      }),
    );
    expect(pictures).toHaveLength(picturesOf(report).length);
    for (const { width, height, cut } of pictures) {
      expect(Math.min(width, height)).toBeGreaterThan(40);
      expect(cut).toEqual([]);
    }
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(look.viewport!.width);
    await page.close();
  });

  it.each([
    ['by day', DESK, 'screen'],
    ['in the dark', DARK, 'screen'],
    ['on paper', DARK, 'print'],
  ] as const)('has text that stands out, in the pictures too: %s', async (_where, look, media) => {
    const page = await open(made, look);
    await page.emulateMedia({ media });
    const [paper, ink, ...inPictures] = await page.evaluate<string[]>(`[
      getComputedStyle(document.body).backgroundColor,
      getComputedStyle(document.body).color,
      ...[...document.querySelectorAll('figure svg text')].map((text) => getComputedStyle(text).fill),
    ]`);
    expect(contrast(ink!, paper!)).toBeGreaterThanOrEqual(CONTRAST_MIN);
    expect(new Set(inPictures)).toEqual(new Set([ink]));
    if (media === 'print') expect(paper).toBe('rgb(255, 255, 255)');
    await page.close();
  });

  it.each([
    ['by day', DESK],
    ['in the dark', DARK],
  ])('has no fault that keeps anybody out: %s', async (_when, look) => {
    const page = await open(made, look);
    await page.addScriptTag({ path: AXE });
    const faults = await page.evaluate<string[]>(
      'axe.run().then(({ violations }) => violations.map(({ impact, id, nodes }) => impact + ": " + id + " " + nodes[0].html))',
    );
    expect(faults.filter((fault) => /^(serious|critical)/.test(fault))).toEqual([]);
    await page.close();
  });

  describe.skipIf(!existsSync(COMMITTED))('that is committed', () => {
    it.each([
      ['light', DESK],
      ['dark', DARK],
    ] as const)('opens, and its screenshot is kept: %s', async (name, look) => {
      const page = await open(COMMITTED, look);
      const { failures } = JSON.parse(readFileSync(RESULTS, 'utf8')) as Results;
      // One more for what was left out.
      expect(await page.locator('h2').count()).toBe(failures.length === 0 ? 9 : 10);
      const path = join(SCREENSHOTS, `report-${name}.png`);
      if (process.env.FOURSEVEN_SCREENSHOTS === '1') await page.screenshot({ path });
      expect(existsSync(path)).toBe(true);
      await page.close();
    });
  });
});

/** WCAG 2.2, "contrast ratio": of two colours as `rgb(R, G, B)`. */
function contrast(one: string, other: string): number {
  const [darker, lighter] = [luminance(one), luminance(other)].toSorted((a, b) => a - b) as [number, number];
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = (colour.match(/[0-9.]+/g) ?? []).map((part) => {
    const share = Number(part) / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
