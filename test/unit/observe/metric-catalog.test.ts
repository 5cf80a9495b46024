import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { METRICS } from '../../../src/observe/metric-catalog.ts';

const REFERENCE = fileURLToPath(new URL('../../../docs/metrics.md', import.meta.url));

const HEAD = `# Metrics

\`GET /metrics\` of the admin API tells them as Prometheus text, or as OpenMetrics where \`Accept\` names it. All times are in seconds, all sizes in
bytes. Counters are exact over all shards and over their restarts, but for what a shard that crashed had counted since it was last asked
(at most 5 s). Histograms are kept in buckets at most a tenth of their value wide and are added up, never averaged.

Labels take their values from the configuration: nothing that a client sends becomes one. \`route\` is empty for requests that reached none, and in
the durations of a listener with more than 1,000 routes, which share one histogram. Over all labels, a request is counted once in
\`fourseven_http_requests_total\`: what was accepted is what was answered, what was aborted, and what is still in flight (\`fourseven_active\`).

This page is made from the code (\`npm run schema\`). An example of a dashboard and of alerts is in [examples/monitoring/](../examples/monitoring/).

| metric | type | labels | what |
|---|---|---|---|
`;

function reference(): string {
  const rows = Object.entries(METRICS).map(([name, { type, help, labels }]) => {
    return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`;
  });
  return `${HEAD}${rows.join('\n')}\n`;
}

describe('the metrics', () => {
  test('are the ones of the reference', async () => {
    await expect(reference()).toMatchFileSnapshot(REFERENCE);
  });

  test.each(Object.entries(METRICS))('%s is named as Prometheus wants it', (name, { type, help }) => {
    expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    if (type === 'histogram') expect(name).toMatch(/_seconds$/);
    expect(help).toMatch(/\.$/);
  });
});
