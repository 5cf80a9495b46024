/** Bodies of requests that come slowly, or do not go anywhere. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BODY_RATE_WINDOW_MS } from '../../src/l7/upload-watch.ts';
import { HttpRig } from './http-rig.ts';
import { plainAnswer } from './origin-server.ts';
import { ENGINES } from './proxy-process.ts';

const BODY_MS = 1000;
/** For a deadline to be noticed and its answer to arrive, on a busy machine. */
const SLACK_MS = 2000;
const MIB = 1024 * 1024;

describe.each(ENGINES)('uploads with the %s engine', (engine) => {
  let rig: HttpRig;

  beforeAll(async () => {
    rig = await HttpRig.start(engine, () => ({
      listeners: {
        hasty: { address: '127.0.0.1:0', cluster: 'origin', timeouts: { body: `${BODY_MS}ms` } },
        patient: { address: '127.0.0.1:0', cluster: 'origin', limits: { bodyRate: 0 } },
      },
    }));
  });

  afterEach(() => rig.reset());
  afterAll(() => rig.stop());

  /** Sends a byte, or more, every so often, until the connection ends. */
  function drip(send: (text: string) => void, text: string, everyMs: number): () => void {
    const timer = setInterval(() => send(text), everyMs);
    return () => clearInterval(timer);
  }

  it.each([
    ['of known length', 'Content-Length: 100000', 'x'],
    ['in chunks', 'Transfer-Encoding: chunked', '1\r\nx\r\n'],
  ])('answers 408 to a body %s that drips, after the first window', async (_, framing, piece) => {
    const client = rig.client();
    const fromMs = performance.now();
    client.send(`POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`);
    const stop = drip((text) => client.send(text), piece, 100);
    const answer = await client.answer({ ms: BODY_RATE_WINDOW_MS + SLACK_MS });
    stop();
    expect(answer.status).toBe(408);
    expect(performance.now() - fromMs).toBeGreaterThan(BODY_RATE_WINDOW_MS - 100);
  });

  it('lets a body take its time that keeps the rate, and any body where any rate will do', async () => {
    rig.origin.onRequest = (_, connection) => connection.send(plainAnswer('whole'));
    const length = 16_384;
    const steady = rig.client();
    steady.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`);
    const slow = rig.client('patient');
    const slowLength = 60;
    slow.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${slowLength}\r\n\r\n`);
    for (let sent = 0, slowSent = 0; sent < length; sent += 256) {
      steady.send('x'.repeat(256));
      if (slowSent++ < slowLength) slow.send('x');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect((await steady.answer()).text).toBe('whole');
    expect((await slow.answer()).text).toBe('whole');
  });

  it('answers 504, not 408, where the endpoint stops to read', async () => {
    rig.origin.onHead = (_, connection) => connection.socket.pause();
    const client = rig.client('hasty');
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${64 * MIB}\r\n\r\n`);
    client.socket.write(Buffer.alloc(64 * MIB));
    const answer = await client.answer({ ms: BODY_MS + 3 * SLACK_MS });
    expect(answer.status).toBe(504);
  });

  it('answers 408 where the client stops to send', async () => {
    const client = rig.client('hasty');
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nxyz');
    expect((await client.answer({ ms: BODY_MS + SLACK_MS })).status).toBe(408);
  });
});
