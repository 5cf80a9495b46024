import { userInfo } from 'node:os';
import { describe, expect, test } from 'vitest';
import { becomeUser, type PrivilegedProcess } from '../../../src/control/privileges.ts';

/** Says what was called; `users`: those that there are. */
function fakeProcess(euid: number, users: Readonly<Record<string, number>> = { nobody: 65534 }) {
  const calls: string[] = [];
  let now = euid;
  const idOf = (user: string | number) => (typeof user === 'number' ? user : (users[user] ?? missing(user)));
  const fake: PrivilegedProcess = {
    geteuid: () => now,
    setuid: (user) => {
      calls.push(`setuid ${user}`);
      now = idOf(user);
    },
    setgid: (group) => calls.push(`setgid ${group}`),
    initgroups: (user, group) => calls.push(`initgroups ${user} ${group}`),
    setgroups: (groups) => calls.push(`setgroups ${groups.join()}`),
  };
  return { fake, calls };
}

function missing(user: string): never {
  throw new Error(`User identifier does not exist: ${user}`);
}

describe('giving up the rights of root', () => {
  test('takes groups first, and the user last', () => {
    const { fake, calls } = fakeProcess(0);
    becomeUser({ user: 'nobody', group: undefined }, fake);
    // Its own group, which need not have its name.
    expect(calls).toEqual(['initgroups nobody 65534', 'setgid 65534', 'setuid nobody']);
  });

  test('takes a group of its own where one is named', () => {
    const { fake, calls } = fakeProcess(0);
    becomeUser({ user: 'nobody', group: '4' }, fake);
    expect(calls).toEqual(['initgroups nobody 4', 'setgid 4', 'setuid nobody']);
  });

  test('leaves all groups for a user that is a number', () => {
    const { fake, calls } = fakeProcess(0);
    becomeUser({ user: '1000', group: undefined }, fake);
    expect(calls).toEqual(['setgroups ', 'setgid 1000', 'setuid 1000']);
  });

  test('is refused for a user that does not exist, or that is root itself', () => {
    expect(() => becomeUser({ user: 'nobody-there', group: undefined }, fakeProcess(0).fake)).toThrow(
      'is not in /etc/passwd',
    );
    expect(() => becomeUser({ user: '0', group: undefined }, fakeProcess(0).fake)).toThrow('is root');
  });

  test('is nothing to do for who is that user already, and refused to anybody else', () => {
    const { fake, calls } = fakeProcess(1000);
    becomeUser({ user: '1000', group: undefined }, fake);
    becomeUser({ user: userInfo().username, group: undefined }, fake);
    expect(calls).toEqual([]);
    expect(() => becomeUser({ user: 'web', group: undefined }, fake)).toThrow('only root can become web');
  });
});
