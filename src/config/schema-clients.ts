/** What a listener believes about its clients, and what it tells endpoints about them. */
import { z } from 'zod';
import { readCidr } from './cidr-text.ts';
import * as defaults from './defaults.ts';
import { describeValue } from './quote.ts';
import { joinFault, onOff, readText, wholeNumber } from './schema-values.ts';

/** RFC 9110 section 7.6.3: a pseudonym is a token. */
const VIA_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/;

export const trustedProxies = z
  .array(readText(readCidr))
  .prefault([])
  .describe(
    'Addresses of the proxies in front of this one, as in 10.0.0.0/8 or 2001:db8::/32. What they say about a client is believed; what anybody ' +
      'else says is dropped.',
  );

export const listenerProxyProtocol = z
  .enum(['off', 'accept', 'require'])
  .prefault('off')
  .describe(
    'PROXY protocol, version 1 or 2, from whoever connects. `require`: a connection without it is closed. `accept`: connections from ' +
      '`trustedProxies` may begin with it.',
  );

export const connectionsMax = wholeNumber(defaults.CONNECTIONS_MAX_COUNT)
  .optional()
  .describe(
    'Connections at a time, exact over all shards. More wait in the queue of the kernel until one ends. Left out: no limit.',
  );

const viaName = z.string().regex(VIA_NAME, {
  error: ({ input }) =>
    joinFault({
      cause: `${describeValue(input)} is not a name for Via`,
      remedy: 'write letters, digits, -, _ and ., at most 64',
    }),
});

export const httpClientOptions = {
  forwardedHeader: onOff(false, 'Whether requests also carry `Forwarded` (RFC 7239).'),
  requestId: onOff(
    true,
    'Whether requests carry `X-Request-Id`: made here, or kept where one of `trustedProxies` sent it.',
  ),
  via: z
    .union([z.literal('off'), z.literal(false), viaName])
    .prefault('off')
    .describe('The name of this proxy in `Via` (RFC 9110 section 7.6.3) of requests; `off`: no `Via`.'),
  underscores: z
    .enum(['drop', 'allow', 'reject'])
    .prefault('drop')
    .describe('Header fields with `_` in their name: some applications take `a_b` for `a-b`. `reject`: 400.'),
};
