import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateWatch } from '../../../src/control/certificate-watch.ts';
import { until } from '../../integration/deadline.ts';
import { temporaryDirectory } from '../../integration/proxy-process.ts';

const EVERY_MS = 10;
const MS = 5_000;

describe('a watch over certificates', () => {
  const directory = temporaryDirectory();
  const file = `${directory.path}/cert.pem`;
  let changes: number;
  let watch: CertificateWatch;

  beforeEach(() => {
    changes = 0;
    writeFileSync(file, 'first');
    watch = new CertificateWatch(() => changes++, EVERY_MS);
  });

  afterEach(() => watch.stop());
  afterAll(() => directory.remove());

  const looked = () => new Promise((resolve) => setTimeout(resolve, 10 * EVERY_MS));

  it('tells once of what has changed', async () => {
    await watch.watch([file]);
    await looked();
    expect(changes).toBe(0);
    writeFileSync(file, 'the second');
    await until(MS, 'the change', () => changes > 0);
    await looked();
    expect(changes).toBe(1);
  });

  it('tells of what was written while the one before was put in force', async () => {
    await watch.watch([file]);
    writeFileSync(file, 'the second');
    await until(MS, 'the change', () => changes > 0);
    // It has been read, and is in force after this.
    writeFileSync(file, 'the third one');
    await watch.watch([file]);
    await until(MS, 'the other change', () => changes > 1);
  });

  it('does not tell of what was read because somebody asked for it', async () => {
    await watch.watch([file]);
    writeFileSync(file, 'the second');
    await watch.note();
    await watch.watch([file]);
    await looked();
    expect(changes).toBe(0);
  });
});
