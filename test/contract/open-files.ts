import { readdirSync, readlinkSync } from 'node:fs';
import { eventually } from './deadline.ts';

/** What this process has open, `socket:[4711]` or a path, each with the number of its descriptors. */
export type OpenFiles = ReadonlyMap<string, number>;

export function openFiles(): OpenFiles {
  const counts = new Map<string, number>();
  for (const fd of readdirSync('/proc/self/fd')) {
    const file = openFile(fd);
    if (file !== undefined) counts.set(file, (counts.get(file) ?? 0) + 1);
  }
  return counts;
}

/** Resolves once nothing has more descriptors than before. Fewer are no leak: Node.js and vitest close some of their own. */
export async function nothingAddedTo(before: OpenFiles): Promise<void> {
  await eventually(
    () => added(before).length === 0,
    () => `these to be closed: ${added(before).join(', ')}`,
  );
}

/** Undefined for the descriptor by which the directory itself was read. */
function openFile(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

function added(before: OpenFiles): string[] {
  return [...openFiles()].filter(([file, count]) => count > (before.get(file) ?? 0)).map(([file]) => file);
}
