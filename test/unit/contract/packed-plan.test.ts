import { expect, it } from 'vitest';
import type { ConfigInput } from '../../../src/config/config.ts';
import { validateConfig } from '../../../src/config/validate-config.ts';
import { Board } from '../../../src/contract/board.ts';
import { packPlan, unpackPlan } from '../../../src/contract/packed-plan.ts';
import type { Plan } from '../../../src/contract/plan.ts';
import { PlanCompiler } from '../../../src/control/compile-plan.ts';
import type { SocketAddress } from '../../../src/core/address.ts';
import { finish } from '../../../src/core/slices.ts';

const ROUTES = 2_000;

function planOf(input: ConfigInput): Plan {
  const { config, ...rest } = validateConfig(input);
  if (config === undefined) throw new Error(JSON.stringify(rest));
  return new PlanCompiler(Board.create(1)).compile(config, (address) => [address as SocketAddress]);
}

it('comes out as it went in', () => {
  const plan = planOf({
    listeners: {
      web: {
        address: '127.0.0.1:0',
        limits: { body: '1MiB' },
        routes: [
          { name: 'api', match: { hosts: ['*.example'], path: '/a/*' }, cluster: 'many' },
          { name: 'gone', match: { methods: ['GET'] }, respond: { status: 410, body: 'g\u00fcne \u2028' } },
        ],
      },
      bare: { address: '127.0.0.1:0', protocol: 'tcp', cluster: 'one' },
    },
    clusters: {
      many: {
        endpoints: Array.from({ length: 900 }, (_, index) => `10.0.${index >> 8}.${index & 255}:80`),
        policy: 'maglev',
      },
      one: { endpoints: ['10.1.0.1:80'], limits: { connections: 3 }, healthCheck: { type: 'tcp' } },
    },
  });
  expect(finish(unpackPlan(packPlan(plan)))).toEqual(plan);
});

it('goes in pieces, whatever the number of routes', () => {
  const routes = Array.from({ length: ROUTES }, (_, index) => ({
    name: `r${index}`,
    match: { path: `/${index}` },
    cluster: 'one',
  }));
  const plan = planOf({
    listeners: { web: { address: '127.0.0.1:0', routes } },
    clusters: { one: { endpoints: ['10.1.0.1:80'] } },
  });
  const packed = packPlan(plan);
  const [{ head, pieces } = { head: '', pieces: [] }] = packed.listeners;
  for (const text of [head, ...pieces!]) expect(text.length).toBeLessThanOrEqual(20_000);
  let interruptions = 0;
  for (const _ of unpackPlan(packed)) interruptions++;
  expect(interruptions).toBeGreaterThan(pieces!.length);
  expect(finish(unpackPlan(packed))).toEqual(plan);
});
