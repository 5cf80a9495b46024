import type { z } from 'zod';
import type { clusterTls, httpListenerTls, tcpListenerTls } from './schema-tls.ts';
import type { ClusterTlsConfig, ListenerTlsConfig } from './tls-config.ts';

type ListenerTls = z.output<typeof httpListenerTls> | z.output<typeof tcpListenerTls>;

const MS_PER_S = 1000;

/** Files are not read yet. */
export function buildListenerTls(tls: ListenerTls): ListenerTlsConfig | undefined {
  if (tls === undefined) return undefined;
  const { certificates, minVersion, ciphers, alpn, passthrough } = tls;
  return {
    certificates: certificates.map(({ names, ...certificate }) => ({
      certificate: certificate.certificate,
      key: certificate.key,
      ocsp: certificate.ocsp,
      names: names ?? [],
      isNamed: names !== undefined,
      clientCa: certificate.clientCa ?? tls.clientCa,
      clientCertificate: certificate.clientCertificate ?? tls.clientCertificate,
    })),
    minVersion,
    ciphers,
    alpn,
    passthrough,
    hsts: 'hsts' in tls ? buildHsts(tls.hsts) : undefined,
  };
}

function buildHsts(hsts: Extract<NonNullable<ListenerTls>, { hsts: unknown }>['hsts']): ListenerTlsConfig['hsts'] {
  if (typeof hsts !== 'object') return undefined;
  return {
    maxAgeS: Math.floor(hsts.maxAge / MS_PER_S),
    includesSubdomains: hsts.includeSubdomains,
    preloads: hsts.preload,
  };
}

export function buildClusterTls(tls: z.output<typeof clusterTls>): ClusterTlsConfig | undefined {
  if (tls === undefined) return undefined;
  const { serverName, ca, verify, certificate, key, minVersion } = tls;
  return { serverName, ca, verify, certificate, key, minVersion };
}
