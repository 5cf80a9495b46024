/** Who is told of what a listener has done. */
import { z } from 'zod';
import * as defaults from './defaults.ts';
import { joinFault, optionalDuration } from './schema-values.ts';

export const accessLog = z
  .union([
    z.literal('off'),
    z.literal(false),
    z.strictObject({
      format: z
        .enum(['json', 'combined'])
        .prefault('json')
        .describe(
          '`json`: one object per line. `combined`: as Apache and nginx write it, for the tools that read that.',
        ),
      file: z
        .string()
        .min(1)
        .prefault('stdout')
        .describe('`stdout`, or a file, relative to the configuration. It is appended to, and opened anew on SIGUSR1.'),
      only: z
        .enum(['all', 'errors'])
        .prefault('all')
        .describe('`errors`: only answers from 400 on, and what ended otherwise than it should.'),
      slowerThan: optionalDuration(
        defaults.ACCESS_LOG_SLOWER_MS,
        'Only what took at least so long; with `only: errors`, that as well.',
      ),
      sample: z
        .number()
        .min(0)
        .max(1, {
          error: () => joinFault({ cause: 'a share is at most 1', remedy: 'write 0.01 for one line in a hundred' }),
        })
        .prefault(1)
        .describe('Share of those lines that are written, 0 to 1.'),
    }),
  ])
  .prefault('off')
  .describe('A line for each request or session once it is over. `off` (or `false`): none.');
