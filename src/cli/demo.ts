/** `fourseven demo`: a proxy with everything behind it, to try. */

import type { ConfigInput } from '../config/config.ts';
import { ADMIN_ADDRESS } from '../config/defaults.ts';
import type { SelfSigned } from '../config/self-signed.ts';
import { checkConfig } from '../config/validate-config.ts';
import { invariant } from '../core/invariant.ts';
import { startDemoEndpoint } from './demo-endpoint.ts';
import type { ExitCodeValue } from './exit-code.ts';
import { runProxy } from './run-proxy.ts';

const HTTP_ADDRESS = '127.0.0.1:8080';
const TCP_ADDRESS = '127.0.0.1:8081';
const HTTPS_ADDRESS = '127.0.0.1:8443';
const CERTIFICATE_DAYS = 30;
const CERTIFICATE_NAMES = ['localhost', '127.0.0.1'];
const NAMES = ['ada', 'bob', 'cleo'] as const;

/** Runs the demo until a signal ends it. Resolves to the exit code. */
export async function runDemo(): Promise<ExitCodeValue> {
  const endpoints = await Promise.all(NAMES.map(startDemoEndpoint));
  const { makeSelfSigned } = await import('../config/self-signed.ts');
  const pair = await makeSelfSigned(CERTIFICATE_NAMES, CERTIFICATE_DAYS);
  const result = await checkConfig(
    demoConfig(
      endpoints.map(({ port }) => port),
      pair,
    ),
    process.cwd(),
  );
  invariant(result.config !== undefined, 'the configuration of the demo is right');
  const code = await runProxy(result.config, { onReady: () => process.stdout.write(WHAT_TO_TRY) });
  await Promise.all(endpoints.map((endpoint) => endpoint.close()));
  return code;
}

/** Two ports at least: `one` is the first endpoint alone, `all` are all of them. */
export function demoConfig(ports: readonly number[], pair: SelfSigned): ConfigInput {
  const addresses = ports.map((port) => `127.0.0.1:${port}`);
  return {
    admin: { address: ADMIN_ADDRESS },
    listeners: {
      web: {
        address: HTTP_ADDRESS,
        protocol: 'http',
        routes: [
          { name: 'one', match: { path: '/one/*' }, cluster: 'one' },
          { name: 'rest', cluster: 'all' },
        ],
      },
      secure: { address: HTTPS_ADDRESS, cluster: 'all', tls: { certificates: [pair] } },
      raw: { address: TCP_ADDRESS, protocol: 'tcp', cluster: 'all' },
    },
    clusters: {
      all: { policy: 'round-robin', endpoints: addresses },
      one: { endpoints: addresses.slice(0, 1) },
    },
  };
}

const WHAT_TO_TRY = `
Three endpoints (${NAMES.join(', ')}) are behind this proxy. Try:
  curl http://${HTTP_ADDRESS}/             Layer 7: each request may go to another endpoint
  curl http://${HTTP_ADDRESS}/one/x        a route of its own: always ${NAMES[0]}
  curl -N http://${HTTP_ADDRESS}/stream    a body that comes in pieces
  curl http://${HTTP_ADDRESS}/slow         takes 2 s; press Ctrl-C here meanwhile: it is still answered
  curl -k https://${HTTPS_ADDRESS}/         the same over TLS, with a certificate made just now
  curl http://${TCP_ADDRESS}/             Layer 4: each connection may go to another endpoint
  curl http://${ADMIN_ADDRESS}/metrics     what it counts; \`fourseven status\` shows its state
Ctrl-C drains and ends.

`;
