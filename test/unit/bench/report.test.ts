import { describe, expect, it } from 'vitest';
import { BARS, judge } from '../../../bench/report/bars.ts';
import { formatCount, formatFigure, formatPercent, formatRatio } from '../../../bench/report/figures.ts';
import { readmeSection, repeatCommand, updateReadme } from '../../../bench/report/readme.ts';
import { renderReport } from '../../../bench/report/report.ts';
import { renderMarkdown, renderText } from '../../../bench/report/table.ts';
import { type Results, type Round, summarize, type ThroughputResult } from '../../../bench/results.ts';
import { type BodySize, type Layer, type SubjectName, usualCase } from '../../../bench/vocabulary.ts';
import { resultsWith } from './results-with.ts';

const round = (userUs: number, systemUs: number, problems: string[] = []): Round => ({
  requests: 1000,
  seconds: 0.5,
  userUs: userUs * 1000,
  systemUs: systemUs * 1000,
  counters: { machineUs: 30_000, packets: 4_000, packetBytes: 900_000, originUs: 5_000, contextSwitches: 250 },
  problems,
});

const measured = (layer: Layer, size: BodySize, subject: SubjectName, ...rounds: Round[]): ThroughputResult => ({
  ...usualCase(layer, size),
  subject,
  rounds,
});

const results = (throughput: ThroughputResult[], more: Partial<Results> = {}): Results =>
  resultsWith({ throughput, ...more });

describe('the report', () => {
  it('sums up rounds by medians per request', () => {
    expect(summarize([round(1, 9), round(2, 10), round(3, 14)])).toEqual({
      processorUs: { median: 12, min: 10, max: 17 },
      userUs: 2,
      systemUs: 10,
      machineUs: 30,
      originUs: 5,
      packets: 4,
      contextSwitches: 0.25,
      requestsPerSecond: 2000,
      busy: 0.024,
      problems: [],
    });
  });

  it('compares with HAProxy and nginx, and marks what is reached and what is missed', () => {
    const text = renderReport(
      results([
        measured('l7', 'small', 'fourseven', round(1, 8)),
        measured('l7', 'small', 'haproxy', round(2, 8)),
        measured('l7', 'small', 'nginx', round(3, 9)),
        measured('l4', '1m', 'fourseven', round(1, 8)),
        measured('l4', '1m', 'haproxy', round(2, 8)),
      ]),
    );
    expect(text).toMatch(
      /L7, small body.*\n\n.*÷ haproxy +÷ nginx\n.*\n +fourseven +9\.00 +1\.00 +8\.00 .* 0\.90 +0\.75\n/,
    );
    expect(text).toMatch(/L7 small: CPU ÷ haproxy +≤ 0\.95 +0\.88 +0\.90 +reached\n/);
    expect(text).toMatch(/L4 1 MiB: CPU ÷ haproxy +≤ 0\.40 +0\.30 +0\.90 +MISSED\n/);
    expect(text).not.toContain('16 KiB');
  });

  it('gives no figure and no ratio for a subject with a single invalid round', () => {
    const text = renderReport(
      results([
        measured('l7', 'small', 'fourseven', round(1, 8)),
        measured('l7', 'small', 'haproxy', round(2, 8), round(2, 8, ['3 timeouts'])),
      ]),
    );
    expect(text).toMatch(/^ +haproxy +INVALID$/m);
    expect(text).toContain('haproxy is invalid: 3 timeouts');
    expect(text).not.toContain('÷ haproxy');
  });

  it('says who was not measured and why', () => {
    const failures = [{ subject: 'nginx', where: 'l4', reason: 'install it', missing: true }] as const;
    expect(renderReport(results([], { failures }))).toContain('nginx, l4: install it');
  });

  it('holds a body against the better of two rivals, and only when both were measured', () => {
    const bar = BARS.find(({ title }) => title.startsWith('L7 1 MiB'));
    const ours = measured('l7', '1m', 'fourseven', round(10, 90));
    const haproxy = measured('l7', '1m', 'haproxy', round(50, 150));
    const nginx = measured('l7', '1m', 'nginx', round(100, 300));
    expect(bar?.measured(results([ours, haproxy, nginx]), 'fourseven')).toBe(0.5);
    expect(bar?.measured(results([ours, haproxy]), 'fourseven')).toBeUndefined();
  });

  it('holds the same bars against the proxy with its log on', () => {
    const logged = measured('l7', 'small', 'fourseven-logged', round(24, 30));
    const haproxy = measured('l7', 'small', 'haproxy', round(25, 30));
    const text = renderReport(results([logged, haproxy]));
    expect(text).toMatch(/The bars, for fourseven-logged\n[\s\S]*L7 small: CPU ÷ haproxy .* 0\.98 +MISSED/);
    expect(text).not.toContain('The bars, for fourseven\n');
  });

  it('judges by the bar itself: what equals it has reached it', () => {
    const bar = BARS.find(({ title }) => title === 'L7 small: CPU ÷ haproxy');
    if (bar === undefined) throw new Error('the bar is gone');
    expect([0.96, 0.95, 0.88].map((value) => judge(bar, value))).toEqual(['MISSED', 'reached', 'reached, stretch too']);
  });

  it('judges memory and start by their medians', () => {
    const idle = [{ subject: 'fourseven', samples: [500, 700, 2000] }] as const;
    const start = [{ subject: 'fourseven', samples: [600] }] as const;
    const text = renderReport(results([], { idle, start }));
    expect(text).toMatch(/memory per idle .* 700 B +reached\n/);
    expect(text).toMatch(/start to first byte .* 600 ms +MISSED\n/);
  });

  it('writes figures with the digits that they deserve', () => {
    expect([9.876, 99.994, 566.4, Number.NaN, undefined].map(formatFigure)).toEqual(['9.88', '99.99', '566', '–', '–']);
    expect([formatRatio(0.8749), formatRatio(undefined)]).toEqual(['0.87', '–']);
    expect([7, 71_234.4, 1_234_567].map(formatCount)).toEqual(['7', '71,234', '1,234,567']);
    expect(formatPercent(0.984)).toBe('98 %');
  });

  it('aligns tables for a terminal and for Markdown', () => {
    const table = { columns: ['', 'one'], rows: [['name', '1'], ['x']] };
    expect(renderText(table)).toBe('         one\n  ──────────\n  name     1\n  x');
    expect(renderMarkdown(table)).toBe('|      | one |\n|------|----:|\n| name |   1 |\n| x    |     |');
  });
});

