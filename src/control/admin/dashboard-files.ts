/** The page that the admin API shows: three files, read once, with nothing from elsewhere. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Answer, failure } from './admin-answer.ts';

const FOLDER = new URL('../../../dashboard/', import.meta.url);

const FILES: Readonly<Record<string, { readonly name: string; readonly contentType: string }>> = {
  '/': { name: 'index.html', contentType: 'text/html; charset=utf-8' },
  '/dashboard.css': { name: 'dashboard.css', contentType: 'text/css; charset=utf-8' },
  '/dashboard.js': { name: 'dashboard.js', contentType: 'text/javascript; charset=utf-8' },
};

/** Scripts, styles and answers are ours alone; no other page may frame this one, whose buttons do something. */
const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
} as const;

export class DashboardFiles {
  readonly #files = new Map<string, { readonly body: string; readonly etag: string }>();

  has(path: string): boolean {
    return path in FILES;
  }

  /** `etag`: what the browser has. */
  answer(path: string, etag: string | undefined): Answer {
    const { name, contentType } = FILES[path]!;
    try {
      const file = this.#read(name);
      const headers = { ...PAGE_HEADERS, etag: file.etag, 'cache-control': 'no-cache' };
      if (etag === file.etag) return { status: 304, body: '', contentType, headers };
      return { status: 200, body: file.body, contentType, headers };
    } catch {
      return failure(404, 'the files of the dashboard are not installed');
    }
  }

  #read(name: string): { readonly body: string; readonly etag: string } {
    let file = this.#files.get(name);
    if (file === undefined) {
      const body = readFileSync(new URL(name, FOLDER), 'utf8');
      file = { body, etag: `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"` };
      this.#files.set(name, file);
    }
    return file;
  }
}
