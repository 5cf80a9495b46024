import type { IpWords } from '../../core/ip-address.ts';
import type { RequestHead } from '../h1/request-head.ts';

/** What a route asks of a request besides host and path. Hot path: no allocation, no strings, no throw. */
export interface Condition {
  matches(bytes: Uint8Array, head: RequestHead, client: Readonly<IpWords>): boolean;
}