describe('the table in README', () => {
  it('replaces what stands between the markers and nothing else', () => {
    const readme = '# T\n<!-- bench:start -->\nold\n<!-- bench:end -->\nrest\n';
    const updated = '# T\n<!-- bench:start -->\nnew\n<!-- bench:end -->\nrest\n';
    expect(updateReadme(readme, '\nnew\n\n')).toBe(updated);
    expect(updateReadme(updated, 'new')).toBe(updated);
  });

  it.each([
    '',
    '<!-- bench:start -->',
    '<!-- bench:end --><!-- bench:start -->',
    '<!-- bench:start --><!-- bench:end --><!-- bench:end -->',
  ])('refuses the markers "%s"', (readme) => {
    expect(() => updateReadme(readme, 'new')).toThrow('README.md needs one');
  });

  it.each([
    [[], 'npm run bench'],
    [['--update-readme', '--json', '/tmp/x.json', '--keep'], 'npm run bench'],
    [['--json=/tmp/x.json', '--rounds', '9', '--update-readme'], 'npm run bench -- --rounds 9'],
  ])('repeats %j without naming a file of this machine', (argv, command) => {
    expect(repeatCommand(argv)).toBe(command);
  });

  it('has one row per layer and size, the machine, the versions and the command', () => {
    const section = readmeSection(
      results([
        measured('l7', 'small', 'fourseven', round(1, 8)),
        measured('l7', 'small', 'haproxy', round(2, 8)),
        measured('l4', 'small', 'fourseven', round(1, 7)),
      ]),
      'npm run bench',
    );
    expect(section).toMatch(/^\| L7, small body +\| +9\.00 \| +10\.00 \| +0\.90 \| +– \|$/m);
    expect(section).toMatch(/^\| L4, small body +\| +8\.00 \| +– \| +– \| +– \|$/m);
    for (const part of ['Test CPU, 2 cores, Linux 6.1, node 20.17.0', 'haproxy 2.6.12', '`npm run bench`']) {
      expect(section).toContain(part);
    }
  });
});
