/**
 * The one schema of the configuration: it checks what a user wrote, fills in the defaults, and is published as JSON Schema for editors.
 * What one value alone cannot tell (references, duplicates) is in cross-checks.ts.
 */
import { z } from 'zod';
import { readListenAddress } from './address-text.ts';
import * as defaults from './defaults.ts';
import { formatDuration } from './duration.ts';
import { isToken } from './load-token.ts';
import { clusterSchema } from './schema-cluster.ts';
import { listenerSchema } from './schema-listener.ts';
import { tracing } from './schema-tracing.ts';
import { duration, joinFault, name, readText, wholeNumber } from './schema-values.ts';

const admin = z
  .union([
    z.literal('off'),
    z.literal(false),
    z.strictObject({
      address: readText(readListenAddress)
        .prefault(defaults.ADMIN_ADDRESS)
        .describe('Where the admin API answers: host:port, [v6]:port or unix:/path.'),
      token: z
        .string()
        .refine(isToken, {
          error: () =>
            joinFault({ cause: 'this is no token', remedy: 'write 16 to 256 visible characters, without spaces' }),
        })
        .optional()
        .describe(
          'Whoever asks must say it (`Authorization: Bearer …`), but for /livez and /readyz. Needed where other machines can reach the address.',
        ),
      tokenFile: z.string().min(1).optional().describe('A file with the token in it, relative to the configuration.'),
    }),
  ])
  .prefault({})
  .describe('The admin API: health, metrics, status. `off` or `false` disables it.');

const acme = z
  .strictObject({
    agreeToTerms: z
      .literal(true, {
        error: () =>
          joinFault({
            cause: 'the terms of the authority are not agreed to',
            remedy: 'read them, then write `agreeToTerms: true`',
          }),
      })
      .describe('Whether you agree to the terms of the authority: nothing is issued without.'),
    directory: z
      .url({ protocol: /^https$/ })
      .prefault(defaults.ACME_DIRECTORY)
      .describe('Directory of the authority (RFC 8555 section 7.1.1).'),
    email: z.email().optional().describe('Where the authority can reach you.'),
    storage: z
      .string()
      .min(1)
      .prefault('acme')
      .describe('Directory for the account, keys and certificates, relative to the configuration.'),
    challenges: z
      .array(z.enum(['http-01', 'tls-alpn-01']))
      .min(1)
      .prefault(['http-01', 'tls-alpn-01'])
      .describe(
        'How names are proved to be ours, the preferred way first. `http-01` needs an http listener on port 80, `tls-alpn-01` one on 443.',
      ),
    renewBefore: duration(
      defaults.ACME_RENEW_BEFORE_MS,
      'How long before its end a certificate is renewed; at most a third of its life.',
    ),
    ca: z
      .string()
      .min(1)
      .optional()
      .describe('File with the authority that the directory itself is signed by, if the system does not know it.'),
  })
  .optional()
  .describe('Certificates that are issued by an authority (RFC 8555), for `tls.certificates` with `acme`.');

const drain = z
  .strictObject({
    grace: duration(
      defaults.DRAIN_GRACE_MS,
      'How long listeners still accept after SIGTERM, while /readyz already says 503.',
    ),
    deadline: duration(defaults.DRAIN_DEADLINE_MS, 'From SIGTERM on: what is left then is cut.'),
  })
  .check((context) => {
    const { grace: graceMs, deadline: deadlineMs } = context.value;
    if (graceMs <= deadlineMs) return;
    const cause = `the grace of ${formatDuration(graceMs)} is longer than the deadline of ${formatDuration(deadlineMs)}`;
    const message = joinFault({ cause, remedy: 'write a grace that ends before the deadline' });
    context.issues.push({ code: 'custom', path: ['grace'], message, input: context.value });
  })
  .prefault({})
  .describe('How the proxy ends.');

export const configSchema = z.strictObject({
  $schema: z.string().optional().describe('For editors: where this JSON Schema is. Otherwise ignored.'),
  shards: z
    .union([z.literal('auto'), wholeNumber(defaults.SHARDS_COUNT)])
    .prefault('auto')
    .describe('Threads that carry traffic. `auto`: one per available core.'),
  engine: z
    .enum(['auto', 'native', 'node'])
    .prefault('auto')
    .describe(
      '`native`: the C++ engine, Linux only. `node`: plain Node.js, slower. `auto`: native where it can be loaded.',
    ),
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}(:[a-z_][a-z0-9_-]{0,31})?$|^\d{1,10}(:\d{1,10})?$/i, {
      error: () =>
        joinFault({
          cause: 'this is no user',
          remedy: 'write a name or a number, with a group behind a colon if wanted, as in www-data:adm',
        }),
    })
    .optional()
    .describe(
      'Whom a proxy that was started as root becomes, for good, once it has bound its listeners: USER or USER:GROUP.',
    ),
  log: z
    .strictObject({
      format: z
        .enum(['text', 'json'])
        .prefault('text')
        .describe('`text`: a line for people. `json`: an object per line, as pino writes it.'),
      level: z.enum(['info', 'warn', 'error']).prefault('info').describe('The least that is told.'),
    })
    .prefault({})
    .describe('What happens to the proxy, on standard error. What it does for clients is told by `accessLog`.'),
  admin,
  acme,
  tracing,
  drain,
  listeners: z.record(name(), listenerSchema).describe('Addresses to accept connections on, by name.'),
  clusters: z.record(name(), clusterSchema).describe('Groups of interchangeable endpoints, by name.'),
});
