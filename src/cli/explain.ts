import { relative, resolve } from 'node:path';
import { formatDuration } from '../config/duration.ts';
import { loadConfig } from '../config/load-config.ts';
import { formatProblems } from '../config/problem.ts';
import { printable } from '../config/quote.ts';
import { explainRequest } from '../explain/explain.ts';
import type { ExplainRequest, Explanation, Forwarded } from '../explain/explanation.ts';
import { QuestionError } from '../explain/question.ts';
import type { CheckIo } from './check.ts';
import { ExitCode, type ExitCodeValue } from './exit-code.ts';

/** As given on the command line. */
export interface ExplainOptions {
  /** `name: value` each. */
  readonly header: readonly string[];
  readonly source?: string;
  readonly listener?: string;
  readonly json: boolean;
}

/** Routes shown that do not take the request; the rest is counted. */
const ROUTES_SHOWN_MAX_COUNT = 50;

/** Prints what would become of a request. Resolves to the exit code: 1 if the configuration is wrong, 2 if the question is. */
export async function runExplain(
  file: string,
  method: string,
  url: string,
  options: ExplainOptions,
  io: CheckIo,
): Promise<ExitCodeValue> {
  const path = resolve(io.cwd, file);
  const result = await loadConfig(path);
  if (result.config === undefined) {
    io.stdout.write(formatProblems(result.problems, relative(io.cwd, path)));
    return ExitCode.CONFIG;
  }
  const { header, source, listener } = options;
  const request: ExplainRequest = {
    method,
    url,
    headers: header.map(splitHeader),
    ...(source !== undefined && { source }),
    ...(listener !== undefined && { listener }),
  };
  try {
    const explanation = explainRequest(result.config, request);
    io.stdout.write(options.json ? `${JSON.stringify(explanation, null, 2)}\n` : format(explanation));
    return ExitCode.FINE;
  } catch (error) {
    if (!(error instanceof QuestionError)) throw error;
    io.stdout.write(`${printable(error.message)}\n`);
    return ExitCode.USAGE;
  }
}

function splitHeader(line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(':');
  return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).trim()];
}

function format({ listener, client, route, routes, outcome }: Explanation): string {
  const lines = [`listener ${listener}, client ${client}`, ''];
  if (outcome.kind === 'refused') lines.push(`refused with ${outcome.status}: ${outcome.reason}`);
  else lines.push(`route ${route} ${outcome.kind === 'answered' ? `answers with ${outcome.status}` : 'forwards'}`);
  if (outcome.kind === 'answered') lines.push('', ...indent(outcome.response));
  if (outcome.kind === 'forwarded') lines.push('', ...indent(outcome.request), ...clusterLines(outcome));
  const others = routes.filter(({ takes }) => !takes);
  if (others.length > 0) lines.push('', 'not taken');
  for (const { name, reason } of others.slice(0, ROUTES_SHOWN_MAX_COUNT)) lines.push(`  ${name}: ${reason}`);
  if (others.length > ROUTES_SHOWN_MAX_COUNT) lines.push(`  and ${others.length - ROUTES_SHOWN_MAX_COUNT} more`);
  return lines.map((line) => `${printable(line)}\n`).join('');
}

function indent(text: string): string[] {
  return text
    .trimEnd()
    .split(/\r?\n/)
    .map((line) => `  ${line}`.trimEnd());
}

function clusterLines({ clusters, timeoutMs }: Forwarded): string[] {
  const total = clusters.reduce((sum, { weight }) => sum + weight, 0);
  const lines = clusters.flatMap(({ name, weight, policy, endpoints }) => {
    const share = clusters.length === 1 ? '' : `, ${weight} of ${total} requests`;
    return [
      `  cluster ${name} (${policy}${share})`,
      ...endpoints.map((endpoint) => `    ${endpoint.address}${weightText(endpoint.weight)}`),
    ];
  });
  return ['', `to, within ${formatDuration(timeoutMs)}`, ...lines];
}

function weightText(weight: number): string {
  return weight === 1 ? '' : ` (weight ${weight})`;
}
