/** What a route asks besides host and path, the cheapest first: all are asked until one says no. */
import type { RouteMatch } from '../../contract/plan.ts';
import { asciiBytes } from '../../core/bytes.ts';
import type { Cidr } from '../../core/cidr.ts';
import type { IpWords } from '../../core/ip-address.ts';
import { AddressRanges } from '../../downstream/address-ranges.ts';
import type { RequestHead } from '../h1/request-head.ts';
import type { Condition } from './condition.ts';
import { CookieCondition } from './cookie-condition.ts';
import { HeaderCondition } from './header-condition.ts';
import { QueryCondition } from './query-condition.ts';

const NO_CONDITIONS: readonly Condition[] = [];

/** Compiles the conditions of all routes of a plan: equal ones become one, which the processor then has at hand. */
export class ConditionCompiler {
  readonly #known = new Map<string, Condition>();

  compile(match: RouteMatch): readonly Condition[] {
    const { methods, sources, headers, cookies, query } = match;
    if ((methods ?? sources ?? headers ?? cookies ?? query) === undefined) return NO_CONDITIONS;
    return this.#compile(match);
  }

  #compile({ methods, sources, headers = [], cookies = [], query = [] }: RouteMatch): readonly Condition[] {
    return [
      ...(methods === undefined ? [] : [this.#make(MethodCondition, methods)]),
      ...(sources === undefined ? [] : [this.#make(SourceCondition, sources)]),
      ...headers.map((match) => this.#make(HeaderCondition, match)),
      ...cookies.map((match) => this.#make(CookieCondition, match)),
      ...query.map((match) => this.#make(QueryCondition, match)),
    ];
  }

  #make<T>(Kind: new (value: T) => Condition, value: T): Condition {
    const key = `${Kind.name} ${JSON.stringify(value)}`;
    const condition = this.#known.get(key) ?? new Kind(value);
    this.#known.set(key, condition);
    return condition;
  }
}

class MethodCondition implements Condition {
  readonly #methods: readonly Uint8Array[];

  constructor(methods: readonly string[]) {
    this.#methods = methods.map(asciiBytes);
  }

  matches(bytes: Uint8Array, head: RequestHead): boolean {
    for (const method of this.#methods) {
      if (method.length === head.methodEnd - head.methodStart && startsWith(bytes, head.methodStart, method))
        return true;
    }
    return false;
  }
}

class SourceCondition implements Condition {
  readonly #ranges: AddressRanges;

  constructor(sources: readonly Cidr[]) {
    this.#ranges = new AddressRanges(sources);
  }

  matches(_bytes: Uint8Array, _head: RequestHead, client: Readonly<IpWords>): boolean {
    return this.#ranges.has(client);
  }
}

function startsWith(bytes: Uint8Array, start: number, text: Uint8Array): boolean {
  for (let index = 0; index < text.length; index++) if (bytes[start + index] !== text[index]) return false;
  return true;
}
