import { describe, expect, it } from 'vitest';
import type { Results } from '../../../bench/results.ts';
import { crossing } from '../../../bench/study/crossing.ts';
import { observationsOf, roleOf } from '../../../bench/study/observations.ts';
import type { Report } from '../../../bench/study/report/document.ts';
import { renderHtml } from '../../../bench/study/report/html.ts';
import { pictureFile, picturesOf, renderMarkdown } from '../../../bench/study/report/markdown.ts';
import { drawBars, drawCurves, PERCENTILE_AXIS, percentileX } from '../../../bench/study/report/plots.ts';
import { buildReport } from '../../../bench/study/sections/all-sections.ts';
import { tlsShare } from '../../../bench/study/sections/questions.ts';
import { type BodySize, SCENARIOS } from '../../../bench/vocabulary.ts';
import { resultsWith } from '../bench/results-with.ts';
import { studyResults } from './study-results.ts';

const PICTURE = {
  name: 'a-picture',
  caption: 'What <it> shows',
  description: 'In "words"',
  svg: '<svg width="1"></svg>',
};
const REPORT: Report = {
  title: 'A & B',
  introduction: [{ kind: 'text', text: 'Before.' }],
  sections: [
    {
      id: 'one',
      title: 'One',
      blocks: [
        { kind: 'heading', text: 'A part' },
        { kind: 'picture', picture: PICTURE },
        { kind: 'table', caption: 'Figures', table: { columns: ['', 'a'], rows: [['x', '1']] } },
        { kind: 'command', command: 'npm run bench' },
      ],
    },
  ],
};

