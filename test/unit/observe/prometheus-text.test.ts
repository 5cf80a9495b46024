import { expect, it } from 'vitest';
import { formatMetrics } from '../../../src/observe/prometheus-text.ts';

it('writes help, type and samples, sorted by their labels', () => {
  const text = formatMetrics([
    {
      name: 'fourseven_things_total',
      help: 'Things.',
      type: 'counter',
      samples: [
        { labels: { listener: 'web', status: '200' }, value: 2 },
        { labels: { listener: 'db', status: '200' }, value: 1 },
      ],
    },
    { name: 'up', help: 'One.', type: 'gauge', samples: [{ value: 1 }] },
  ]);
  expect(text).toBe(
    '# HELP fourseven_things_total Things.\n' +
      '# TYPE fourseven_things_total counter\n' +
      'fourseven_things_total{listener="db",status="200"} 1\n' +
      'fourseven_things_total{listener="web",status="200"} 2\n' +
      '# HELP up One.\n# TYPE up gauge\nup 1\n',
  );
});

it('escapes quotes, backslashes and line breaks in labels, backslashes and line breaks in help', () => {
  const text = formatMetrics([
    { name: 'x', help: 'a\\b\nc', type: 'gauge', samples: [{ labels: { path: 'a"b\\c\nd' }, value: Number.NaN }] },
  ]);
  expect(text).toBe('# HELP x a\\\\b\\nc\n# TYPE x gauge\nx{path="a\\"b\\\\c\\nd"} NaN\n');
});

it('writes infinities as the format wants them', () => {
  const samples = [{ value: Number.POSITIVE_INFINITY }, { value: Number.NEGATIVE_INFINITY }];
  expect(formatMetrics([{ name: 'x', help: '', type: 'gauge', samples }])).toContain('x +Inf\nx -Inf\n');
});
