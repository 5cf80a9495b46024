import { readFileSync } from 'node:fs';

/** Version of this package, as in package.json, which lies two folders up both in src and in dist. */
export const PRODUCT_VERSION: string = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
).version;
