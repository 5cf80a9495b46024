import { describe, expect, it } from 'vitest';
import { parsePssBytes } from '../../../bench/memory.ts';
import { elapsed, groupMembers, parseProcessStat, readProcessorTime } from '../../../bench/processor-time.ts';
import { descriptorShortage } from '../../../bench/scenarios/idle-memory.ts';

/** A line of proc(5) whose field n, from 4 on, has the value n, but for those that matter. */
function statLine(command: string): string {
  const fields = Array.from({ length: 49 }, (_, index) => index + 4);
  return `4711 (${command}) S ${fields.join(' ')}\n`;
}

describe('/proc', () => {
  it.each(['node', 'nginx: worker process', 'a) S 1 2 (b', ') R 9 9 9', ''])(
    'counts the fields of stat from the end of the command "%s"',
    (command) => {
      expect(parseProcessStat(statLine(command))).toEqual({
        pid: 4711,
        processGroup: 5,
        userTicks: 14,
        systemTicks: 15,
      });
    },
  );

  it('refuses what is no line of stat', () => {
    expect(() => parseProcessStat('')).toThrow('not a line');
    expect(() => parseProcessStat('4711 (node) S 1 2 3')).toThrow('not a line');
  });

  it('subtracts two readings', () => {
    const before = { userUs: 10, systemUs: 100 };
    expect(elapsed(before, { userUs: 15, systemUs: 300 })).toEqual({ userUs: 5, systemUs: 200 });
  });

  it.skipIf(process.platform !== 'linux')('says so when the processes to be measured are gone', () => {
    // Above the largest pid that the kernel can give (proc(5), pid_max).
    expect(groupMembers(4_194_305)).toEqual([]);
    expect(() => readProcessorTime(4_194_305, 100)).toThrow('no process is left');
  });

  it('reads the proportional set size, and not one of the lines that begin like it', () => {
    const rollup = '5500-7fff ---p 00000000 00:00 0 [rollup]\nRss:  900 kB\nPss:   120 kB\nPss_Dirty:  80 kB\n';
    expect(parsePssBytes(rollup)).toBe(120 * 1024);
    expect(() => parsePssBytes('Pss_Dirty: 80 kB\n')).toThrow('Pss');
  });

  it('says how many open files idle connections need when the limit is lower', () => {
    const limits = (open: string) => `Max processes  7 7 processes\nMax open files            ${open}  20000  files\n`;
    expect(descriptorShortage(1000, limits('6148'))).toBeUndefined();
    expect(descriptorShortage(1000, limits('6147'))).toContain('6148 open files, here it is 6147');
    expect(descriptorShortage(1000, limits('unlimited'))).toBeUndefined();
  });
});
