import { createHash } from 'node:crypto';
import type { BodySize } from '../vocabulary.ts';

/** 100 bytes, without a character that a configuration file or a shell could take amiss. */
const SMALL_BODY = 'a small body of one hundred bytes '.padEnd(100, '.');

/** Length of the body of each size. */
export const BODY_BYTES: Readonly<Record<BodySize, number>> = {
  small: SMALL_BODY.length,
  '1k': 1024,
  '4k': 4 * 1024,
  '16k': 16 * 1024,
  '64k': 64 * 1024,
  '128k': 128 * 1024,
  '256k': 256 * 1024,
  '512k': 512 * 1024,
  '1m': 1024 * 1024,
  '16m': 16 * 1024 * 1024,
};

const made = new Map<BodySize, Buffer>();

/** What the origin answers to `GET /SIZE`. The larger ones do not repeat, so that no lost or doubled part goes unseen. */
export function bodyOf(size: BodySize): Buffer {
  const known = made.get(size) ?? makeBody(size);
  made.set(size, known);
  return known;
}

function makeBody(size: BodySize): Buffer {
  if (size === 'small') return Buffer.from(SMALL_BODY);
  const blocks = Array.from({ length: BODY_BYTES[size] / 32 }, (_, index) =>
    createHash('sha256').update(`${index}`).digest(),
  );
  return Buffer.concat(blocks);
}

/** Where the origin of a run has it, in the folder of the run. */
export function fileOf(directory: string, size: BodySize): string {
  return `${directory}/bodies/${size}`;
}

export function hashOf(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}
