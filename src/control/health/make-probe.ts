import { connect, type Socket } from 'node:net';
import type { HealthCheckConfig } from '../../config/cluster-config.ts';
import type { ClusterPlan } from '../../contract/plan.ts';
import type { SocketAddress } from '../../core/address.ts';
import { invariant } from '../../core/invariant.ts';
import { grpcProbe } from './grpc-probe.ts';
import { httpProbe } from './http-probe.ts';
import type { OpenConnection, Probe } from './probe.ts';
import { type Place, SecureOpener } from './secure-opener.ts';
import { tcpProbe } from './tcp-probe.ts';

export function makeProbe(
  check: HealthCheckConfig,
  { proxyProtocol, tls }: Pick<ClusterPlan, 'proxyProtocol' | 'tls'>,
): Probe {
  const secure = tls && new SecureOpener(tls);
  const open: OpenConnection = (target, protocols) => {
    const where = placeOf(target.address, check.port);
    return secure?.open(where, target.serverName ?? '', protocols) ?? openPlain(where, proxyProtocol);
  };
  switch (check.type) {
    case 'tcp':
      return tcpProbe(open);
    case 'http':
      return httpProbe(check, open);
    case 'grpc':
      return grpcProbe(check, open);
    default:
      invariant(false, `unknown check ${JSON.stringify(check satisfies never)}`);
  }
}

/** What an endpoint that wants PROXY headers is told: that nobody is behind this connection (proxy-protocol.txt, section 2). */
const OWN_HEADER = {
  off: Buffer.alloc(0),
  v1: Buffer.from('PROXY UNKNOWN\r\n'),
  v2: Buffer.from('0d0a0d0a000d0a515549540a' + '20000000', 'hex'),
} as const;

function placeOf(address: SocketAddress, port: number | undefined): Place {
  return address.family === 'unix' ? { path: address.path } : { host: address.host, port: port ?? address.port };
}

function openPlain(where: Place, proxyProtocol: ClusterPlan['proxyProtocol'] = 'off'): Socket {
  const socket = connect({ ...where, noDelay: true });
  if (proxyProtocol !== 'off') socket.write(OWN_HEADER[proxyProtocol]);
  return socket;
}
