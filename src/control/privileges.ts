/** Gives up the rights of root, for good: what was bound and opened before stays so. */
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { ProxyError } from '../core/errors.ts';

export interface UserConfig {
  /** A name or a number. */
  readonly user: string;
  /** Undefined: the groups of the user. */
  readonly group: string | undefined;
}

/** The calls of the process that are needed: `initgroups` is missing from its types. */
export interface PrivilegedProcess {
  geteuid(): number;
  setuid(id: number | string): void;
  setgid(id: number | string): void;
  initgroups(user: number | string, group: number | string): void;
  setgroups(groups: readonly (number | string)[]): void;
}

const ROOT = 0;

/**
 * All threads are that user from now on (setuid(2), as the C library does it). Throws ProxyError `config_invalid` where that cannot be. A process that
 * is not root may only be asked to be who it is: so is a successor of one that has given up its rights.
 */
export function becomeUser({ user, group }: UserConfig, from = process as unknown as PrivilegedProcess): void {
  const numeric = /^\d+$/.test(user) ? Number(user) : undefined;
  const fail = (why: string) => new ProxyError('config_invalid', `user: ${why}`);
  if (from.geteuid() !== ROOT) {
    if (numeric !== undefined ? from.geteuid() === numeric : isOwnName(user)) return;
    throw fail(`only root can become ${user}; start the proxy as root, or as that user without this option`);
  }
  try {
    const groupId = group ?? numeric ?? primaryGroupOf(user);
    const asId = (text: string | number) => (typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : text);
    // A number alone belongs to no group but its own.
    if (numeric === undefined) from.initgroups(user, asId(groupId));
    else from.setgroups([]);
    from.setgid(asId(groupId));
    from.setuid(numeric ?? user);
  } catch (error) {
    throw fail(`${user}${group === undefined ? '' : `:${group}`}: ${(error as Error).message}`);
  }
  if (from.geteuid() === ROOT) throw fail(`${user} is root, which would change nothing`);
}

/** As /etc/passwd has it: Node has no getpwnam(3). Throws where the user is not there. */
function primaryGroupOf(user: string): number {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((candidate) => candidate.startsWith(`${user}:`));
  const group = Number(line?.split(':')[3] ?? Number.NaN);
  if (!Number.isInteger(group)) throw new Error('its group is not in /etc/passwd; write USER:GROUP');
  return group;
}

function isOwnName(user: string): boolean {
  try {
    return userInfo().username === user;
  } catch {
    // A number without a name (containers): then it is not that one.
    return false;
  }
}
