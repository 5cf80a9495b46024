import type { Child, ChildProcesses } from '../../child-processes.ts';
import { bodyOf } from '../../origin/bodies.ts';
import { freePorts } from '../../ports.ts';
import type { BodySize } from '../../vocabulary.ts';
import { compile } from '../compile.ts';
import type { LoadResult } from '../load.ts';

/** WebSocket messages: the endpoint that echoes them, and the load. Compiled and started when first asked for. */
export class Messages {
  readonly #children: ChildProcesses;
  readonly #directory: string;
  #endpoint: Promise<{ program: string; port: number; child: Child }> | undefined;

  constructor(children: ChildProcesses, directory: string) {
    this.#children = children;
    this.#directory = directory;
  }

  /** Where the endpoint listens, on 127.0.0.1. Throws where it cannot be built. */
  async port(): Promise<number> {
    return (await this.#started()).port;
  }

  /** Has each connection send a message, wait until it is back, and send the next one. A message and its echo count as one request. */
  async run(target: { port: number; connections: number; size: BodySize; seconds: number }): Promise<LoadResult> {
    const { program } = await this.#started();
    const { port, connections, size, seconds } = target;
    const command = [program, 'load', ...[port, connections, bodyOf(size).length, seconds].map(String)];
    const { code, child } = await this.#children.run('messages', command, 'load core');
    if (code !== 0) throw new Error(`the load of messages did not finish:\n${child.stderr}`);
    return parseMessagesOutput(child.stdout);
  }

  #started() {
    this.#endpoint ??= this.#start();
    return this.#endpoint;
  }

  async #start() {
    const program = await compile(this.#children, 'bench/load/messages/messages.cc', this.#directory);
    const [port = 0] = await freePorts(1);
    const child = this.#children.start('messages endpoint', [program, 'serve', String(port)], 'load core');
    await child.waitForPort(port);
    return { program, port, child };
  }
}

/** Reads the line that messages.cc prints. Throws on anything else. */
export function parseMessagesOutput(output: string): LoadResult {
  const said = JSON.parse(output) as { messages: number; elapsedUs: number; problem: string };
  return {
    requests: said.messages,
    seconds: said.elapsedUs / 1_000_000,
    problems: said.problem === '' ? [] : [said.problem],
  };
}
