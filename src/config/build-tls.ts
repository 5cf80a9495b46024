import type { z } from 'zod';
import type { configSchema } from './schema.ts';
import type { clusterTls, httpListenerTls, tcpListenerTls } from './schema-tls.ts';
import type { AcmeConfig, ClusterTlsConfig, ListenerTlsConfig, TlsText } from './tls-config.ts';

type ListenerTls = z.output<typeof httpListenerTls> | z.output<typeof tcpListenerTls>;

const MS_PER_S = 1000;

/** Where an issued certificate is follows from its names, once it is known where the storage is. */
const UNKNOWN: TlsText = { path: '', text: '' };

export function buildAcme(acme: z.output<typeof configSchema>['acme']): AcmeConfig | undefined {
  if (acme === undefined) return undefined;
  const { directory, email, storage, challenges, renewBefore, ca } = acme;
  return {
    directory,
    email,
    storage,
    challenges,
    renewBeforeMs: renewBefore,
    ca: ca === undefined ? ca : { path: ca, text: '' },
  };
}

/** Files are not read yet. */
export function buildListenerTls(tls: ListenerTls): ListenerTlsConfig | undefined {
  if (tls === undefined) return undefined;
  const { certificates, minVersion, ciphers, alpn, passthrough } = tls;
  return {
    certificates: certificates.map(({ names, acme, ...certificate }) => ({
      certificate: certificate.certificate ?? UNKNOWN,
      key: certificate.key ?? UNKNOWN,
      ocsp: certificate.ocsp,
      names: names ?? acme ?? [],
      isNamed: names !== undefined || acme !== undefined,
      isIssued: acme !== undefined,
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
