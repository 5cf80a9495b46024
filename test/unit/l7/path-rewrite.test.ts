import { describe, expect, test } from 'vitest';
import { Dispatcher } from '../../../src/engine/dispatcher.ts';
import { PaperEngine } from '../../../src/explain/paper-engine.ts';
import { PathRewrite } from '../../../src/l7/path-rewrite.ts';

function rewritten(match: string | undefined, to: string, path: string): string {
  const engine = new PaperEngine();
  const { commands, scratch } = new Dispatcher(engine);
  Buffer.from(engine.slab.buffer).write(path, 100, 'latin1');
  const rewrite = new PathRewrite(to, { path: match });
  commands.beginSend(1, 0, 0);
  rewrite.write(commands, scratch, 100, 100 + path.length);
  commands.endSend();
  commands.flush();
  return engine.sent;
}

describe('a path in place of', () => {
  test.each([
    ['/foo/*', '/xyz', '/foo/bar', '/xyz/bar'],
    ['/foo/*', '/xyz/', '/foo/bar', '/xyz/bar'],
    ['/foo/*', '/xyz', '/foo', '/xyz'],
    ['/foo/*', '/xyz/', '/foo', '/xyz/'],
    ['/foo/*', '/xyz', '/foo/', '/xyz/'],
    ['/foo/*', '/', '/foo/bar', '/bar'],
    ['/foo/*', '/', '/foo/', '/'],
    ['/foo/*', '/', '/foo', '/'],
    ['/*', '/xyz', '/', '/xyz/'],
    ['/*', '/xyz', '/foo', '/xyz/foo'],
  ])('the prefix %s: with %s, %s becomes %s', (match, to, path, result) => {
    expect(rewritten(match, to, path)).toBe(result);
  });

  test('nothing: all paths are below it', () => {
    expect(rewritten(undefined, '/base', '/foo')).toBe('/base/foo');
  });

  test('a whole exact path', () => {
    expect(rewritten('/foo', '/xyz/', '/foo')).toBe('/xyz/');
  });
});
