import { fileURLToPath } from 'node:url';

/** The repository. This file is one folder below it, as bench/paths.ts and as build-bench/paths.js. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Configuration templates of the rivals, and the npm rivals. */
export const RIVALS = `${ROOT}bench/rivals`;
