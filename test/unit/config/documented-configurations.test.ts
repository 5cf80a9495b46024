/** Every whole configuration that a page shows is right, and so is what deploy/ has in it. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { validateConfig } from '../../../src/config/validate-config.ts';
import { METRICS } from '../../../src/observe/metric-catalog.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const pages = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
);

/** Those that have both listeners and clusters: the others are parts. */
function configurationsOf(page: string): { line: number; text: string }[] {
  const text = read(page);
  return [...text.matchAll(/^```yaml\n(.*?)^```$/gms)]
    .filter(([, block]) => /^listeners:/m.test(block!) && /^clusters:/m.test(block!))
    .map((match) => ({ line: text.slice(0, match.index).split('\n').length + 1, text: match[1]! }));
}

/** Findings of a text, files that it names left aside. */
function problemsOf(text: string): string[] {
  const result = validateConfig(parse(text, { merge: true }));
  return result.config === undefined ? result.problems.map(({ path, message }) => `${path}: ${message}`) : [];
}

const blocks = pages.flatMap((page) => configurationsOf(page).map((block) => ({ page, ...block })));

test.each(blocks)('the configuration in $page, line $line, is right', ({ text }) => {
  expect(problemsOf(text)).toEqual([]);
});

test('the pages have configurations at all', () => {
  expect(new Set(blocks.map(({ page }) => page))).toEqual(
    new Set(
      [
        'README.md',
        'docs/configuration.md',
        'docs/how-to.md',
        'docs/migration.md',
        'docs/tutorial.md',
        'docs/tls.md',
      ].filter((page) => configurationsOf(page).length > 0),
    ),
  );
  expect(blocks.length).toBeGreaterThan(15);
});

describe('deploy/kubernetes.yaml', () => {
  const documents = parseAllDocuments(read('deploy/kubernetes.yaml')).map((document) => document.toJS());
  const find = (kind: string) => documents.find((document) => document.kind === kind);

  test('has a configuration that is right', () => {
    expect(problemsOf(find('ConfigMap').data['fourseven.yaml'])).toEqual([]);
  });

  test('gives a drain its time', () => {
    const { drain } = parse(find('ConfigMap').data['fourseven.yaml']);
    const { terminationGracePeriodSeconds } = find('Deployment').spec.template.spec;
    expect(terminationGracePeriodSeconds).toBeGreaterThan(Number.parseInt(drain.deadline, 10));
  });

  test('asks the probes for paths that need no token, and names what it mounts', () => {
    const { containers, volumes } = find('Deployment').spec.template.spec;
    const [container] = containers;
    expect(container.readinessProbe.httpGet.path).toBe('/readyz');
    expect(container.livenessProbe.httpGet.path).toBe('/livez');
    const named = volumes.map(({ name }: { name: string }) => name);
    expect(container.volumeMounts.map(({ name }: { name: string }) => name)).toEqual(named);
    expect(find('PodDisruptionBudget').spec.selector).toEqual(
      find('Service').spec.selector && { matchLabels: find('Service').spec.selector },
    );
  });
});

describe('examples/monitoring', () => {
  const known = new Set(Object.keys(METRICS));

  test.each(['examples/monitoring/alerts.yaml', 'examples/monitoring/grafana-dashboard.json'])(
    '%s asks for metrics that there are',
    (file) => {
      const asked = [...read(file).matchAll(/\b((?:fourseven|process)_[a-z0-9_]+)\b/g)].map(([, name]) => name!);
      expect(asked.length).toBeGreaterThan(5);
      const unknown = asked.filter((name) => !known.has(name) && !known.has(name.replace(/_bucket$/, '')));
      expect(unknown).toEqual([]);
    },
  );

  const promtool = ['/usr/bin/promtool', process.env.PROMTOOL ?? ''].find((path) => existsSync(path));
  test.skipIf(promtool === undefined)('alerts.yaml is what promtool takes', () => {
    const { status, stderr } = spawnSync(promtool!, ['check', 'rules', 'examples/monitoring/alerts.yaml'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
  });
});

const analyze = '/usr/bin/systemd-analyze';
test.skipIf(!existsSync(analyze))('deploy/fourseven.service keeps to what systemd calls safe', () => {
  const { stdout } = spawnSync(analyze, ['security', '--offline=true', '--no-pager', 'deploy/fourseven.service'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  const exposure = Number(/exposure level for fourseven\.service: ([\d.]+)/.exec(stdout)?.[1]);
  expect(exposure).toBeLessThan(2.5);
});