describe('the report', () => {
  it('is one HTML file that asks for nothing else, and escapes what it is given', () => {
    const html = renderHtml(REPORT);
    expect(html).toContain('<title>A &amp; B</title>');
    expect(html).toContain('<figcaption>What &lt;it&gt; shows</figcaption>');
    expect(html).toContain('aria-label="In &quot;words&quot;"');
    expect(html).toContain('<th scope="row">x</th><td>1</td>');
    expect(html).not.toMatch(/<script|<link|src=|@import|url\(/);
    expect(html.replaceAll('http://www.w3.org/', '')).not.toMatch(/https?:/);
  });

  it('is Markdown with pictures beside it', () => {
    expect(renderMarkdown(REPORT)).toBe(
      [
        '# A & B',
        'Before.',
        '## One',
        '### A part',
        '![In "words"](plots/a-picture.svg)',
        '*What <it> shows*',
        'Figures',
        '|     |   a |\n|-----|----:|\n| x   |   1 |',
        'Repeat it: `npm run bench`\n',
      ].join('\n\n'),
    );
    expect(picturesOf(REPORT).map(pictureFile)).toEqual(['plots/a-picture.svg']);
  });

  it('has a section for all that was measured, and none for what was not', () => {
    expect(buildReport(resultsWith(), 'npm run study').sections).toEqual([]);
    const report = buildReport(studyResults(), 'npm run study');
    expect(report.sections.map(({ id }) => id)).toEqual([
      'size',
      'clients',
      'connections',
      'prices',
      'latency',
      'floor',
      'units',
      'memory',
      'claims',
    ]);
    const html = renderHtml(report);
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
    // Each section says how its figures are made again.
    for (const { blocks } of report.sections) expect(blocks.some(({ kind }) => kind === 'command')).toBe(true);
  });

  it('says what was left out, and why', () => {
    const failure = { subject: 'haproxy', where: 'tls', reason: 'install HAProxy:\n  apt-get', missing: true } as const;
    const report = buildReport({ ...resultsWith(), failures: [failure] }, 'npm run study');
    expect(report.sections.map(({ id }) => id)).toEqual(['left-out']);
    expect(renderMarkdown(report)).toMatch(/\| haproxy \| +tls \| install HAProxy: apt-get \|/);
  });

  it('can do without any of the scenarios', () => {
    const all = studyResults();
    const results = { ...all, throughput: all.throughput.filter(({ subject }) => subject === 'fourseven') };
    const { throughput, latency, micro } = results;
    const without = <T>(list: readonly T[] | undefined, one: T): T[] => (list ?? []).filter((other) => other !== one);
    const poorer: Results[] = [
      ...throughput
        .filter(({ size }) => size === 'small')
        .map((one) => {
          const rounds = one.rounds.map((round) => ({ ...round, problems: ['1 timeouts'] }));
          return { ...results, throughput: [...without(throughput, one), { ...one, rounds }] };
        }),
      ...(latency ?? []).map((one) => ({ ...results, latency: without(latency, one) })),
      ...(micro ?? []).map((one) => ({ ...results, micro: without(micro, one) })),
    ];
    for (const one of poorer) {
      expect(renderMarkdown(buildReport(one, 'npm run study'))).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  it('says what follows from the figures: other figures, another sentence', () => {
    const textOf = (factor: number): string =>
      renderMarkdown(buildReport(studyResults({ l7Factor: factor }), 'npm run study'));
    expect(textOf(1.5)).toContain(
      'With kept connections, Layer 4 was the cheaper one at every size; Layer 7 takes 1.50',
    );
    expect(textOf(0.5)).toContain(
      'With kept connections, Layer 7 was the cheaper one at every size; Layer 7 takes 0.50',
    );
  });

  it('says from which size on splicing is cheaper', () => {
    expect(renderMarkdown(buildReport(studyResults(), 'npm run study'))).toContain(
      'Below about 72 KiB copying is the cheaper way, above it splicing: for 1 KiB splicing takes 2.20 times',
    );
  });

  it('commands name what the benchmark knows', () => {
    const report = renderMarkdown(buildReport(studyResults(), 'npm run study'));
    const commands = [...report.matchAll(/npm run bench -- ([^`]+)/g)].map(([, words]) => words!);
    expect(commands.length).toBeGreaterThan(5);
    for (const words of commands) {
      const only = /--only (\S+)/.exec(words)?.[1]?.split(',') ?? [];
      for (const name of only) expect(SCENARIOS).toContain(name);
    }
  });
});

describe('pictures', () => {
  it('have the colour of their surroundings, and a legend where there is more than one name', () => {
    const points = [
      { x: 1, y: 1 },
      { x: 10, y: 2 },
    ];
    const axes = { x: { label: 'x', log: true }, y: { label: 'y' } };
    const one = drawCurves([{ name: 'haproxy', points }], axes);
    const two = drawCurves(
      ['haproxy', 'nginx'].map((name) => ({ name, points })),
      axes,
    );
    expect(one).toMatch(/^<svg /);
    expect(one).toContain('currentColor');
    expect(one).not.toContain('<circle');
    expect(two.match(/<circle/g)).toHaveLength(2);
    expect(drawBars([{ group: 'g', name: 'nginx', value: 2 }], { label: 'x' }, String)).toContain('>2</text>');
  });

  it('give each nine of a percentile the same room', () => {
    const room = (a: number, b: number): number => Math.log(percentileX(b)) - Math.log(percentileX(a));
    expect(room(90, 99)).toBeCloseTo(room(99, 99.9), 9);
    expect(PERCENTILE_AXIS.ticks?.map((x) => PERCENTILE_AXIS.format?.(x))).toEqual(['50 %', '90 %', '99 %', '99.9 %']);
  });
});

describe('the share of TLS', () => {
  it('is where both layers cost the same', () => {
    // 50 + 70 s = 60 + 45 s at s = 0.4.
    expect(tlsShare({ l4: 50, l7: 60 }, { l4: 120, l7: 105 })).toBeCloseTo(0.4, 9);
    expect(tlsShare({ l4: 50, l7: 60 }, { l4: 100, l7: 120 })).toBeUndefined();
    expect(tlsShare({ l4: 60, l7: 50 }, { l4: 120, l7: 100 })).toBeUndefined();
  });
});

describe('a crossing', () => {
  it('is between the points where the curve passes the level, on a logarithmic axis', () => {
    const points = [
      { x: 1, y: 3 },
      { x: 100, y: 1 },
      { x: 1_000, y: 0 },
    ];
    expect(crossing(points, 2)).toBeCloseTo(10, 9);
    expect(crossing(points, 1)).toBeCloseTo(100, 9);
    expect(crossing(points, 4)).toBeUndefined();
    expect(crossing([], 1)).toBeUndefined();
  });
});

describe('the work of a scenario', () => {
  it('is what passed through the proxy for one request', () => {
    const results = studyResults();
    const find = (priced: 'l4' | 'l7' | 'tls', title: string) =>
      observationsOf(results, priced, 'fourseven', 'fitted').find((one) => one.title === title)!.work;
    expect(find('l7', 'L7, 16 KiB body')).toMatchObject({ requests: 1, kibibytes: 16, packets: 5 });
    expect(find('l4', 'L4, small body, a connection for each request')).toMatchObject({
      accepted: 1,
      dialed: 0,
      requests: 0,
    });
    // A message comes back, and is no request.
    expect(find('l7', 'L7, 16 KiB body, WebSocket messages')).toMatchObject({
      requests: 0,
      kibibytes: 0,
      tunneled: 32,
    });
    expect(find('l4', 'L4, 16 KiB body, WebSocket messages')).toMatchObject({
      requests: 0,
      kibibytes: 32,
      tunneled: 0,
    });
    expect(find('tls', 'TLS 1.3, full handshakes, small body')).toMatchObject({ accepted: 0, handshakes: 1 });
  });

  it('has cold connections where there are more than a core keeps in its cache', () => {
    const coldOf = (connections: string) =>
      observationsOf(studyResults(), 'l4', 'fourseven', 'fitted').find(
        ({ title }) => title === `L4, small body${connections}`,
      )!.work.cold;
    expect([', 1 connection', '', ', 256 connections'].map(coldOf)).toEqual([0, 0, 0.75]);
  });

  it('is not fitted to what lies between or beyond the other scenarios', () => {
    const rolesOf = (size: BodySize, connections: number) => roleOf({ size, connections });
    expect([rolesOf('16k', 64), rolesOf('1m', 256), rolesOf('4k', 64), rolesOf('small', 32)]).toEqual([
      'fitted',
      'fitted',
      'held-out',
      'held-out',
    ]);
    expect([rolesOf('16m', 4), rolesOf('small', 4096)]).toEqual(['beyond', 'beyond']);
    const all = (['fitted', 'held-out', 'beyond'] as const).map(
      (role) => observationsOf(studyResults(), 'l7', 'fourseven', role).length,
    );
    expect(all).toEqual([19, 3, 1]);
  });

  it('has a share of the connections that are kept, which were made once', () => {
    const results = studyResults();
    const { requests } = results.throughput[0]!.rounds[0]!;
    const connectionsOf = (priced: 'l4' | 'l7', title: string) => {
      const { work } = observationsOf(results, priced, 'fourseven', 'fitted').find((one) => one.title === title)!;
      return work.accepted;
    };
    expect(connectionsOf('l7', 'L7, small body')).toBeCloseTo(64 / requests);
    expect(connectionsOf('l7', 'L7, small body, 256 connections')).toBeCloseTo(256 / requests);
    // What Layer 4 dials for each is part of its price.
    expect(connectionsOf('l4', 'L4, small body, 256 connections')).toBeCloseTo(256 / requests);
    const [tls] = observationsOf(results, 'tls', 'fourseven', 'fitted');
    expect(tls!.work).toMatchObject({ accepted: 0, handshakes: 64 / requests });
  });
});
