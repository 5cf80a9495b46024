/** Reads what is asked: which listener, which bytes, from where. */
import type { Config, HttpListenerConfig } from '../config/config.ts';
import { asciiBytes } from '../core/bytes.ts';
import { readIpAddress } from '../core/ip-address.ts';
import { ClientAddress } from '../downstream/client-address.ts';
import type { ExplainRequest } from './explanation.ts';

/** The question itself is wrong: there is nothing to explain. */
export class QuestionError extends Error {}

const URL_PARTS = /^(?:(https?):\/\/([^/?#]*))?(.*)$/s;
const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what would make two lines of one.
const CONTROL = /[\u0000-\u001f\u007f]/;

/** The head of the request, as a client would send it. */
export function headText(request: ExplainRequest): string {
  const { method = 'GET', url, headers = [] } = request;
  const [, , authority, rest = ''] = URL_PARTS.exec(url)!;
  const lines = Array.isArray(headers) ? headers : Object.entries(headers);
  if (!TOKEN.test(method)) throw new QuestionError(`${JSON.stringify(method)} is not a method`);
  if (authority === undefined && !/^[/*]/.test(url)) {
    throw new QuestionError(`${JSON.stringify(url)} is not a URL; write http://host/path or /path`);
  }
  if (/[^!-~]/.test(rest))
    throw new QuestionError(`${JSON.stringify(url)} has characters that no request line may have`);
  for (const [name, value] of lines) {
    if (!TOKEN.test(name) || CONTROL.test(value))
      throw new QuestionError(`${JSON.stringify(`${name}: ${value}`)} is not a header field`);
  }
  const namesHost = lines.some(([name]) => name.toLowerCase() === 'host');
  const host = namesHost ? [] : [['Host', authority ?? 'localhost'] as const];
  const target = rest === '' || rest.startsWith('?') ? `/${rest}` : rest;
  const fields = [...host, ...lines].map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${fields.join('')}\r\n`;
}

export function findListener(config: Config, { listener: name, url }: ExplainRequest): HttpListenerConfig {
  const listeners = config.listeners.filter((listener) => listener.protocol === 'http');
  if (name !== undefined) {
    const named = listeners.find((listener) => listener.name === name);
    if (named === undefined) throw new QuestionError(`there is no http listener ${JSON.stringify(name)}`);
    return named;
  }
  const [, scheme = 'http', authority = ''] = URL_PARTS.exec(url)!;
  const port = Number(/:([0-9]+)$/.exec(authority)?.[1] ?? (scheme === 'https' ? 443 : 80));
  const found = listeners.find(({ address }) => address.family !== 'unix' && address.port === port) ?? listeners[0];
  if (found === undefined) throw new QuestionError('the configuration has no http listener');
  return found;
}

export function sourceAddress(text: string): ClientAddress {
  const client = new ClientAddress();
  if (text === 'unix' || readIpAddress(asciiBytes(text), 0, text.length, client)) return client;
  throw new QuestionError(`${JSON.stringify(text)} is not an address; write it as in 10.0.0.1 or 2001:db8::1`);
}
