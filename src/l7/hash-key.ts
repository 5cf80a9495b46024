/**
 * What the hash policies go by: one number made of a part of the request. Compiled once per plan; nothing is copied or made a string. Hot path: no
 * allocation.
 */
import type { HashOn } from '../contract/plan.ts';
import { hashBytes, hashWord, mixHash } from '../core/hash.ts';
import type { Random } from '../core/random.ts';
import type { ClientAddress } from '../downstream/client-address.ts';
import type { RequestHead } from './h1/request-head.ts';
import { CookieCondition } from './routing/cookie-condition.ts';
import { HeaderCondition } from './routing/header-condition.ts';
import { QueryCondition } from './routing/query-condition.ts';
import type { ValueTest } from './routing/value-test.ts';

const SEED = 0x6b657973;
const TWO_POW_32 = 4_294_967_296;

export interface HashKey {
  /** Unsigned 32 bits. `bytes[pathStart, pathEnd)` is the path in normal form. */
  hashOf(bytes: Uint8Array, head: RequestHead, pathStart: number, pathEnd: number, client: ClientAddress): number;
}

/** `random` chooses for requests that lack the key: they spread, instead of all going to one endpoint. */
export function compileHashKey(hashOn: HashOn, random: Random): HashKey {
  switch (hashOn.kind) {
    case 'source':
      return { hashOf: (_bytes, _head, _start, _end, client) => client.hash() };
    case 'path':
      return { hashOf: (bytes, _head, start, end) => hashBytes(bytes, start, end, SEED) };
    default:
      return new FieldHashKey(hashOn.kind, hashOn.name, random);
  }
}

/** Takes the hash of a value instead of judging it: any will do. */
export class HashOfValue implements ValueTest {
  readonly start = SEED;
  /** Of the last value that was there. */
  hash = 0;

  read(from: number, bytes: Uint8Array, start: number, end: number): number {
    let hash = from;
    for (let at = start; at < end; at++) hash = hashWord(hash, bytes[at]!);
    return hash;
  }

  readByte(from: number, byte: number): number {
    return hashWord(from, byte);
  }

  accepts(state: number): boolean {
    this.hash = mixHash(state);
    return true;
  }
}

const CONDITIONS = { header: HeaderCondition, cookie: CookieCondition, query: QueryCondition } as const;

/** A header field, a cookie or a parameter, found as routes find it. */
class FieldHashKey implements HashKey {
  readonly #value = new HashOfValue();
  readonly #condition: HeaderCondition | CookieCondition | QueryCondition;
  readonly #random: Random;

  constructor(kind: keyof typeof CONDITIONS, name: string, random: Random) {
    this.#condition = new CONDITIONS[kind]({ name, present: true }, this.#value);
    this.#random = random;
  }

  hashOf(bytes: Uint8Array, head: RequestHead): number {
    return this.#condition.matches(bytes, head) ? this.#value.hash : this.#random.below(TWO_POW_32);
  }
}
