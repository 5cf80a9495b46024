import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser } from 'playwright-core';
import { chromium } from 'playwright-core';

/** Undefined: there is none on this machine. */
export const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => existsSync(path));
/** A script that finds what people with other senses would stumble over. */
export const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export type Look = NonNullable<Parameters<Browser['newPage']>[0]>;

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM!, args: ARGUMENTS });
}
