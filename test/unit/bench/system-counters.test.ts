import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import {
  countersBetween,
  parseBusyTicks,
  parseContextSwitches,
  parseDevice,
  parseStolenTicks,
  readSystemCounters,
} from '../../../bench/system-counters.ts';

describe('counters of the kernel', () => {
  it('adds up what the processors did, without what they waited for or what was stolen', () => {
    // user nice system idle iowait irq softirq steal guest guest_nice
    const stat =
      'cpu  100 20 3000 400000 50000 6 70 800000 90 10\ncpu0 50 10 1500 200000 25000 3 35 400000 45 5\nintr 1\n';
    expect(parseBusyTicks(stat)).toBe(100 + 20 + 3000 + 6 + 70);
    expect(parseStolenTicks(stat)).toBe(800_000);
    expect(parseStolenTicks('cpu  100 20 3000 400000\n')).toBe(0);
    expect(() => parseBusyTicks('intr 1\n')).toThrow('no line "cpu"');
  });

  it('reads what a device has received', () => {
    const dev = [
      'Inter-|   Receive                                                |  Transmit',
      ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
      '    lo: 123456789  98765    0    0    0     0          0         0 123456789   98765    0    0    0     0       0          0',
      '  eth0:1000 2 0 0 0 0 0 0 3000 4 0 0 0 0 0 0',
    ].join('\n');
    expect(parseDevice(dev, 'lo')).toEqual({ packets: 98_765, bytes: 123_456_789 });
    expect(parseDevice(dev, 'eth0')).toEqual({ packets: 2, bytes: 1_000 });
    expect(() => parseDevice(dev, 'eth1')).toThrow('no counters of eth1');
  });

  it('reads both kinds of context switches of a thread', () => {
    const status = 'Name:\tnode\nThreads:\t11\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n';
    expect(parseContextSwitches(status)).toBe(695);
    expect(() => parseContextSwitches('Name:\tnode\n')).toThrow('no context switches');
  });

  it.runIf(process.platform === 'linux')('grow on a real machine', async () => {
    // An origin that does nothing but burn: a leader of a group of its own.
    const origin = spawn(process.execPath, ['-e', 'for (;;);'], { detached: true, stdio: 'ignore' });
    try {
      const read = () => readSystemCounters(origin.pid!, origin.pid!, 100);
      const before = read();
      const deadline = performance.now() + 5_000;
      const grown = () => countersBetween(before, read());
      while (grown().originUs < 100_000 && performance.now() < deadline)
        await new Promise((turn) => setTimeout(turn, 5));
      const { machineUs, originUs, contextSwitches } = grown();
      expect(originUs).toBeGreaterThanOrEqual(100_000);
      expect(machineUs).toBeGreaterThanOrEqual(originUs);
      expect(contextSwitches).toBeGreaterThan(0);
    } finally {
      origin.kill('SIGKILL');
    }
  });
});
