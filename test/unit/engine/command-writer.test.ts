import { describe, expect, test } from 'vitest';
import { CommandWriter } from '../../../src/engine/command-writer.ts';
import { COMMANDS_MAX_WORDS, Command } from '../../../src/engine/protocol.ts';
import { FakeEngine } from '../upstream/fake-engine.ts';

describe('tunnel', () => {
  test('is written after all else in its round', () => {
    const engine = new FakeEngine();
    const writer = new CommandWriter(engine);
    writer.tunnel(1, 2, 1000);
    writer.hold(2, 64, 10);
    writer.tunnel(3, 4, 1000);
    writer.reset(5);
    writer.flush();
    expect(engine.takeOrders()).toEqual(['hold 2 64 10', 'reset 5', 'tunnel 1 2 1000', 'tunnel 3 4 1000']);
  });

  test('is written once, also where nothing else was', () => {
    const engine = new FakeEngine();
    const writer = new CommandWriter(engine);
    writer.tunnel(1, 2, 1000);
    expect(writer.take()).toBe(5);
    expect(engine.commands[0]).toBe(Command.TUNNEL);
    expect(writer.take()).toBe(0);
  });

  test('waits for the end of the round when the buffer is full before', () => {
    const engine = new FakeEngine();
    const writer = new CommandWriter(engine);
    writer.tunnel(1, 2, 1000);
    const count = Math.ceil(COMMANDS_MAX_WORDS / 5) + 1;
    for (let id = 1; id <= count; id++) writer.reset(id);
    expect(engine.takeOrders()).not.toContain('tunnel 1 2 1000');
    writer.flush();
    expect(engine.takeOrders().at(-1)).toBe('tunnel 1 2 1000');
  });
});
