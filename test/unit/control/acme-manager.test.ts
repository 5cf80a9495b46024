import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Config } from '../../../src/config/config.ts';
import { AcmeManager, type Issue } from '../../../src/control/acme/acme-manager.ts';
import { AcmeStore } from '../../../src/control/acme/acme-store.ts';
import { Authority } from '../../tls/authority.ts';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const NAMES = ['a.test', 'b.test'];

let storage: string;
let authority: Authority;
let issued: (readonly string[])[];
let failing: boolean;
let manager: AcmeManager;
let log: string[];
/** Of certificates that are issued. */
let days: number;

const issue: Issue = async (_config, names, store) => {
  issued.push(names);
  if (failing) throw new Error('the authority is closed');
  const { certificate, key } = await authority.sign({ names, days });
  await store.write(names, certificate, key);
};

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  storage = mkdtempSync(join(tmpdir(), 'fourseven-acme-'));
  authority = await Authority.create();
  issued = [];
  failing = false;
  days = 90;
  log = [];
  const note = (text: string) => void log.push(text);
  manager = new AcmeManager({
    host: { present: async () => {}, withdraw: async () => {} },
    log: { info: note, warn: note, error: note },
    issue,
  });
});

afterEach(() => {
  manager.stop();
  vi.useRealTimers();
  rmSync(storage, { recursive: true });
});

function wanting(...orders: (readonly string[])[]): Pick<Config, 'acme' | 'listeners'> {
  const certificates = orders.map((names) => ({ names, isIssued: true }));
  return {
    acme: {
      directory: 'https://ca.test/dir',
      storage,
      challenges: ['http-01'],
      renewBeforeMs: 30 * DAY_MS,
    },
    listeners: [{ tls: { certificates } }],
  } as unknown as Pick<Config, 'acme' | 'listeners'>;
}

/** Lets so much time pass, and what it brings happen. */
async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  await manager.settled();
}

describe('certificates that are issued', () => {
  test('are asked for once, where there are none', async () => {
    manager.apply(wanting(NAMES, ['c.test']));
    await pass(0);
    expect(issued).toEqual([NAMES, ['c.test']]);
    expect((await new AcmeStore(storage).read(NAMES))!.names).toEqual(NAMES);
    await pass(DAY_MS);
    expect(issued.length).toBe(2);
  });

  test('are renewed in time, and not before', async () => {
    manager.apply(wanting(NAMES));
    await pass(0);
    await pass(59 * DAY_MS);
    expect(issued.length).toBe(1);
    // A look each six hours.
    for (let looks = 0; looks < 6; looks++) await pass(DAY_MS / 4);
    expect(issued.length).toBe(2);
  });

  test('that live for days only are not renewed with each look', async () => {
    days = 6;
    manager.apply(wanting(NAMES));
    await pass(0);
    for (let looks = 0; looks < 8; looks++) await pass(DAY_MS / 4);
    expect(issued.length).toBe(1);
  });

  test('are asked for anew when the names are others', async () => {
    manager.apply(wanting(['a.test']));
    await pass(0);
    manager.apply(wanting(NAMES));
    await pass(0);
    expect(issued).toEqual([['a.test'], NAMES]);
  });

  test('that are refused are asked for again after a minute, then twice as long each time', async () => {
    failing = true;
    manager.apply(wanting(NAMES));
    await pass(0);
    expect(log.at(-1)).toContain('the authority is closed');
    // A reload that changes nothing does not hurry it.
    manager.apply(wanting(NAMES));
    await pass(0);
    expect(issued.length).toBe(1);
    await pass(MINUTE_MS);
    expect(issued.length).toBe(2);
    await pass(MINUTE_MS);
    expect(issued.length).toBe(2);
    failing = false;
    await pass(MINUTE_MS);
    expect(issued.length).toBe(3);
    expect((await new AcmeStore(storage).read(NAMES))!.names).toEqual(NAMES);
  });

  test('are not asked for where nothing wants them, or after the end', async () => {
    manager.apply(wanting());
    await pass(DAY_MS);
    manager.apply(wanting(NAMES));
    manager.stop();
    await pass(DAY_MS);
    expect(issued).toEqual([]);
  });
});
