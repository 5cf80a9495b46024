/** An HTTP client over TLS. Each request has a connection of its own, unless it is given one. */
import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import type { TLSSocket } from 'node:tls';

export interface SecureAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly protocol: string | null;
  readonly cipher: string;
  readonly isResumed: boolean;
}

export interface SecureAsk extends RequestOptions {
  readonly body?: string;
}

/** `servername` is what TLS asks for; Host is the same unless `headers` say otherwise. Rejects where no answer comes. */
export async function askSecurely(port: number, { body = '', ...options }: SecureAsk = {}): Promise<SecureAnswer> {
  const { servername = 'a.test', headers = {} } = options;
  const agent = options.agent ?? new Agent({ maxCachedSessions: 0 });
  const asked = request({
    host: '127.0.0.1',
    port,
    agent,
    timeout: 10_000,
    ...options,
    servername,
    headers: { host: servername, ...headers },
  });
  asked.once('timeout', () => asked.destroy(new Error('no answer in time')));
  asked.end(body);
  const [response] = await once(asked, 'response');
  const socket = response.socket as TLSSocket;
  const secure = {
    protocol: socket.getProtocol(),
    cipher: socket.getCipher().name,
    isResumed: socket.isSessionReused(),
  };
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    status: response.statusCode,
    headers: response.headers,
    text: Buffer.concat(chunks).toString('latin1'),
    ...secure,
  };
}
