/** Reads the token of the admin API where it stands in a file of its own. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Config } from './config.ts';
import { ADMIN_TOKEN_LENGTH } from './defaults.ts';
import { error, type Finding } from './problem.ts';
import { quote } from './quote.ts';

const PATH = ['admin', 'tokenFile'] as const;
const REMEDY = 'write the path of a file that has the token, and nothing else, in it';

export interface LoadedToken {
  /** With the token in place; what could not be read is as it was. */
  readonly config: Config;
  readonly findings: readonly Finding[];
}

/** `base`: the directory that a relative path begins in. Never throws. */
export async function loadToken(config: Config, base: string): Promise<LoadedToken> {
  const { admin } = config;
  if (admin === 'off' || admin.tokenFile === undefined) return { config, findings: [] };
  const fail = (cause: string) => ({ config, findings: [error([...PATH], cause, REMEDY)] });
  let token: string;
  try {
    token = (await readFile(resolve(base, admin.tokenFile), 'utf8')).trim();
  } catch (problem) {
    const { code } = problem as NodeJS.ErrnoException;
    return fail(`${quote(admin.tokenFile)} cannot be read: ${code ?? (problem as Error).message}`);
  }
  const { min, max } = ADMIN_TOKEN_LENGTH;
  if (!isToken(token))
    return fail(`what stands in ${quote(admin.tokenFile)} is no token of ${min} to ${max} visible characters`);
  return { config: { ...config, admin: { ...admin, token } }, findings: [] };
}

/** Visible ASCII: it travels in a header field. */
export function isToken(text: string): boolean {
  const { min, max } = ADMIN_TOKEN_LENGTH;
  return text.length >= min && text.length <= max && /^[\x21-\x7e]*$/.test(text);
}
