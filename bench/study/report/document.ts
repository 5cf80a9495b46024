import type { Table } from '../../report/table.ts';

/** A report before it has a form: HTML and Markdown are made of the same. */
export interface Report {
  readonly title: string;
  readonly introduction: readonly Block[];
  readonly sections: readonly Section[];
}

export interface Section {
  /** For links to it, and for the files of its pictures. */
  readonly id: string;
  readonly title: string;
  readonly blocks: readonly Block[];
}

export type Block =
  | { readonly kind: 'heading'; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'table'; readonly caption: string; readonly table: Table }
  | { readonly kind: 'picture'; readonly picture: Picture }
  /** Small ones, beside each other. */
  | { readonly kind: 'pictures'; readonly pictures: readonly Picture[] }
  /** What repeats the figures above it. */
  | { readonly kind: 'command'; readonly command: string };

export interface Picture {
  /** Of its file, without the ending. */
  readonly name: string;
  readonly caption: string;
  /** In words, for those who cannot see it. */
  readonly description: string;
  readonly svg: string;
}

export const heading = (words: string): Block => ({ kind: 'heading', text: words });
export const text = (words: string): Block => ({ kind: 'text', text: words });
export const table = (caption: string, rows: Table): Block => ({ kind: 'table', caption, table: rows });
export const command = (line: string): Block => ({ kind: 'command', command: line });
