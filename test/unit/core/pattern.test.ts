import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asciiBytes } from '../../../src/core/bytes.ts';
import { compilePattern, type Pattern, patternFault } from '../../../src/core/pattern/pattern.ts';

function compiled(text: string): Pattern {
  const fault = patternFault(text);
  if (fault !== undefined) throw new Error(`${text}: ${fault.cause}`);
  return compilePattern(text);
}

/** The text stands amid other bytes, which must not matter. */
function matches(pattern: Pattern, text: string): boolean {
  return pattern.matches(asciiBytes(`ab${text}ab`), 2, 2 + text.length);
}

describe('a pattern', () => {
  test.each<[string, string[], string[]]>([
    ['a', ['a', 'xax'], ['', 'b']],
    ['^/v[12]/', ['/v1/', '/v2/x'], ['/v3/', 'x/v1/', '/v1']],
    ['\\.(png|jpe?g)$', ['/a.png', '.jpg', '.jpeg'], ['/a.pngx', '/apng', '.jpeeg']],
    ['^[^/]*$', ['', 'abc'], ['a/b']],
    ['^a{2,3}$', ['aa', 'aaa'], ['a', 'aaaa']],
    ['^(?:ab|c){2}$', ['abc', 'cc', 'abab'], ['ab', 'abcc']],
    ['^a{0}b$', ['b'], ['ab']],
    ['^(a|)+b', ['b', 'aab'], ['']],
    ['(a*)*$', ['', 'b'], []],
    ['^$', [''], ['a']],
    ['a|^$', ['', 'xa'], ['x']],
    ['x$|^y', ['ax', 'ya'], ['xa', 'ay']],
    ['^[\\w.-]+$', ['a_b.c-d'], ['a b', '']],
    ['^[]$|a', ['a'], ['b', '']],
    ['[a\\]-]', ['a', ']', '-'], ['b', '\\']],
    ['^\\x41[\\x30-\\x39]$', ['A0', 'A9'], ['a0', 'AA']],
    ['^\\D\\S\\W$', ['a! ', 'xx-'], ['1a-', 'aaa']],
    ['(?i)^/Teams/[a-c]', ['/tEAMS/B'], ['/teams/d']],
    ['^(?<id>\\d+)(?P<rest>x)$', ['12x'], ['x', '12']],
    ['^a+?b*?$', ['a', 'aab'], ['b']],
    ['a.c', ['abc', 'xa\xe9c'], ['ac', 'a\nc']],
  ])('%s matches what it says', (text, inside, outside) => {
    const pattern = compiled(text);
    expect(inside.filter((sample) => !matches(pattern, sample))).toEqual([]);
    expect(outside.filter((sample) => matches(pattern, sample))).toEqual([]);
  });

  test.each([
    ['', 'empty'],
    ['a'.repeat(1_025), '1025 characters'],
    ['é', 'printable ASCII'],
    ['(?=a)', 'looks around'],
    ['(?!a)b', 'looks around'],
    ['(?<=a)b', 'looks around'],
    ['(a)\\1', 'refers back'],
    ['\\bword', 'word boundary'],
    ['\\p{L}', 'unknown escape \\p'],
    ['a\\', 'unknown escape'],
    ['(a', '( without )'],
    ['a)', ') without ('],
    ['[a', '[ without ]'],
    ['[z-a]', 'range'],
    ['[\\d-z]', 'range'],
    ['a{2', '{ that is no repetition'],
    ['a{3,2}', '3 to 2 times'],
    ['a{1001}', 'more than 1000'],
    ['a**', 'two repetitions'],
    ['*a', 'nothing to repeat'],
    ['^*', 'repeats ^'],
    ['a]', ']'],
    ['(?s)a', 'unknown kind'],
    ['('.repeat(40) + ')'.repeat(40), 'groups within groups'],
    ['\\xg0', '\\x'],
  ])('%s is refused, and what to write is said', (text, cause) => {
    expect(patternFault(text)).toEqual({ cause: expect.stringContaining(cause), remedy: expect.stringMatching(/./) });
  });

  test.each(['a.{20}b', '(x|y)*x(x|y){15}$', '((a{100}){100}){100}', '(?:[a-z]{1,300}[0-9]){9}'])(
    '%s, which would need a table beyond measure, is refused soon',
    (text) => {
      expect(patternFault(text)).toMatchObject({ cause: expect.stringContaining('too complex') });
    },
  );

  test('reads a text in parts as it does in one', () => {
    const pattern = compiled('^ab, cd$');
    const bytes = asciiBytes('ab, cd');
    let state = pattern.read(pattern.start, bytes, 0, 2);
    state = pattern.read(state, bytes, 2, 4);
    for (const byte of bytes.subarray(4)) state = pattern.readByte(state, byte);
    expect(pattern.accepts(state)).toBe(true);
    expect(pattern.accepts(pattern.readByte(state, 0x41))).toBe(false);
  });

  test.each([
    ['^/users/\\d+$', '/users/'],
    ['^/a', '/a'],
    ['/a', ''],
    ['^/a|^/b', ''],
    ['^/a?b', '/'],
    ['(?i)^/a', '/'],
    ['^(/a)', ''],
  ])('%s begins with "%s" whatever it matches', (text, prefix) => {
    expect(compiled(text).literalPrefix).toBe(prefix);
  });

  test('on a text of 1 MiB, those that make others backtrack look at each byte once', () => {
    let reads = 0;
    const text = asciiBytes(`/${'a'.repeat(1024 * 1024)}!`);
    const counted = new Proxy(text, {
      get: (target, key) => {
        if (typeof key === 'string' && /^\d+$/.test(key)) reads++;
        return Reflect.get(target, key);
      },
    });
    for (const evil of ['(a+)+$', '^/(a|a)*$', '(a|aa)+$', '(.*a){10}x$', '^(([a-z])+.)+[A-Z]([a-z])+$', '^(/a*)*$']) {
      reads = 0;
      expect(compiled(evil).matches(counted, 0, text.length)).toBe(false);
      expect(reads).toBeLessThanOrEqual(text.length);
    }
  });

  test('agrees with RegExp for any pattern and text', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', '\\W', '^', '$', 'c', '1', '\\.', '[a-c1]');
    const piece = fc.tuple(atom, fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{1,3}', '{0,2}', '{2,}', '*?'));
    const leaf = piece.map(([part, repeat]) => (part === '^' || part === '$' ? part : part + repeat));
    const { expression } = fc.letrec<{ expression: string }>((tie) => ({
      expression: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        leaf,
        fc.array(tie('expression'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('')),
        fc.tuple(tie('expression'), tie('expression')).map(([one, two]) => `${one}|${two}`),
        fc.tuple(tie('expression'), fc.constantFrom('', '*', '+', '?', '{2}')).map(([part, r]) => `(${part})${r}`),
      ),
    }));
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', '.', ' '), maxLength: 8 });
    let compiledCount = 0;
    fc.assert(
      fc.property(expression, fc.array(text, { minLength: 5, maxLength: 5 }), (source, samples) => {
        const fault = patternFault(source);
        if (fault !== undefined) return expect(fault.cause).toContain('too complex');
        const pattern = compilePattern(source);
        compiledCount++;
        const native = new RegExp(source, 'u');
        for (const sample of samples) {
          expect([source, sample, matches(pattern, sample)]).toEqual([source, sample, native.test(sample)]);
        }
      }),
      { numRuns: 3000, seed: 47 },
    );
    expect(compiledCount).toBeGreaterThan(2900);
  });
});
