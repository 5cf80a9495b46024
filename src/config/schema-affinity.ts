/** What keeps a client, or a key, with its endpoint. */
import { z } from 'zod';
import * as defaults from './defaults.ts';
import { readCookieName, readHashOn } from './field-text.ts';
import { orOff } from './schema-failures.ts';
import { joinFault, optionalDuration, readText } from './schema-values.ts';

export const hashOn = readText(readHashOn)
  .prefault('source')
  .describe(
    'What the policies that go by a hash hash: `source` (client address), `path`, `header:NAME`, `cookie:NAME` or `query:NAME`. Requests that lack it spread.',
  );

const { min, max } = defaults.BOUNDED_LOAD;

export const boundedLoad = z
  .number()
  .refine((factor) => factor === 0 || (factor >= min && factor <= max), {
    error: ({ input }) =>
      joinFault({ cause: `${input} is not a bound for the load`, remedy: `write 0 for none, or ${min} to ${max}` }),
  })
  .prefault(0)
  .describe(
    `Policies that go by a hash: most work in flight of an endpoint, as a multiple of its fair share; 1.25 is a good value. 0: no bound. ${min} to ${max}.`,
  );

export const stickiness = orOff(
  z.strictObject({
    cookie: readText(readCookieName)
      .prefault(defaults.STICKINESS_COOKIE)
      .describe('Name of the cookie that names the endpoint.'),
    ttl: optionalDuration(defaults.STICKINESS_TTL_MS, 'How long browsers keep it. Left out: until they are closed.'),
  }),
)
  .prefault('off')
  .describe('Keeps each client of http listeners with its endpoint by a cookie, as long as that endpoint serves.');
