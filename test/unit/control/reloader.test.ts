import { beforeEach, describe, expect, it } from 'vitest';
import type { Config, ConfigInput } from '../../../src/config/config.ts';
import { type ConfigResult, validateConfig } from '../../../src/config/validate-config.ts';
import { Reloader } from '../../../src/control/reloader.ts';
import { ManualClock } from '../../../src/core/clock.ts';
import { ProxyError } from '../../../src/core/errors.ts';

const INPUT: ConfigInput = {
  listeners: { web: { address: '127.0.0.1:80', cluster: 'site' } },
  clusters: { site: { endpoints: ['10.0.0.1:80'] } },
};
const GOOD = validateConfig(INPUT);
const BAD = validateConfig({ ...INPUT, clusters: {} });

let lines: string[];
let loads: number;
/** What the file says. */
let file: ConfigResult;
let apply: (config: Config) => Promise<void>;

beforeEach(() => {
  lines = [];
  loads = 0;
  file = GOOD;
  apply = async () => {};
});

function make(): Reloader {
  const add = (text: string) => void lines.push(text);
  return new Reloader({
    load: async () => {
      loads++;
      return file;
    },
    apply: (config) => apply(config),
    log: { info: add, warn: add, error: add },
    clock: new ManualClock(0),
  });
}

describe('a reload', () => {
  it('counts the configurations that were in force', async () => {
    const reloader = make();
    expect(reloader.outcome).toEqual({ configVersion: 1, rejected: null });
    expect(await reloader.reload()).toEqual({ configVersion: 2, rejected: null });
    expect(lines).toEqual(['reload: configuration 2 is in force after 0 ms']);
  });

  it('changes nothing with a file that is wrong, says why, and remembers that until a good one comes', async () => {
    const reloader = make();
    file = BAD;
    apply = async () => expect.fail('a wrong configuration was put in force');
    const { configVersion, rejected } = await reloader.reload();
    expect(configVersion).toBe(1);
    expect(rejected).toMatchObject({ at: '1970-01-01T00:00:00.000Z' });
    expect(rejected!.problems.join()).toMatch(/clusters: there is no cluster; add one/);
    expect(lines.at(-1)).toBe('reload: configuration 1 stays in force');
    expect(reloader.outcome.rejected).toBe(rejected);
    file = GOOD;
    apply = async () => {};
    expect(await reloader.reload()).toEqual({ configVersion: 2, rejected: null });
  });

  it('says what cannot be had, a line each', async () => {
    const reloader = make();
    apply = async () => {
      throw new ProxyError('bind_failed', 'port 80 is in use\nport 81 is, too');
    };
    expect((await reloader.reload()).rejected?.problems).toEqual(['port 80 is in use', 'port 81 is, too']);
  });

  it('survives what nobody expected', async () => {
    const reloader = make();
    apply = async () => {
      throw new TypeError('a bug');
    };
    expect((await reloader.reload()).rejected?.problems).toEqual(['failed unexpectedly: a bug']);
    apply = async () => {};
    expect((await reloader.reload()).configVersion).toBe(2);
  });

  it('that is asked for again and again meanwhile is done once more, and no two run at a time', async () => {
    const reloader = make();
    let running = 0;
    let release = () => {};
    apply = async () => {
      expect(++running).toBe(1);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      running--;
    };
    const first = reloader.reload();
    await settled();
    const others = [reloader.reload(), reloader.reload(), reloader.reload()];
    release();
    expect((await first).configVersion).toBe(2);
    await settled();
    release();
    expect((await Promise.all(others)).map(({ configVersion }) => configVersion)).toEqual([3, 3, 3]);
    expect(loads).toBe(2);
  });
});

describe('a configuration that is there already', () => {
  const { config } = GOOD as { config: Config };

  it('waits for what runs, and throws what speaks against it', async () => {
    const reloader = make();
    const order: string[] = [];
    apply = async () => {
      order.push('begin');
      await settled();
      order.push('end');
    };
    await Promise.all([reloader.reload(), reloader.take(config), reloader.take(config)]);
    expect(order).toEqual(['begin', 'end', 'begin', 'end', 'begin', 'end']);
    expect(reloader.outcome.configVersion).toBe(4);
    apply = async () => {
      throw new ProxyError('bind_failed', 'port 80 is in use');
    };
    await expect(reloader.take(config)).rejects.toMatchObject({ code: 'bind_failed' });
    expect(reloader.outcome).toMatchObject({ configVersion: 4, rejected: { problems: ['port 80 is in use'] } });
  });
});

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
