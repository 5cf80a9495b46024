/** The page that the admin API shows: three files, sent as one, so that a browser asks once. Nothing in it comes from elsewhere. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { PACKAGE_ROOT } from '../../core/package-root.ts';
import { type Answer, failure } from './admin-answer.ts';

const FOLDER = new URL('dashboard/', PACKAGE_ROOT);
const STYLE_LINK = '<link rel="stylesheet" href="dashboard.css" />';
const SCRIPT_LINK = '<script type="module" src="dashboard.js"></script>';

interface Page {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export class DashboardPage {
  #page: Page | undefined;

  /** `etag`: what the browser has. */
  answer(etag: string | undefined): Answer {
    try {
      this.#page ??= makePage(read('index.html'), read('dashboard.css'), read('dashboard.js'));
    } catch {
      return failure(404, 'the files of the dashboard are not installed');
    }
    const { body, headers } = this.#page;
    const contentType = 'text/html; charset=utf-8';
    if (etag === headers.etag) return { status: 304, body: '', contentType, headers };
    return { status: 200, body, contentType, headers };
  }
}

function read(name: string): string {
  return readFileSync(new URL(name, FOLDER), 'utf8');
}

/** Style and script are allowed by what is in them, and nothing else is; no other page may frame this one, whose buttons do something. */
function makePage(html: string, style: string, script: string): Page {
  const put = (text: string, link: string, element: string) => text.split(link).join(element);
  const body = put(
    put(html, STYLE_LINK, `<style>${style}</style>`),
    SCRIPT_LINK,
    `<script type="module">${script}</script>`,
  );
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    body,
    headers: {
      'content-security-policy': policy.join('; '),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-cache',
      etag: `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`,
    },
  };
}

/** As a Content-Security-Policy names what it allows (CSP Level 3, section 2.3.1). */
function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
