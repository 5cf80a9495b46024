import { type Comparison, SIGNIFICANCE } from '../comparison.ts';
import { formatFigure, formatRatio } from './figures.ts';
import { renderText } from './table.ts';

/** Two runs beside each other, for a terminal. `differences`: what makes them hard to compare. */
export function renderComparison(comparisons: readonly Comparison[], differences: readonly string[]): string {
  if (comparisons.length === 0) return 'The two runs have no valid figure in common.\n';
  const rows = comparisons.map((one) => [
    one.title,
    formatFigure(one.before),
    formatFigure(one.after),
    formatRatio(one.ratio),
    one.probability.toFixed(3),
    verdictOf(one),
  ]);
  const agreeing = comparisons.filter(({ probability }) => probability >= SIGNIFICANCE).length;
  const sections = [
    renderText({ columns: ['', 'before', 'after', 'ratio', 'p', 'verdict'], rows }),
    `${agreeing} of ${comparisons.length} figures do not differ as far as the spread of the rounds can tell (p ≥ ${SIGNIFICANCE}).`,
    ...(differences.length > 0 ? [`The runs were not alike\n\n  ${differences.join('\n  ')}`] : []),
  ];
  return `${sections.join('\n\n')}\n`;
}

function verdictOf({ probability, before, after }: Comparison): string {
  if (probability >= SIGNIFICANCE) return 'no difference';
  return after < before ? 'less' : 'MORE';
}
