import { loadAddon } from '../../../src/engine/binding.ts';
import { composeLines } from '../../../src/observe/access/compose-lines.ts';
import type { LineComposer } from '../../../src/observe/access/line-parts.ts';

/** Both of them: they are twins, and neither may be forgotten. */
export const COMPOSERS: readonly (readonly [name: string, composer: LineComposer])[] = [
  ['TypeScript', composeLines],
  ['the addon', (...all) => loadAddon().addon!.composeLines(...all)],
];
