import { renderMarkdown as renderTable } from '../../report/table.ts';
import type { Block, Picture, Report } from './document.ts';

/** Pictures are files of their own, in `plots/` beside the text. */
export function renderMarkdown({ title, introduction, sections }: Report): string {
  const parts = [
    `# ${title}`,
    ...introduction.map(renderBlock),
    ...sections.flatMap(({ title: name, blocks }) => [`## ${name}`, ...blocks.map(renderBlock)]),
  ];
  return `${parts.join('\n\n')}\n`;
}

export function pictureFile({ name }: Picture): string {
  return `plots/${name}.svg`;
}

/** All pictures of a report. */
export function picturesOf({ introduction, sections }: Report): readonly Picture[] {
  return [...introduction, ...sections.flatMap(({ blocks }) => blocks)].flatMap((block) => {
    if (block.kind === 'picture') return [block.picture];
    return block.kind === 'pictures' ? block.pictures : [];
  });
}

function renderBlock(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return `### ${block.text}`;
    case 'text':
      return block.text;
    case 'table':
      return `${block.caption}\n\n${renderTable(block.table)}`;
    case 'picture':
      return renderPicture(block.picture);
    case 'pictures':
      return block.pictures.map(renderPicture).join('\n\n');
    case 'command':
      return `Repeat it: \`${block.command}\``;
  }
}

function renderPicture(picture: Picture): string {
  return `![${picture.description}](${pictureFile(picture)})\n\n*${picture.caption}*`;
}
