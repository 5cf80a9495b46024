import { access } from 'node:fs/promises';
import { join } from 'node:path';

/** The names looked for where no file is given, in this order. */
export const DEFAULT_CONFIG_FILES = [
  'fourseven.yaml',
  'fourseven.yml',
  'fourseven.json',
  'fourseven.ts',
  'fourseven.mjs',
] as const;

/** The path of the first default file that exists in the directory, or undefined. */
export async function findConfigFile(directory: string): Promise<string | undefined> {
  for (const name of DEFAULT_CONFIG_FILES) {
    const path = join(directory, name);
    const exists = await access(path).then(
      () => true,
      () => false,
    );
    if (exists) return path;
  }
  return undefined;
}
