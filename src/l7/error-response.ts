/**
 * The only place that invents a response. One short text per status, prepared on the slab; it says what happened, and nothing about the
 * inside.
 */

import { ERRORS } from '../core/errors.ts';
import { STATUS_PHRASES } from '../core/status-phrases.ts';
import type { CommandWriter } from '../engine/command-writer.ts';
import type { Constant, Constants } from '../engine/constants.ts';

interface PreparedResponse {
  readonly head: Constant;
  readonly closingHead: Constant;
  readonly body: Constant;
}

export class ErrorResponses {
  readonly #byStatus = new Map<number, PreparedResponse>();

  constructor(constants: Constants) {
    for (const { status } of Object.values(ERRORS)) {
      if (status !== 0) this.#byStatus.set(status, prepare(constants, status));
    }
  }

  /**
   * Sends the whole response. `hasBody` false for HEAD: the length is said, the body left out (RFC 9110 section 9.3.2). Returns the bytes of the
   * body.
   */
  send(commands: CommandWriter, id: number, status: number, closes: boolean, hasBody: boolean): number {
    const response = this.#byStatus.get(status)!;
    const head = closes ? response.closingHead : response.head;
    commands.beginSend(id, 0, 0);
    commands.range(head.offset, head.length);
    if (hasBody) commands.range(response.body.offset, response.body.length);
    commands.endSend();
    return hasBody ? response.body.length : 0;
  }
}

function prepare(constants: Constants, status: number): PreparedResponse {
  const body = `${status} ${STATUS_PHRASES[status]}\n`;
  // CONNECT and a TRACE that ends here are what is refused; the rest is up to the endpoints (RFC 9110 sections 9.3.7 and 15.5.6 want the field).
  const allow = status === 405 || status === 200 ? 'Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n' : '';
  const head = `HTTP/1.1 ${status} ${STATUS_PHRASES[status]}\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n${allow}`;
  return {
    head: constants.intern(`${head}\r\n`),
    closingHead: constants.intern(`${head}Connection: close\r\n\r\n`),
    body: constants.intern(body),
  };
}
