import { describe, expect, test } from 'vitest';
import { ServerNames } from '../../../src/downstream/server-names.ts';

const names = new ServerNames([
  ['a.test', 'exact'],
  ['*.a.test', 'below a'],
  ['*.b.a.test', 'below b'],
  ['a.test', 'second'],
  ['*.test', 'below test'],
]);

describe('server names', () => {
  test.each([
    ['a.test', 'exact'],
    ['x.a.test', 'below a'],
    ['y.x.a.test', 'below a'],
    ['b.a.test', 'below a'],
    ['x.b.a.test', 'below b'],
    ['other.test', 'below test'],
    ['test', undefined],
    ['a.testing', undefined],
    ['xa.test', 'below test'],
    ['.a.test', 'below test'],
    ['', undefined],
  ])('%s is %s', (name, value) => {
    expect(names.find(name)).toBe(value);
  });
});
