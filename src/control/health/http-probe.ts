import { type IncomingMessage, request as startRequest } from 'node:http';
import type { HttpCheckConfig } from '../../config/cluster-config.ts';
import { formatAddress, type SocketAddress } from '../../core/address.ts';
import { faultOf, type OpenConnection, type Probe, type Verdict } from './probe.ts';

const HEAD_MAX_BYTES = 16 * 1024;
/** As far as a text is looked for. */
const BODY_MAX_BYTES = 64 * 1024;
const USER_AGENT = 'fourseven-health-check';

/** Passed if the status is an expected one and the body, where one is asked for, contains the text. Redirects are not followed. */
export function httpProbe(check: HttpCheckConfig, open: OpenConnection): Probe {
  const text = check.body === undefined ? undefined : Buffer.from(check.body);
  return (target, settle) => {
    const request = startRequest({
      method: check.method,
      path: check.path,
      headers: {
        host: check.host ?? hostOf(target.address),
        'user-agent': USER_AGENT,
        accept: '*/*',
        connection: 'close',
      },
      createConnection: () => open(target, ['http/1.1']),
      maxHeaderSize: HEAD_MAX_BYTES,
    });
    request.on('response', (response) => {
      const status = response.statusCode ?? 0;
      if (!check.expect.some(({ from, to }) => from <= status && status <= to)) settle(`status ${status}`);
      else if (text === undefined) settle(undefined);
      else readBody(response, text, settle);
    });
    request.on('upgrade', (response) => settle(`status ${response.statusCode}`));
    request.on('error', (error) => settle(faultOf(error)));
    request.end();
    return () => request.destroy();
  };
}

function hostOf(address: SocketAddress): string {
  return address.family === 'unix' ? 'localhost' : formatAddress(address);
}

function readBody(response: IncomingMessage, text: Buffer, settle: (verdict: Verdict) => void): void {
  let seen = Buffer.alloc(0);
  let size = 0;
  response.on('data', (chunk: Buffer) => {
    // The text may lie across two chunks; what cannot be its beginning any more is not kept.
    seen = Buffer.concat([seen, chunk]);
    size += chunk.length;
    if (seen.includes(text)) settle(undefined);
    else if (size > BODY_MAX_BYTES) settle(`the first ${BODY_MAX_BYTES} bytes of the body do not contain the text`);
    else seen = seen.subarray(Math.max(0, seen.length - text.length));
  });
  response.on('end', () => settle('the body does not contain the text'));
  response.on('error', (error) => settle(faultOf(error)));
}
