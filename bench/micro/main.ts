/**
 * What single units of the proxy cost, as one line of JSON: `MicroResult[]`. Run by the scenario `micro`. FOURSEVEN_ADDON names the addon, which this
 * file, compiled by itself, would look for at the wrong place.
 */
import type { MicroResult } from '../results.ts';
import { doorCrossing } from './door.ts';
import { headParse } from './head-parse.ts';
import { maglev } from './maglev.ts';
import type { Figure } from './measure.ts';
import { policyPick } from './policies.ts';
import { routeLookup } from './route-lookup.ts';

const of = (group: MicroResult['group'], figures: readonly Figure[]): MicroResult[] =>
  figures.map((figure) => ({ group, ...figure }));

const results = [
  ...of('head', headParse()),
  ...of('route', routeLookup()),
  ...of('policy', policyPick()),
  ...of('maglev', maglev()),
  ...of('door', await doorCrossing()),
];
process.stdout.write(`${JSON.stringify(results)}\n`);
process.exit(0);
