/** A network namespace with one address, reached over a veth pair; needs root, iproute2 and nftables. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Of TEST-NET-2 (RFC 5737), which is nobody's. */
const OUTSIDE = '198.51.100.1';
const INSIDE = '198.51.100.2';
const PREFIX = '/30';

export class NetworkNamespace {
  static #count = 0;
  readonly name = `f7-${process.pid}-${NetworkNamespace.#count++}`;
  readonly host = INSIDE;
  readonly #outside = `f7o${process.pid}`;

  /** Whether this machine lets us; says why not. */
  static get isPossible(): boolean {
    try {
      execFileSync('ip', ['netns', 'add', 'f7-probe'], { stdio: 'pipe' });
      execFileSync('ip', ['netns', 'delete', 'f7-probe'], { stdio: 'pipe' });
      execFileSync('nft', ['--version'], { stdio: 'pipe' });
      return true;
    } catch (error) {
      console.warn(`no network namespace here (root, iproute2 and nftables are needed): ${(error as Error).message}`);
      return false;
    }
  }

  constructor() {
    sweep();
    const inside = 'inside';
    ip('netns', 'add', this.name);
    ip('link', 'add', this.#outside, 'type', 'veth', 'peer', 'name', inside, 'netns', this.name);
    ip('address', 'add', `${OUTSIDE}${PREFIX}`, 'dev', this.#outside);
    ip('link', 'set', this.#outside, 'up');
    ip('-netns', this.name, 'address', 'add', `${INSIDE}${PREFIX}`, 'dev', inside);
    ip('-netns', this.name, 'link', 'set', inside, 'up');
    ip('-netns', this.name, 'link', 'set', 'lo', 'up');
  }

  /** From now on nothing comes in, and nobody is told. Connections that are asked for at `port` are counted. */
  blackhole(port: number): void {
    this.#nft(`add table inet hole
add counter inet hole attempts
add chain inet hole input { type filter hook input priority 0; policy drop; }
add rule inet hole input tcp dport ${port} tcp flags & (syn | ack) == syn counter name attempts drop`);
  }

  /** Connections that were asked for since the blackhole, repeated packets included. */
  attempts(): number {
    return Number(/packets (\d+)/.exec(this.#nft('list counter inet hole attempts'))![1]);
  }

  remove(): void {
    // Not left to the end of the namespace, which waits for the last of its sockets.
    ip('link', 'delete', this.#outside);
    ip('netns', 'delete', this.name);
  }

  #nft(text: string): string {
    const command = ['netns', 'exec', this.name, 'nft', '-f', '-'];
    return execFileSync('ip', command, { input: text, encoding: 'utf8' });
  }
}

function ip(...args: readonly string[]): string {
  return execFileSync('ip', args, { stdio: 'pipe', encoding: 'utf8' });
}

/** Takes away what test processes left that were killed: their address would be ours. */
function sweep(): void {
  const isGone = (pid: string | undefined) => pid !== undefined && !existsSync(`/proc/${pid}`);
  for (const line of ip('-o', 'link').split('\n')) {
    const [, link, pid] = /(f7o(\d+))@/.exec(line) ?? [];
    if (isGone(pid)) ip('link', 'delete', link!);
  }
  for (const line of ip('netns', 'list').split('\n')) {
    const [name, pid] = /^f7-(\d+)-\d+/.exec(line) ?? [];
    if (isGone(pid)) ip('netns', 'delete', name!);
  }
}
