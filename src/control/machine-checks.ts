/** What the machine allows, as far as a busy proxy would miss it: looked at once, when it starts, and told with what to set. */
import { readFileSync } from 'node:fs';

/** As the listening sockets ask for (listening-sockets). */
const BACKLOG = 4_096;
/** Two thousand connections through the proxy. */
const DESCRIPTORS_MIN = 4_096;
/** Connections to one endpoint address at a time, those that linger in TIME-WAIT included. */
const LOCAL_PORTS_MIN = 20_000;

/** Reads a file below /proc/sys; undefined where there is none. */
export type ReadSetting = (name: string) => string | undefined;

/** Sentences for the operator; none: all is well. `descriptorLimit`: open files that this process may have. */
export function checkMachine(descriptorLimit: number, read: ReadSetting = readSetting): readonly string[] {
  const advice: string[] = [];
  if (descriptorLimit < DESCRIPTORS_MIN) {
    const clients = Math.floor(descriptorLimit / 2);
    advice.push(
      `at most ${descriptorLimit} files may be open, which is ${clients} connections at best; raise it (ulimit -n, LimitNOFILE=)`,
    );
  }
  const somaxconn = numberOf(read('net/core/somaxconn'));
  if (somaxconn !== undefined && somaxconn < BACKLOG) {
    advice.push(`only ${somaxconn} connections may wait to be accepted; set net.core.somaxconn=${BACKLOG}`);
  }
  if (read('net/ipv4/tcp_migrate_req')?.trim() === '0') {
    advice.push('connections that wait on a socket which closes are reset; set net.ipv4.tcp_migrate_req=1');
  }
  const [first, last] = (read('net/ipv4/ip_local_port_range') ?? '').trim().split(/\s+/).map(Number);
  if (first !== undefined && last !== undefined && last - first + 1 < LOCAL_PORTS_MIN) {
    advice.push(
      `only ${last - first + 1} ports are there for connections to endpoints; set net.ipv4.ip_local_port_range="10240 65535"`,
    );
  }
  return advice;
}

function numberOf(text: string | undefined): number | undefined {
  const value = Number(text?.trim());
  return text === undefined || !Number.isFinite(value) ? undefined : value;
}

function readSetting(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name}`, 'utf8');
  } catch {
    return undefined;
  }
}
