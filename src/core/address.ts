import { isIP } from 'node:net';

/** An address the kernel understands: numeric IP and port, or the path of a unix socket. */
export type SocketAddress =
  | { readonly family: 4 | 6; readonly host: string; readonly port: number }
  | { readonly family: 'unix'; readonly path: string };

/** An address as written: as above, or a host name that must be resolved first. */
export type EndpointAddress = SocketAddress | { readonly family: 'name'; readonly host: string; readonly port: number };

const PORT_MAX = 65_535;
/** sun_path holds 108 bytes with its terminating NUL (unix(7)). */
const UNIX_PATH_MAX_BYTES = 107;
/** A host name: labels of letters, digits, hyphens and underscores (RFC 1123 section 2.1; underscores occur in practice). */
const HOST_NAME = /^(?=.{1,253}$)(?!-)[a-zA-Z0-9_-]{1,63}(?<!-)(\.(?!-)[a-zA-Z0-9_-]{1,63}(?<!-))*\.?$/;

/**
 * Reads `host:port`, `[v6]:port` or `unix:/path`. Port 0 is allowed (the kernel chooses; for listeners only).
 * Returns a sentence that says what is wrong if it cannot be read; never throws.
 */
export function parseAddress(text: string): EndpointAddress | string {
  if (text.startsWith('unix:')) return parseUnixPath(text.slice('unix:'.length));
  const colon = text.lastIndexOf(':');
  if (colon < 0) return `"${text}" has no port; write host:port, [v6]:port or unix:/path`;
  const port = parsePort(text.slice(colon + 1));
  if (port === undefined) return `"${text.slice(colon + 1)}" is not a port (0 to ${PORT_MAX})`;
  return parseHost(text.slice(0, colon), port);
}

function parseUnixPath(path: string): SocketAddress | string {
  if (!path.startsWith('/')) return 'the path of a unix socket must be absolute, as in unix:/run/app.sock';
  if (Buffer.byteLength(path) > UNIX_PATH_MAX_BYTES) {
    return `the path of a unix socket may have at most ${UNIX_PATH_MAX_BYTES} bytes`;
  }
  return { family: 'unix', path };
}

function parsePort(text: string): number | undefined {
  if (!/^[0-9]{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port <= PORT_MAX ? port : undefined;
}

function parseHost(host: string, port: number): EndpointAddress | string {
  if (host.startsWith('[') && host.endsWith(']')) {
    const inner = host.slice(1, -1);
    return isIP(inner) === 6 ? { family: 6, host: inner, port } : `"${inner}" is not an IPv6 address`;
  }
  if (isIP(host) === 4) return { family: 4, host, port };
  if (host.includes(':')) return `write an IPv6 address in brackets, as in [${host}]:${port}`;
  // A name whose last label is a number would be read as an IPv4 address by resolvers (WHATWG URL section 3.5).
  if (/(^|\.)[0-9]+\.?$/.test(host)) return `"${host}" is neither an IPv4 address nor a host name`;
  if (!HOST_NAME.test(host)) return `"${host}" is not a host name`;
  return { family: 'name', host: host.toLowerCase(), port };
}

/** The text form, as `parseAddress` reads it. */
export function formatAddress(address: EndpointAddress): string {
  if (address.family === 'unix') return `unix:${address.path}`;
  return address.family === 6 ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
