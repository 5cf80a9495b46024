/** The command line. Everything that goes wrong ends as one line and an exit code; FOURSEVEN_DEBUG=1 adds the details. */
import { Command, CommanderError } from 'commander';
import { ADMIN_ADDRESS } from '../config/defaults.ts';
import { PRODUCT_VERSION } from '../control/product-version.ts';
import type { AdminTarget } from './admin-client.ts';
import type { CertOptions } from './cert.ts';
import { runCheck } from './check.ts';
import { runDemo } from './demo.ts';
import { ExitCode } from './exit-code.ts';
import type { ExplainOptions } from './explain.ts';
import { runEndpointAction, runReload, runUpgrade } from './operate.ts';
import { runRun } from './run.ts';
import { runStatus, type StatusOptions } from './status.ts';

const DEFAULT_FILE = 'without FILE: fourseven.yaml (.yml, .json, .ts, .mjs) in the working directory';

const ADMIN_OPTION = 'admin address of that proxy';
const TOKEN_OPTION = 'its admin token, where it asks for one; without this option FOURSEVEN_ADMIN_TOKEN';
const ENDPOINT_ACTIONS = {
  drain: 'take an endpoint out: no new work, but what its own clients bring',
  disable: 'take an endpoint out at once: no new work at all',
  enable: 'put an endpoint back',
} as const;

function makeProgram(finish: (code: number) => void): Command {
  const program = new Command('fourseven')
    .description('An edge proxy and load balancer for Layer 4 and Layer 7.')
    .version(PRODUCT_VERSION)
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError('(fourseven --help tells what there is)');
  program
    .command('run')
    .argument('[file]', DEFAULT_FILE)
    .option('--watch', 'reload the file whenever it changes', false)
    .option('--pid-file <path>', 'write the number of the process there once it accepts')
    .description(
      'run the proxy in the foreground; SIGHUP reloads the file, SIGUSR1 opens logs anew, SIGUSR2 upgrades, SIGTERM or Ctrl-C drains and ends it',
    )
    .action(async (file: string | undefined, options: { watch: boolean; pidFile?: string }) =>
      finish(await runRun(file, options)),
    );
  program
    .command('check')
    .argument('[file]', DEFAULT_FILE)
    .description('check a configuration and print everything that is wrong with it')
    .action(async (file?: string) => finish(await runCheck(file, { cwd: process.cwd(), stdout: process.stdout })));
  program
    .command('explain')
    .argument('<file>', 'the configuration')
    .argument('<method>', 'as in GET')
    .argument('<url>', 'http://host:port/path?query, or /path')
    .option(
      '-H, --header <line>',
      "a header field, 'name: value'; may be repeated",
      (line, lines: string[]) => [...lines, line],
      [],
    )
    .option('--source <address>', 'address of the client', '127.0.0.1')
    .option('--listener <name>', 'which listener; without it the one on the port of the URL, or the first')
    .option('--json', 'print the answer as JSON', false)
    .description('say which route a request takes and why, and what an endpoint would see')
    .action(async (file: string, method: string, url: string, options: ExplainOptions) => {
      // Loaded on demand: it brings parts of the data plane with it.
      const { runExplain } = await import('./explain.ts');
      finish(await runExplain(file, method, url, options, { cwd: process.cwd(), stdout: process.stdout }));
    });
  program
    .command('cert')
    .argument('[names...]', 'host names and addresses it is for; without any: localhost')
    .option('--days <number>', 'how long it is valid', '90')
    .option('--out <directory>', 'write cert.pem and key.pem there instead of printing both')
    .description('make a self-signed certificate with its key, for local use')
    .action(async (names: string[], options: CertOptions) => {
      const { runCert } = await import('./cert.ts');
      const { stdout, stderr } = process;
      finish(await runCert(names, options, { cwd: process.cwd(), stdout, stderr }));
    });
  program
    .command('demo')
    .description('run a proxy with three small endpoints behind it, to try')
    .action(async () => finish(await runDemo()));
  program
    .command('status')
    .description('show the state of a running proxy')
    .option('--admin <address>', ADMIN_OPTION, ADMIN_ADDRESS)
    .option('--token <token>', TOKEN_OPTION)
    .option('--json', 'print the answer of the admin API as it is', false)
    .option('--watch', 'go on, with rates and latencies', false)
    .action(async (options: StatusOptions) => finish(await runStatus(options)));
  program
    .command('reload')
    .description('let a running proxy read its configuration anew')
    .option('--admin <address>', ADMIN_OPTION, ADMIN_ADDRESS)
    .option('--token <token>', TOKEN_OPTION)
    .action(async (options: AdminTarget) => finish(await runReload(options)));
  program
    .command('upgrade')
    .description('start a successor of a running proxy on the same sockets; the running one drains once it accepts')
    .option('--admin <address>', ADMIN_OPTION, ADMIN_ADDRESS)
    .option('--token <token>', TOKEN_OPTION)
    .action(async (options: AdminTarget) => finish(await runUpgrade(options)));
  for (const [action, description] of Object.entries(ENDPOINT_ACTIONS)) {
    const command = program
      .command(action)
      .argument('<endpoint>', 'CLUSTER/ADDRESS, as in api/10.0.0.1:9000')
      .description(description)
      .option('--admin <address>', ADMIN_OPTION, ADMIN_ADDRESS)
      .option('--token <token>', TOKEN_OPTION);
    if (action !== 'enable')
      command.option('--deadline <duration>', "what is left then is cut; without it the cluster's own");
    command.action(async (endpoint: string, options: AdminTarget & { deadline?: string }) =>
      finish(await runEndpointAction(action as keyof typeof ENDPOINT_ACTIONS, endpoint, options)),
    );
  }
  return program;
}

async function main(): Promise<void> {
  process.on('uncaughtException', fail);
  // Whoever read our output may have gone; the proxy goes on.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  try {
    await makeProgram((code) => process.exit(code)).parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) return fail(error);
    // Help and version that were asked for are no error; commander has printed what there is to say.
    process.exit(error.exitCode === 0 ? ExitCode.FINE : ExitCode.USAGE);
  }
}

function fail(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`fourseven: failed unexpectedly: ${message} (FOURSEVEN_DEBUG=1 shows more)\n`);
  if (process.env.FOURSEVEN_DEBUG === '1' && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exit(ExitCode.FAILED);
}

main();
