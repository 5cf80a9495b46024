import { type EndpointAddress, formatAddress, parseAddress, type SocketAddress } from '../core/address.ts';
import { quote } from './quote.ts';
import { type Fault, isFault, type Reading } from './reading.ts';

const FORMS = 'write host:port, [v6]:port or unix:/path';
/** A host name has at most 253 characters, a unix path 107. */
const ADDRESS_MAX_LENGTH = 300;

/** Reads where to accept connections. Port 0 lets the kernel choose. A name is not an address: only `localhost` is known. */
export function readListenAddress(text: string): Reading<SocketAddress> {
  const bare = /^(\*|):([0-9]+)$/.exec(text);
  if (bare !== null) {
    return {
      cause: `${quote(text)} has no host`,
      remedy: `write 0.0.0.0:${bare[2]} for every IPv4 address of this machine`,
    };
  }
  const reading = readAddress(text);
  if (isFault(reading)) return reading;
  const address = reading.value;
  if (address.family !== 'name') return { value: address };
  // RFC 6761 section 6.3: localhost is the loopback, whatever a resolver says.
  if (address.host === 'localhost') return { value: { family: 4, host: '127.0.0.1', port: address.port } };
  return {
    cause: `${quote(text)} has a host name, and a listener needs an address of this machine`,
    remedy: `write 0.0.0.0:${address.port} for all of its IPv4 addresses, or one of them`,
  };
}

/** Reads where an endpoint is. A host name is resolved later. */
export function readEndpointAddress(text: string): Reading<EndpointAddress> {
  if (/^[a-z]+:\/\//i.test(text)) {
    return { cause: `${quote(text)} is a URL`, remedy: `${FORMS}, without the scheme and the path` };
  }
  const reading = readAddress(text);
  if (isFault(reading)) return reading;
  if (reading.value.family !== 'unix' && reading.value.port === 0) {
    return {
      cause: `${quote(text)} has port 0, and nobody can be reached there`,
      remedy: 'write a port from 1 to 65535',
    };
  }
  return reading;
}

function readAddress(text: string): Reading<EndpointAddress> {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
  if (/[\u0000-\u001f\u007f]/.test(text)) return { cause: `${quote(text)} has control characters`, remedy: FORMS };
  if (text.length > ADDRESS_MAX_LENGTH) return { cause: `${quote(text)} is too long for an address`, remedy: FORMS };
  const parsed = parseAddress(text);
  if (typeof parsed === 'string') return faultOf(text, parsed);
  return { value: canonical(parsed) };
}

/** `parseAddress` says in one sentence what is wrong, and at times what to write. */
function faultOf(text: string, sentence: string): Fault {
  const cut = sentence.indexOf('; write ');
  if (cut >= 0) return { cause: sentence.slice(0, cut), remedy: sentence.slice(cut + '; '.length) };
  if (sentence.startsWith('write ')) return { cause: `${quote(text)} is not an address`, remedy: sentence };
  return { cause: sentence, remedy: FORMS };
}

/** One address, one text: IPv6 in the form of RFC 5952, names in lower case without the trailing dot. */
function canonical(address: EndpointAddress): EndpointAddress {
  if (address.family === 'name') return { ...address, host: address.host.replace(/\.$/, '') };
  if (address.family !== 6 || address.host.includes('%')) return address;
  return { ...address, host: new URL(`http://[${address.host}]`).hostname.slice(1, -1) };
}

/** Whether a socket on `a` and one on `b` are for the same connections: the same address, or one that contains the other. */
export function addressesOverlap(a: SocketAddress, b: SocketAddress): boolean {
  if (a.family === 'unix' || b.family === 'unix') return formatAddress(a) === formatAddress(b);
  if (a.port !== b.port || a.port === 0 || a.family !== b.family) return false;
  const every = a.family === 4 ? '0.0.0.0' : '::';
  return a.host === b.host || a.host === every || b.host === every;
}
