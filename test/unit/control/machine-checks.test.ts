import { describe, expect, test } from 'vitest';
import { checkMachine } from '../../../src/control/machine-checks.ts';

const GOOD: Readonly<Record<string, string>> = {
  'net/core/somaxconn': '4096\n',
  'net/ipv4/tcp_migrate_req': '1\n',
  'net/ipv4/ip_local_port_range': '10240\t65535\n',
};
const told = (changes: Readonly<Record<string, string | undefined>>, descriptors = 100_000) =>
  checkMachine(descriptors, (name) => ({ ...GOOD, ...changes })[name]);

describe('what the machine allows', () => {
  test('is not talked about where it is enough, or not known', () => {
    expect(told({})).toEqual([]);
    expect(checkMachine(100_000, () => undefined)).toEqual([]);
    expect(told({ 'net/core/somaxconn': 'nonsense' })).toEqual([]);
  });

  test.each([
    [{ 'net/core/somaxconn': '128' }, 'set net.core.somaxconn=4096'],
    [{ 'net/ipv4/tcp_migrate_req': '0\n' }, 'set net.ipv4.tcp_migrate_req=1'],
    [{ 'net/ipv4/ip_local_port_range': '60000 61000' }, 'only 1001 ports are there'],
  ])('is told with what to set: %j', (changes, words) => {
    const advice = told(changes);
    expect(advice).toHaveLength(1);
    expect(advice[0]).toContain(words);
  });

  test('is told where few files may be open, with what that means', () => {
    expect(told({}, 1_024)).toEqual([
      expect.stringContaining('at most 1024 files may be open, which is 512 connections'),
    ]);
  });
});
