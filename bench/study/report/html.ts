import type { Table } from '../../report/table.ts';
import type { Block, Picture, Report, Section } from './document.ts';

/** One file that needs nothing else: no script, no font, no picture from elsewhere. */
export function renderHtml({ title, introduction, sections }: Report): string {
  const contents = sections.map(({ id, title: name }) => `<li><a href="#${id}">${escapeText(name)}</a></li>`).join('');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeText(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeText(title)}</h1>
${renderBlocks(introduction)}
<nav aria-label="Contents"><ol>${contents}</ol></nav>
${sections.map(renderSection).join('\n')}
</main>
</body>
</html>
`;
}

function renderSection({ id, title, blocks }: Section): string {
  return `<section aria-labelledby="${id}">\n<h2 id="${id}">${escapeText(title)}</h2>\n${renderBlocks(blocks)}\n</section>`;
}

function renderBlocks(blocks: readonly Block[]): string {
  return blocks.map(renderBlock).join('\n');
}

function renderBlock(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return `<h3>${escapeText(block.text)}</h3>`;
    case 'text':
      return `<p>${escapeText(block.text)}</p>`;
    case 'table':
      return renderTable(block.caption, block.table);
    case 'picture':
      return renderPicture(block.picture);
    case 'pictures':
      return `<div class="small-multiples">${block.pictures.map(renderPicture).join('\n')}</div>`;
    case 'command':
      return `<p class="command">Repeat it: <code>${escapeText(block.command)}</code></p>`;
  }
}

function renderPicture({ caption, description, svg }: Picture): string {
  const labelled = svg.replace('<svg ', `<svg role="img" aria-label="${escapeText(description)}" `);
  return `<figure>${labelled}<figcaption>${escapeText(caption)}</figcaption></figure>`;
}

function renderTable(caption: string, { columns, rows }: Table): string {
  const head = columns.map((name) => `<th scope="col">${escapeText(name)}</th>`).join('');
  const body = rows.map((cells) => {
    const [first = '', ...rest] = columns.map((_, index) => cells[index] ?? '');
    return `<tr><th scope="row">${escapeText(first)}</th>${rest.map((cell) => `<td>${escapeText(cell)}</td>`).join('')}</tr>`;
  });
  return `<div class="wide" tabindex="0" role="region" aria-label="${escapeText(caption)}"><table><caption>${escapeText(caption)}</caption><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table></div>`;
}

function escapeText(plain: string): string {
  return plain.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** Also for paper: there everything is dark on white, and nothing is cut. */
const STYLE = `
:root { --paper: #fdfdfc; --ink: #1d1d21; --soft: #5c5c66; --line: #d9d9de; --mark: #f1f1ee; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #17171a; --ink: #e8e8ec; --soft: #a3a3ad; --line: #3a3a42; --mark: #222227; }
}
@media print {
  :root { --paper: #fff; --ink: #000; --soft: #333; --line: #999; --mark: #fff; }
  nav { display: none; }
  section, figure, table { break-inside: avoid; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; }
h2 { margin-top: 3rem; font-size: 1.3rem; }
h3 { margin-top: 2.2rem; font-size: 1.05rem; max-width: 44rem; }
p { max-width: 44rem; }
a { color: inherit; }
nav ol { columns: 2 18rem; column-gap: 2rem; padding-left: 1.4rem; }
figure { margin: 1.5rem 0; }
figure svg { width: 100%; height: auto; background: transparent; }
figcaption, caption { color: var(--soft); font-size: 0.9rem; text-align: left; }
caption { padding-bottom: 0.4rem; }
.small-multiples { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); gap: 1.5rem; }
.small-multiples figure { margin: 0; }
.wide { overflow-x: auto; margin: 1.2rem 0; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.9rem 0.25rem 0; border-bottom: 1px solid var(--line); text-align: right; font-weight: normal; }
td { white-space: nowrap; }
thead th { color: var(--soft); vertical-align: bottom; }
th:first-child { text-align: left; }
code { font: 0.85em ui-monospace, monospace; background: var(--mark); padding: 0.1em 0.3em; overflow-wrap: anywhere; }
.command { color: var(--soft); font-size: 0.9rem; }
`;
