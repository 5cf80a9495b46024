import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { Incoming } from '../../../src/engine/node-incoming.ts';

function takeAll(incoming: Incoming, limit: number): string[] {
  const pieces: string[] = [];
  for (let piece = incoming.take(limit); piece !== undefined; piece = incoming.take(limit)) {
    pieces.push(Buffer.from(piece).toString());
  }
  return pieces;
}

it('gives held bytes before new ones, in pieces no longer than asked for', () => {
  const incoming = new Incoming();
  incoming.add(Buffer.from('defgh'));
  incoming.add(Buffer.from('i'));
  incoming.hold(Buffer.from('abc'));
  expect([incoming.heldBytes, incoming.newBytes]).toEqual([3, 6]);
  expect(takeAll(incoming, 2)).toEqual(['ab', 'c', 'de', 'fg', 'h', 'i']);
  expect(incoming.empty).toBe(true);
});

it('replaces what is held, and forgets it for nothing', () => {
  const incoming = new Incoming();
  incoming.hold(Buffer.from('old'));
  incoming.hold(Buffer.from('new'));
  expect(takeAll(incoming, 10)).toEqual(['new']);
  incoming.hold(Buffer.from('gone'));
  incoming.hold(Buffer.alloc(0));
  expect(incoming.empty).toBe(true);
});

it('stops a socket once while too much waits, and starts it once when it does not', () => {
  const calls: string[] = [];
  const socket = { pause: () => calls.push('pause'), resume: () => calls.push('resume') } as unknown as Socket;
  const incoming = new Incoming();
  const step = (bytes: number) => {
    if (bytes > 0) incoming.add(Buffer.alloc(bytes));
    else incoming.take(-bytes);
    incoming.throttle(socket);
  };
  for (const bytes of [60_000, 6_000, 100_000, -60_000, -6_000, -100_000]) step(bytes);
  expect(calls).toEqual(['pause', 'resume']);
});
