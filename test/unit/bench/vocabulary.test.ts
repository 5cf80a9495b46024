import { describe, expect, it } from 'vitest';
import { casesOf, LOADS, titleOf, usualCase } from '../../../bench/vocabulary.ts';

describe('the cases of a layer', () => {
  it('are all loads, sizes and counts of connections where requests are plain', () => {
    expect(casesOf('l4', ['kept', 'fresh'], ['small', '1m'], [1, 64])).toEqual([
      { layer: 'l4', load: 'kept', size: 'small', connections: 1 },
      { layer: 'l4', load: 'kept', size: 'small', connections: 64 },
      { layer: 'l4', load: 'kept', size: '1m', connections: 1 },
      { layer: 'l4', load: 'kept', size: '1m', connections: 64 },
      { layer: 'l4', load: 'fresh', size: 'small', connections: 1 },
      { layer: 'l4', load: 'fresh', size: 'small', connections: 64 },
      { layer: 'l4', load: 'fresh', size: '1m', connections: 1 },
      { layer: 'l4', load: 'fresh', size: '1m', connections: 64 },
    ]);
  });

  it.each([
    ['l7', ['kept', 'fresh', 'pipelined', 'unpooled', 'upload', 'messages']],
    ['logged', ['kept', 'fresh', 'pipelined', 'upload']],
    ['l4', ['kept', 'fresh', 'pipelined', 'upload', 'messages']],
    ['tls', ['kept', 'pipelined', 'upload']],
    ['tls-logged', ['kept', 'pipelined', 'upload']],
    ['reencrypted', ['kept', 'fresh', 'pipelined', 'upload']],
    ['full', ['fresh']],
    ['resumed', ['fresh']],
    ['passed', ['kept', 'fresh']],
  ] as const)('leave out what makes no sense: %s', (layer, loads) => {
    expect(casesOf(layer, LOADS, ['small'], [64]).map(({ load }) => load)).toEqual(loads);
  });

  it('are about the handshake, whatever load is asked for, where the layer is', () => {
    expect(casesOf('full', ['kept'], ['small'], [64]).map(({ load }) => load)).toEqual(['fresh']);
    expect(casesOf('passed', ['pipelined'], ['small'], [64])).toEqual([]);
  });

  it.each(['passed'] as const)('are small bodies alone where the body is not the point: %s', (layer) => {
    const sizes = new Set(casesOf(layer, LOADS, ['small', '1m'], [64]).map(({ size }) => size));
    expect([...sizes]).toEqual(['small']);
    expect(casesOf(layer, LOADS, ['1m'], [64])).toEqual([]);
  });

  it('are named by what is unusual in them', () => {
    expect(titleOf(usualCase('l7', 'small'))).toBe('L7, small body');
    expect(titleOf(usualCase('full', 'small'))).toBe('TLS 1.3, full handshakes, small body');
    expect(titleOf({ layer: 'l4', load: 'pipelined', size: '16k', connections: 256 })).toBe(
      'L4, 16 KiB body, pipelined, 256 connections',
    );
    expect(titleOf({ layer: 'l4', load: 'kept', size: 'small', connections: 1 })).toBe('L4, small body, 1 connection');
  });
});
