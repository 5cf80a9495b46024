/** A table of text: the first column stands left, all others right. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const GAP = '   ';

/** For a terminal: aligned by white space. */
export function renderText(table: Table): string {
  const widths = columnWidths(table);
  const line = (cells: readonly string[]): string => `  ${alignCells(cells, widths).join(GAP)}`.trimEnd();
  const rule = `  ${'─'.repeat(widths.reduce((sum, width) => sum + width, GAP.length * (widths.length - 1)))}`;
  return [line(table.columns), rule, ...table.rows.map(line)].join('\n');
}

/** For a Markdown file; aligned in its source, too. */
export function renderMarkdown(table: Table): string {
  const widths = columnWidths(table);
  const line = (cells: readonly string[]): string => `| ${alignCells(cells, widths).join(' | ')} |`;
  const rule = widths.map((width, index) => (index === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`));
  return [line(table.columns), `|${rule.join('|')}|`, ...table.rows.map(line)].join('\n');
}

function columnWidths(table: Table): readonly number[] {
  return table.columns.map((title, index) =>
    Math.max(3, title.length, ...table.rows.map((row) => row[index]?.length ?? 0)),
  );
}

function alignCells(cells: readonly string[], widths: readonly number[]): readonly string[] {
  return widths.map((width, index) => {
    const cell = cells[index] ?? '';
    return index === 0 ? cell.padEnd(width) : cell.padStart(width);
  });
}
