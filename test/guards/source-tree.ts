/** The repository as guards see it: files, texts, and who imports whom. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const NOT_OURS = /^(node_modules|dist|build|build-.*|coverage|\.git|\.cache)$/;

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** Where a relative one leads, from the root; undefined for packages and Node's own modules. */
  readonly target: string | undefined;
  /** `import type` or `export type`: gone after compilation. */
  readonly typeOnly: boolean;
}

/** Paths of all files below `folder` that are ours, from the root, with `/`, sorted. None if the folder does not exist. */
export function listFiles(folder: string, extension = ''): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  const found: string[] = [];
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    if (NOT_OURS.test(entry.name)) continue;
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory()) found.push(...listFiles(path, extension));
    else if (path.endsWith(extension)) found.push(path);
  }
  return found.sort();
}

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

export function readJson(path: string): unknown {
  return JSON.parse(readText(path));
}

const STATIC_IMPORT = /\b(?:import|export)\s+(type\s+)?[\w*{}\s,$]+?\s+from\s+['"]([^'"]+)['"]/g;
const BARE_IMPORT = /\bimport\s+['"]([^'"]+)['"]/g;
const CALLED_IMPORT = /\b(?:import|require|resolve)\s*\(\s*['"]([^'"]+)['"]/g;

/** Imports of one file. The code is formatted, so that comments are whole lines and can be dropped as such. */
export function importsOf(path: string): Import[] {
  return importsIn(readText(path), path);
}

export function importsIn(text: string, path: string): Import[] {
  const code = text.replace(/^\s*(\/\/|\/\*|\*).*$/gm, '');
  const found: Import[] = [];
  const add = (specifier: string, typeOnly: boolean) =>
    found.push({ specifier, typeOnly, target: resolve(path, specifier) });
  for (const match of code.matchAll(STATIC_IMPORT)) add(match[2]!, match[1] !== undefined);
  for (const match of code.matchAll(BARE_IMPORT)) add(match[1]!, false);
  for (const match of code.matchAll(CALLED_IMPORT)) add(match[1]!, false);
  return found;
}

function resolve(path: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? posix.normalize(posix.join(dirname(path), specifier)) : undefined;
}
