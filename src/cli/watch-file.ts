import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Editors write a file in several steps; the last one counts. */
const SETTLE_MS = 200;

/**
 * Calls `onChange` when what the file says has changed. Its directory is watched, not the file: most editors put a new one in its place, and
 * mounted configurations change by a symbolic link beside it. Returns how to stop. Throws if the directory cannot be watched.
 */
export async function watchFile(
  path: string,
  onChange: () => void,
  onError: (error: Error) => void,
): Promise<() => void> {
  let known = await read(path);
  let timer: NodeJS.Timeout | undefined;
  const look = async () => {
    const text = await read(path);
    // Gone for a moment, or for good: what runs goes on.
    if (text === undefined || text === known) return;
    known = text;
    onChange();
  };
  const watcher: FSWatcher = watch(dirname(path), { persistent: false }, () => {
    clearTimeout(timer);
    timer = setTimeout(() => void look(), SETTLE_MS);
  });
  watcher.on('error', onError);
  return () => {
    clearTimeout(timer);
    watcher.close();
  };
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}
