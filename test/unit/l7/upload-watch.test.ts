import { beforeEach, expect, test } from 'vitest';
import { BODY_RATE_WINDOW_MS, type Upload, UploadWatch } from '../../../src/l7/upload-watch.ts';

const RATE = 1024;
const ENOUGH = (RATE * BODY_RATE_WINDOW_MS) / 1000;

let nowMs: number;
/** What the engine has received of the one upload; -1 while it is not read. */
let received: number;
let cut: number;
let watch: UploadWatch;
let upload: Upload;

beforeEach(() => {
  nowMs = 1000;
  received = 0;
  cut = 0;
  watch = new UploadWatch(
    { progress: () => received },
    () => {},
    () => nowMs,
  );
  watch.bytesPerSecond = RATE;
  upload = { downstream: 1, windowStartMs: 0, windowBytes: 0, onTooSlow: () => cut++ };
  watch.begin(upload);
});

function pass(bytes: number, ms = BODY_RATE_WINDOW_MS): void {
  received += bytes;
  nowMs += ms;
  watch.look();
}

test('cuts who drips, at the end of the first window and not before', () => {
  pass(10, BODY_RATE_WINDOW_MS - 1);
  expect(cut).toBe(0);
  pass(0, 1);
  expect(cut).toBe(1);
});

test('lets go on who keeps the rate in every window', () => {
  for (let window = 0; window < 10; window++) pass(ENOUGH);
  expect(cut).toBe(0);
  pass(ENOUGH - 1);
  expect(cut).toBe(1);
});

test('leaves a window without a byte to the idle deadline', () => {
  pass(0);
  pass(0);
  expect(cut).toBe(0);
});

test('blames nobody who is not read, nor for the window after that', () => {
  pass(1, BODY_RATE_WINDOW_MS - 1);
  const before = received;
  received = -1;
  pass(0, 1);
  received = before;
  pass(1);
  expect(cut).toBe(0);
  pass(1);
  expect(cut).toBe(1);
});

test('forgets an upload that has ended, and watches none where any rate will do', () => {
  watch.end(upload);
  pass(1);
  watch.bytesPerSecond = 0;
  watch.begin(upload);
  pass(1);
  expect(cut).toBe(0);
});
