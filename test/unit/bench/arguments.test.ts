import { describe, expect, it } from 'vitest';
import { type Options, parseArguments } from '../../../bench/arguments.ts';

function options(...argv: string[]): Options {
  const parsed = parseArguments(argv);
  if (parsed.kind !== 'options') throw new Error(`not accepted: ${JSON.stringify(parsed)}`);
  return parsed.options;
}

describe('the command line of the benchmark', () => {
  it('measures L7, L4 and TLS, all sizes and all subjects but the portable engine when nothing is said', () => {
    expect(options()).toMatchObject({
      scenarios: ['l7', 'l4', 'tls'],
      sizes: ['small', '16k', '1m'],
      subjects: ['fourseven', 'haproxy', 'nginx', 'http-proxy'],
      subjectsNamed: false,
      rounds: 5,
      seconds: 4,
      loads: ['kept'],
      connections: [64],
      claims: [6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17],
      latency: { layers: ['l7'], sizes: ['small'], shares: [0.7] },
      command: 'bin/fourseven',
    });
  });

  it('is shorter with --quick, and what is said in numbers wins', () => {
    expect(options('--quick')).toMatchObject({ rounds: 2, seconds: 1 });
    expect(options('--quick', '--rounds', '7')).toMatchObject({ rounds: 7, seconds: 1 });
  });

  it('keeps the order of the suite whatever the order of a list', () => {
    expect(options('--only', 'l4,l7').scenarios).toEqual(['l7', 'l4']);
    expect(options('--subjects', 'nginx, haproxy').subjects).toEqual(['haproxy', 'nginx']);
    expect(options('--subjects', 'nginx').subjectsNamed).toBe(true);
  });

  it('adds scenarios and subjects by flags', () => {
    expect(options('--only', 'latency,l7').scenarios).toEqual(['l7', 'latency']);
    expect(options('--start').scenarios).toEqual(['l7', 'l4', 'tls', 'start']);
    expect(options('--only', 'l7', '--idle', '300')).toMatchObject({ scenarios: ['l7', 'idle'], idleConnections: 300 });
    expect(options('--node-engine', '--subjects', 'haproxy').subjects).toEqual(['fourseven-node', 'haproxy']);
  });

  it('takes --idle without a number, also before another option', () => {
    expect(options('--idle').idleConnections).toBe(5000);
    expect(options('--idle', '--start')).toMatchObject({
      scenarios: ['l7', 'l4', 'tls', 'idle', 'start'],
      idleConnections: 5000,
    });
  });

  it.each([
    [['--only', 'l5'], '--only: "l5" is unknown'],
    [['--sizes', ''], '--sizes: "" is unknown'],
    [['--subjects', 'nginx,caddy'], '--subjects: "caddy" is unknown'],
    [['--rounds', '0'], '--rounds: "0" is not a whole number from 1 to 100'],
    [['--seed', 'x'], '--seed: "x" is not a whole number from 1 to 1000000'],
    [['--seconds', '1.5'], '--seconds: "1.5" is not a whole number'],
    [['--seconds', '601'], '--seconds: "601" is not a whole number from 1 to 600'],
    [['--fast'], "Unknown option '--fast'"],
    [['l7'], "Unexpected argument 'l7'"],
  ])('refuses %j and says why', (argv, problem) => {
    expect(parseArguments(argv)).toEqual({ kind: 'problem', problem: expect.stringContaining(problem) });
  });
});
