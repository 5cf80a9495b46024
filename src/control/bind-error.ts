import { getSystemErrorName } from 'node:util';
import { ProxyError } from '../core/errors.ts';

/** `who` could not listen on `address`: one sentence with the cause and, where there is one, the remedy. `code` is the name of an errno. */
export function bindError(who: string, address: string, code: string): ProxyError {
  return new ProxyError('bind_failed', `cannot listen on ${address} (${who}): ${causeOf(code, address)}`);
}

/** `errno` as the kernel gives it, positive. */
export function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-errno);
  } catch {
    return `errno ${errno}`;
  }
}

function causeOf(code: string, address: string): string {
  const isUnix = address.startsWith('unix:');
  switch (code) {
    case 'EADDRINUSE':
      return isUnix
        ? 'another process is listening on it, or it is not a socket (EADDRINUSE); end that process or choose another path'
        : 'the port is in use (EADDRINUSE); end the process that uses it (`ss -ltnp` shows it) or choose another port';
    case 'EACCES':
    case 'EPERM':
      return isUnix
        ? `no permission to create the socket (${code}); choose a directory that this user may write to`
        : `no permission to use this port (${code}); use a port from 1024, give the service CAP_NET_BIND_SERVICE, or lower net.ipv4.ip_unprivileged_port_start`;
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address (EADDRNOTAVAIL); write 0.0.0.0 or [::] for all of its addresses';
    case 'EAFNOSUPPORT':
      return 'this machine does not support that kind of address (EAFNOSUPPORT)';
    case 'EMFILE':
    case 'ENFILE':
      return `the limit of open files is reached (${code}); raise it (ulimit -n)`;
    case 'ENOENT':
      return 'the directory of the socket does not exist (ENOENT)';
    default:
      return code;
  }
}
