import { expect, it } from 'vitest';
import { chooseEngine } from '../../../src/control/choose-engine.ts';
import type { Addon } from '../../../src/engine/binding.ts';

const ADDON = {} as Addon;
const loads = () => ({ addon: ADDON, reason: '' });
const fails = () => ({ addon: undefined, reason: 'it has not been built' });

it('takes the native engine where the addon loads', () => {
  expect(chooseEngine('auto', loads)).toEqual({ kind: 'native', addon: ADDON });
  expect(chooseEngine('native', loads)).toEqual({ kind: 'native', addon: ADDON });
});

it('falls back to the node engine, and says why and what to do in one line', () => {
  const { kind, addon, warning } = chooseEngine('auto', fails);
  expect([kind, addon]).toEqual(['node', undefined]);
  expect(warning).toMatch(/^running on the slower node engine.*it has not been built.*npm rebuild fourseven[^\n]*$/);
});

it('uses the addon for listening sockets also where the node engine is wanted', () => {
  expect(chooseEngine('node', loads)).toEqual({ kind: 'node', addon: ADDON });
  expect(chooseEngine('node', fails)).toEqual({ kind: 'node', addon: undefined });
});

it('refuses to start if the native engine is demanded and cannot be had', () => {
  expect(() => chooseEngine('native', fails)).toThrow(expect.objectContaining({ code: 'engine_unavailable' }));
});
