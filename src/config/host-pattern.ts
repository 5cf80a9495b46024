import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { quote } from './quote.ts';
import type { Reading } from './reading.ts';

/** RFC 1035 section 2.3.4. */
const HOST_MAX_LENGTH = 253;
const PORT_MAX = 65_535;
const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;

/**
 * Reads what a route says of the Host header: `a.b`, `*.a.b` (one or more labels before), an IPv4 address or `[v6]`. Gives it as requests
 * are compared: lower case, without a trailing dot.
 */
export function readHostPattern(text: string): Reading<string> {
  const host = text.toLowerCase().replace(/\.$/, '');
  if (host === '*' || host === '*.') {
    return { cause: `${quote(text)} would match every host`, remedy: 'leave out `hosts` to match every host' };
  }
  if (isIP(host) === 6) return { cause: `${quote(text)} has no brackets`, remedy: `write [${host}]` };
  if (host.startsWith('[') && host.endsWith(']') && isIP(host.slice(1, -1)) === 6) return { value: host };
  return readName(text, host);
}

function readName(text: string, host: string): Reading<string> {
  const port = /:[0-9]*$/.exec(host);
  if (port !== null) {
    return {
      cause: `${quote(text)} has a port`,
      remedy: `write ${host.slice(0, port.index)}: the port of a request is ignored`,
    };
  }
  const scheme = /^[a-z]+:\/\//.exec(host);
  if (scheme !== null)
    return { cause: `${quote(text)} is a URL`, remedy: 'write the host name alone, as in example.com' };
  const name = host.startsWith('*.') ? host.slice(2) : host;
  if (name.includes('*')) {
    return {
      cause: `${quote(text)} has a * inside`,
      remedy: 'write * only as the whole first label, as in *.example.com',
    };
  }
  if (host.length <= HOST_MAX_LENGTH && name.split('.').every((label) => LABEL.test(label))) return { value: host };
  return { cause: `${quote(text)} is not a host name`, remedy: remedyForName(name, host) };
}

function remedyForName(name: string, host: string): string {
  // Clients send internationalised names in their ASCII form (RFC 5891 section 4.4).
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the test is for anything beyond ASCII.
  const ascii = /[^\u0000-\u007f]/.test(name) ? domainToASCII(name) : '';
  if (ascii !== '') return `write ${host.slice(0, host.length - name.length)}${ascii}, as clients send it`;
  return 'write labels of letters, digits, - and _ joined by dots, as in api.example.com or *.example.com';
}

/** Reads a host to send requests or clients to: `name` or `[v6]`. As written, in lower case. */
export function readHostName(text: string): Reading<string> {
  const reading = readHostPattern(text);
  if ('cause' in reading || !reading.value.startsWith('*')) return reading;
  return { cause: `${quote(text)} has a *`, remedy: 'write one host' };
}

/** As `readHostName`, with a port where one is wanted: what stands in Host. */
export function readAuthority(text: string): Reading<string> {
  const [, host = text, port] = /^(.*?):([0-9]{1,5})$/s.exec(text) ?? [];
  if (port === undefined || isIP(text) === 6) return readHostName(text);
  const reading = readHostName(host);
  if ('cause' in reading) return reading;
  if (Number(port) >= 1 && Number(port) <= PORT_MAX) return { value: `${reading.value}:${Number(port)}` };
  return {
    cause: `${quote(text)} has no port from 1 to ${PORT_MAX}`,
    remedy: `write ${reading.value}, or another port`,
  };
}
