/** `npm run build`: packages, addon, dist, where stale. */
import { prepare } from './prepare.mjs';

await prepare();
