import { resolve } from 'node:path';
import { buildConfig } from './build-config.ts';
import type { Config } from './config.ts';
import { crossCheck } from './cross-checks.ts';
import { freezeDeep } from './freeze.ts';
import { loadTlsFiles, reloadTlsFiles } from './load-tls.ts';
import { loadToken } from './load-token.ts';
import { type Finding, formatPath, type Problem } from './problem.ts';
import { checkSchema } from './schema-findings.ts';
import { sketch } from './sketch.ts';

/** A configuration that may be used, or everything that is wrong with it. Warnings come either way. */
export type ConfigResult =
  | { readonly config: Config; readonly warnings: readonly Problem[] }
  | { readonly config?: undefined; readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] };

/** Says which line a finding is on; undefined where the source has no lines. */
export type Locate = (finding: Finding) => { readonly line: number; readonly column: number } | undefined;

/**
 * Checks a configuration given as an object (or anything else: it never throws), and fills in the defaults. Reports all problems at once,
 * in the order of the file where there is one.
 */
export function validateConfig(input: unknown, locate: Locate = () => undefined): ConfigResult {
  const { parsed, findings } = checkSchema(input);
  const all = [...findings, ...crossCheck(sketch(input))].map((finding) => toProblem(finding, locate)).sort(byPlace);
  const problems = all.filter((problem) => problem.severity === 'error');
  const warnings = all.filter((problem) => problem.severity === 'warning');
  return parsed === undefined || problems.length > 0
    ? { problems, warnings }
    : { config: buildConfig(parsed), warnings };
}

/** As `validateConfig`, with the files that the configuration names; relative ones begin in `base`. */
export async function checkConfig(
  input: unknown,
  base: string,
  locate: Locate = () => undefined,
): Promise<ConfigResult> {
  const result = validateConfig(input, locate);
  if (result.config === undefined) return result;
  const withToken = await loadToken(withLogsIn(base, result.config), base);
  const { config, findings } = await loadTlsFiles(withToken.config, base);
  const all = [
    ...result.warnings,
    ...[...withToken.findings, ...findings].map((finding) => toProblem(finding, locate)),
  ].sort(byPlace);
  const problems = all.filter((problem) => problem.severity === 'error');
  const warnings = all.filter((problem) => problem.severity === 'warning');
  return problems.length > 0 ? { problems, warnings } : { config: freezeDeep(config), warnings };
}

/** Files of access logs begin in `base`, as others do. */
function withLogsIn(base: string, config: Config): Config {
  if (config.listeners.every(({ accessLog }) => accessLog === undefined)) return config;
  const listeners = config.listeners.map((listener) => {
    const { accessLog } = listener;
    if (accessLog === undefined || accessLog.target === 'stdout') return listener;
    return { ...listener, accessLog: { ...accessLog, target: resolve(base, accessLog.target) } };
  });
  return { ...config, listeners };
}

/** A configuration in force, with its files as they are now. */
export async function recheckFiles(before: Config): Promise<ConfigResult> {
  const { config, findings } = await reloadTlsFiles(before);
  const all = findings.map((finding) => toProblem(finding, () => undefined));
  const problems = all.filter((problem) => problem.severity === 'error');
  const warnings = all.filter((problem) => problem.severity === 'warning');
  return problems.length > 0 ? { problems, warnings } : { config: freezeDeep(config), warnings };
}

export function toProblem(finding: Finding, locate: Locate): Problem {
  const { severity, path, cause, remedy } = finding;
  return { severity, path: formatPath(path), ...locate(finding), message: cause, remedy };
}

function byPlace(a: Problem, b: Problem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}
