import { expect, test } from 'vitest';
import * as engine from '../../src/engine/protocol.ts';
import * as line from '../../src/observe/access/line-protocol.ts';
import { readText } from './source-tree.ts';

/** `CONNECT_FAILED` to `kConnectFailed`. */
const cppName = (name: string): string =>
  `k${name.toLowerCase().replace(/(?:^|_)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())}`;
/** `TunnelEnd` to `tunnel_end`. */
const cppNamespace = (name: string): string => name.replace(/(?!^)([A-Z])/g, '_$1').toLowerCase();

/** All of a module as the header names it: `kEventWords`, `event::kAccepted`. */
function fromTypeScript(protocol: object): Map<string, number> {
  const values = new Map<string, number>();
  for (const [name, value] of Object.entries(protocol)) {
    if (typeof value === 'number') values.set(cppName(name), value);
    else
      for (const [key, number] of Object.entries(value as object))
        values.set(`${cppNamespace(name)}::${cppName(key)}`, number);
  }
  return values;
}

/** All constants of the header. Values are integers, names above them, and + - * << in brackets. */
function fromHeader(text: string): Map<string, number> {
  const values = new Map<string, number>();
  let space = '';
  for (const line of text.split('\n')) {
    const opened = /^namespace (\w+) \{/.exec(line)?.[1];
    if (opened && opened !== 'fourseven') space = `${opened}::`;
    if (/^\}\s*\/\/ namespace/.test(line)) space = '';
    const constant = /^constexpr u?int(?:32|64)_t (k\w+) = (.+);/.exec(line);
    if (constant) values.set(`${space}${constant[1]}`, evaluate(constant[2]!, values));
  }
  return values;
}

function evaluate(expression: string, known: ReadonlyMap<string, number>): number {
  const numbers = expression
    .replace(/\bk\w+/g, (name) => String(known.get(name) ?? 'unknown'))
    .replace(/(\d)(?:u|U|l|L|')+/g, '$1');
  if (!/^[\d\s()+*<-]+$/.test(numbers)) throw new Error(`cannot read "${expression}" in a header`);
  return new Function(`return (${numbers});`)() as number;
}

test.each([
  ['native/protocol.h', 'src/engine/protocol.ts', engine],
  ['native/line_protocol.h', 'src/observe/access/line-protocol.ts', line],
])('%s and %s hold the same numbers under the same names', (path, _, module) => {
  const header = fromHeader(readText(path));
  expect(header.size).toBeGreaterThan(0);
  expect(Object.fromEntries(header)).toEqual(Object.fromEntries(fromTypeScript(module)));
});

test('a number that differs is seen', () => {
  const header = fromHeader(
    'constexpr uint32_t kA = 1u << 3;\nnamespace event {\nconstexpr int32_t kB = (kA - 1) * 2;\n}  // namespace event\n',
  );
  expect([...header]).toEqual([
    ['kA', 8],
    ['event::kB', 14],
  ]);
});
