import type { RouteMatch } from '../../../../src/contract/plan.ts';
import { asciiBytes } from '../../../../src/core/bytes.ts';
import { type Cidr, parseCidr } from '../../../../src/core/cidr.ts';
import { ClientAddress } from '../../../../src/downstream/client-address.ts';
import { RequestHead, TargetForm } from '../../../../src/l7/h1/request-head.ts';
import { parseRequestHead } from '../../../../src/l7/h1/request-parser.ts';
import { normalizePath, PATH_REFUSED } from '../../../../src/l7/path.ts';
import { compileRoutes, type Router } from '../../../../src/l7/routing/router.ts';

export interface Request {
  readonly method?: string;
  /** '' for none, which is HTTP/1.0. */
  readonly host?: string;
  readonly target?: string;
  readonly lines?: readonly string[];
  readonly client?: string;
}

const LIMITS = { headMaxBytes: 2 ** 21, headersMaxCount: 100, lineMaxBytes: 2 ** 21 };
const head = new RequestHead();

/** Asks as an exchange does: the head is parsed amid other bytes, which must not matter. */
export function ask(router: Router, request: Request): number {
  const { method = 'GET', host = 'h', target = '/', lines = [], client = '192.0.2.1' } = request;
  const hostLines = host === '' ? [] : [`Host: ${host}`];
  const version = host === '' ? '1.0' : '1.1';
  const text = [`${method} ${target} HTTP/${version}`, ...hostLines, ...lines, '', ''].join('\r\n');
  const bytes = asciiBytes(`a.b/${text}a.b${' '.repeat(text.length + 1)}`);
  const length = parseRequestHead(bytes, 4, 4 + text.length, LIMITS, head);
  if (length !== text.length) throw new Error(`refused: ${text}`);
  let { pathStart, pathEnd } = head;
  if (head.targetForm !== TargetForm.ASTERISK) {
    const out = 4 + text.length + 3;
    const written = normalizePath(bytes, pathStart, pathEnd, bytes, out);
    if (written === PATH_REFUSED) throw new Error(`path refused: ${target}`);
    if (written >= 0) [pathStart, pathEnd] = [out, out + written];
  }
  return router.match(bytes, head, pathStart, pathEnd, clientAt(client));
}

export function clientAt(text: string): ClientAddress {
  const client = new ClientAddress();
  if (text === 'unix') return client;
  const { family, words } = parseCidr(text) as Cidr;
  client.read(family, 1, Int32Array.from(words), 0);
  return client;
}

export function routerOf(...matches: readonly RouteMatch[]): Router {
  return compileRoutes(matches.map((match) => ({ match })));
}

export function ranges(...texts: readonly string[]): Cidr[] {
  return texts.map((text) => parseCidr(text) as Cidr);
}
