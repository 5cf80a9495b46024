import { judgeClaims } from '../../claims/all-claims.ts';
import { formatCount, formatFigure } from '../../report/figures.ts';
import type { Results } from '../../results.ts';
import { type Block, command, heading, type Section, table, text } from '../report/document.ts';
import { drawSmallBars } from '../report/plots.ts';

export function claimSection(results: Results): Section | undefined {
  const claims = judgeClaims(results);
  if (claims.length === 0) return undefined;
  const count = (verdict: string): number => claims.filter((claim) => claim.verdict === verdict).length;
  const blocks: Block[] = [
    text(
      `What the texts teach, and what was found here: ${claims.length} claims; holds: ${count('holds')}, half-true: ${count('half-true')}, false here: ${count('false here')}.`,
    ),
    table('The verdicts', {
      columns: ['', 'verdict'],
      rows: claims.map(({ number, claim, verdict }) => [`${number}. ${claim}`, verdict]),
    }),
    {
      kind: 'pictures',
      pictures: claims
        .filter(({ bars }) => bars.length > 0)
        .map(({ number, claim, verdict, bars, unit }) => ({
          name: `claim-${number}`,
          caption: `${number}: ${verdict}. ${claim}`,
          description: `Bars for claim ${number}: ${bars.map(({ name, value }) => `${name} ${formatFigure(value)}`).join(', ')} (${unit})`,
          svg: drawSmallBars(`${number}: ${verdict}`, bars, unit, formatShort),
        })),
    },
    ...claims.flatMap(({ number, claim, verdict, found, table: rows, turns, command: line }) => [
      heading(`${number}. ${claim}`),
      text(`${verdict.charAt(0).toUpperCase()}${verdict.slice(1)}. ${found}`),
      table(`Figures of claim ${number}`, rows),
      text(`It would turn: ${turns}`),
      command(line),
    ]),
  ];
  return { id: 'claims', title: 'The claims', blocks };
}

function formatShort(value: number): string {
  return Math.abs(value) >= 100 ? formatCount(value) : String(Number(value.toPrecision(2)));
}
