import { describe, expect, it } from 'vitest';
import { Progress } from '../../../bench/progress.ts';

function recorded(isTerminal: boolean) {
  const written: string[] = [];
  let nowMs = 1_000;
  const progress = new Progress(
    (text) => written.push(text),
    isTerminal,
    () => nowMs,
  );
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { progress, written, pass };
}

describe('the progress of a run', () => {
  it('says how much is done, and how long the rest takes at this pace', () => {
    const { progress, written, pass } = recorded(false);
    progress.say('nginx 1.22.1');
    progress.expect(4);
    pass(60_000);
    progress.step('one');
    progress.expect(2);
    pass(60_000);
    progress.step('two');
    pass(60_000);
    for (const step of ['three', 'four', 'five']) progress.step(step);
    pass(10_000);
    progress.step('six');
    progress.end();
    expect(written).toEqual([
      'nginx 1.22.1\n',
      '[25 %, 3 min left] one\n',
      '[33 %, 4 min left] two\n',
      '[50 %, 3 min left] three\n',
      '[66 %, 2 min left] four\n',
      '[83 %, 36 s left] five\n',
      '[100 %, 0 s left] six\n',
    ]);
  });

  it('writes one line again and again on a terminal, below those that stay', () => {
    const { progress, written, pass } = recorded(true);
    progress.expect(2);
    pass(1_000);
    progress.step('one');
    progress.say('a warning');
    progress.end();
    expect(written).toEqual(['\r\x1b[K██████████░░░░░░░░░░ 50 %, 1 s left · one', '\r\x1b[Ka warning\n', '\r\x1b[K']);
  });

  it('is not confused by more steps than were expected', () => {
    const { progress, written } = recorded(false);
    progress.expect(1);
    progress.step('one');
    progress.step('two');
    expect(written.at(-1)).toBe('[100 %, 0 s left] two\n');
  });
});
