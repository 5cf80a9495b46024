/** What this process was handed when it started: by the proxy before it, or by a service manager (sd_listen_fds(3)). */
import { closeSync, writeSync } from 'node:fs';
import { formatAddress } from '../../core/address.ts';
import { type Addon, loadAddon } from '../../engine/binding.ts';
import type { EventLog } from '../event-log.ts';
import { type Handover, type InheritedListener, receiveHandover } from './handover.ts';
import { INHERITANCE_DESCRIPTOR, INHERITS_VARIABLE, READY_DESCRIPTOR } from './successor.ts';

const LISTEN_FIRST_DESCRIPTOR = 3;
/** As many as there may be listeners. */
const LISTEN_MAX_COUNT = 256;

export interface Inheritance {
  /** Undefined: nothing. */
  readonly handover: Handover | undefined;
  /** Tells whoever started this process that it accepts. */
  readonly sayReady: () => void;
}

/** Takes what there is, once; processes that this one starts do not find it. Throws ProxyError `upgrade_failed`. */
export function takeInheritance(log: EventLog, env: NodeJS.ProcessEnv = process.env): Inheritance {
  const isSuccessor = env[INHERITS_VARIABLE] !== undefined;
  const activated = activatedCount(env);
  const names = (env.LISTEN_FDNAMES ?? '').split(':');
  for (const name of [INHERITS_VARIABLE, 'LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES']) delete env[name];
  const { addon } = loadAddon();
  if (addon === undefined || (!isSuccessor && activated === 0)) return { handover: undefined, sayReady: () => {} };
  if (!isSuccessor) return { handover: activatedSockets(addon, activated, names, log), sayReady: () => {} };
  const handover = receiveHandover(addon, INHERITANCE_DESCRIPTOR);
  closeSync(INHERITANCE_DESCRIPTOR);
  return { handover, sayReady };
}

function sayReady(): void {
  try {
    writeSync(READY_DESCRIPTOR, 'ready\n');
    closeSync(READY_DESCRIPTOR);
  } catch {
    // The predecessor has gone meanwhile: there is nobody to tell.
  }
}

function activatedCount({ LISTEN_PID, LISTEN_FDS }: NodeJS.ProcessEnv): number {
  if (LISTEN_PID !== String(process.pid)) return 0;
  const count = Number(LISTEN_FDS);
  return Number.isInteger(count) && count > 0 ? Math.min(count, LISTEN_MAX_COUNT) : 0;
}

/** A socket is for the listener of its name (`FileDescriptorName=`), or the one with its address. All shards accept from it. */
function activatedSockets(addon: Addon, count: number, names: readonly string[], log: EventLog): Handover {
  const listeners: InheritedListener[] = [];
  for (let index = 0; index < count; index++) {
    const descriptor = LISTEN_FIRST_DESCRIPTOR + index;
    const address = readAddress(addon.listeningAddress(descriptor));
    if (address === undefined) {
      log.warn(`descriptor ${descriptor} of the service manager is no listening socket, and is not used`);
      continue;
    }
    listeners.push({ key: address, name: names[index], address, descriptors: [descriptor], isShared: true });
  }
  return { listeners, shardCount: 0, endpoints: [] };
}

/** `text`: family, port and host, with spaces between. */
function readAddress(text: string | undefined): string | undefined {
  const [, family, port, host = ''] = /^(\d) (-?\d+) (.*)$/s.exec(text ?? '') ?? [];
  if (family === undefined) return undefined;
  if (family === '0') return formatAddress({ family: 'unix', path: host });
  return formatAddress({ family: family === '6' ? 6 : 4, host, port: Number(port) });
}
