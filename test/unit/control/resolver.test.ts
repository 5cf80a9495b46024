import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Lookup, Resolver } from '../../../src/control/resolver.ts';

/** Answers from a table that the test changes; a name that is not in it does not resolve. */
function tableLookup(table: Map<string, readonly string[]>): Lookup {
  return async (host) => {
    const addresses = table.get(host);
    if (addresses === undefined) throw Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
    return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };
}

function collectingLog() {
  const lines: string[] = [];
  const add = (text: string) => void lines.push(text);
  return { lines, info: add, warn: add, error: add };
}

const name = (host: string) => ({ family: 'name', host, port: 80 }) as const;

describe('resolving at the start', () => {
  it('gives all addresses of a name, in one order, each once', async () => {
    const lookup = tableLookup(new Map([['db', ['10.0.0.2', '::1', '10.0.0.1', '10.0.0.2']]]));
    const resolver = new Resolver({ log: collectingLog(), lookup });
    await resolver.resolveAll([{ host: 'db', cluster: 'a' }]);
    expect(resolver.addressesOf(name('db'))).toEqual([
      { family: 4, host: '10.0.0.1', port: 80 },
      { family: 4, host: '10.0.0.2', port: 80 },
      { family: 6, host: '::1', port: 80 },
    ]);
  });

  it('leaves numeric addresses and paths alone', () => {
    const resolver = new Resolver({ log: collectingLog(), lookup: tableLookup(new Map()) });
    expect(resolver.addressesOf({ family: 'unix', path: '/a' })).toEqual([{ family: 'unix', path: '/a' }]);
  });

  it('names every name that does not resolve, with its clusters and the reason', async () => {
    const resolver = new Resolver({ log: collectingLog(), lookup: tableLookup(new Map([['ok', ['10.0.0.1']]])) });
    const uses = [
      { host: 'ok', cluster: 'a' },
      { host: 'gone', cluster: 'a' },
      { host: 'gone', cluster: 'b' },
      { host: 'lost', cluster: 'c' },
    ];
    const error = await resolver.resolveAll(uses).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'name_unresolved' });
    expect(error.message).toMatch(/gone \(cluster a, b\).*ENOTFOUND.*lost \(cluster c\)/);
    expect(error.message).not.toContain('ok');
  });

  it('does not wait for ever', async () => {
    const lookup: Lookup = () => new Promise(() => {});
    const resolver = new Resolver({ log: collectingLog(), lookup, lookupTimeoutMs: 5 });
    await expect(resolver.resolveAll([{ host: 'db', cluster: 'a' }])).rejects.toThrow('no answer within 5 ms');
  });

  it('asks for many names a few at a time', async () => {
    let underway = 0;
    let most = 0;
    const lookup: Lookup = async () => {
      most = Math.max(most, ++underway);
      await new Promise((resolve) => setImmediate(resolve));
      underway -= 1;
      return [{ address: '10.0.0.1', family: 4 }];
    };
    const resolver = new Resolver({ log: collectingLog(), lookup });
    await resolver.resolveAll(Array.from({ length: 50 }, (_, index) => ({ host: `n${index}`, cluster: 'a' })));
    expect(most).toBe(3);
  });
});

describe('refreshing', () => {
  const table = new Map<string, readonly string[]>();
  const log = collectingLog();
  let resolver: Resolver;

  beforeEach(async () => {
    table.clear();
    log.lines.length = 0;
    table.set('db', ['10.0.0.1', '10.0.0.2']);
    resolver = new Resolver({ log, lookup: tableLookup(table), random: () => 0.5 });
    await resolver.resolveAll([{ host: 'db', cluster: 'a' }]);
  });

  it('tells a change of the set, not of its order', async () => {
    table.set('db', ['10.0.0.2', '10.0.0.1']);
    expect(await resolver.refresh()).toBe(false);
    table.set('db', ['10.0.0.2', '10.0.0.3']);
    expect(await resolver.refresh()).toBe(true);
    expect(resolver.addressesOf(name('db')).map((address) => 'host' in address && address.host)).toEqual([
      '10.0.0.2',
      '10.0.0.3',
    ]);
    expect(log.lines).toEqual(['the host name db now resolves to 10.0.0.2, 10.0.0.3']);
  });

  it('keeps the last known addresses of a name that stops resolving, and logs the outage once', async () => {
    const before = resolver.addressesOf(name('db'));
    table.delete('db');
    expect(await resolver.refresh()).toBe(false);
    expect(await resolver.refresh()).toBe(false);
    expect(resolver.addressesOf(name('db'))).toEqual(before);
    table.set('db', ['10.0.0.1', '10.0.0.2']);
    expect(await resolver.refresh()).toBe(false);
    expect(log.lines).toEqual([expect.stringContaining('db does not resolve'), 'the host name db resolves again']);
  });

  it('keeps the last known addresses when the answer is empty', async () => {
    table.set('db', []);
    expect(await resolver.refresh()).toBe(false);
    expect(resolver.addressesOf(name('db'))).toHaveLength(2);
  });

  it('does not ask again while a lookup hangs', async () => {
    let asked = 0;
    let hangs = false;
    const lookup: Lookup = () => {
      asked += 1;
      return hangs ? new Promise(() => {}) : Promise.resolve([{ address: '10.0.0.1', family: 4 }]);
    };
    const slow = new Resolver({ log, lookup, lookupTimeoutMs: 1 });
    await slow.resolveAll([{ host: 'db', cluster: 'a' }]);
    hangs = true;
    await slow.refresh();
    await slow.refresh();
    expect(asked).toBe(2);
  });
});

describe('refreshing in the background', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('happens every 30 s, tells changes, and ends with stop', async () => {
    vi.useFakeTimers();
    const table = new Map([['db', ['10.0.0.1']]]);
    const resolver = new Resolver({ log: collectingLog(), lookup: tableLookup(table), random: () => 0.5 });
    await resolver.resolveAll([{ host: 'db', cluster: 'a' }]);
    let changes = 0;
    resolver.start(() => {
      changes += 1;
    });
    table.set('db', ['10.0.0.2']);
    await vi.advanceTimersByTimeAsync(29_999);
    expect(changes).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(changes).toBe(1);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(changes).toBe(1);
    table.set('db', ['10.0.0.3']);
    resolver.stop();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(changes).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
