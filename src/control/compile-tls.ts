/** What a plan says of TLS: which certificates make one context, which name leads to which, and what a session is bound to. */
import { createHash, X509Certificate } from 'node:crypto';
import type { ClusterConfig, EndpointConfig, ListenerConfig } from '../config/config.ts';
import type { CertificateConfig, ClusterTlsConfig, ListenerTlsConfig } from '../config/tls-config.ts';
import type { ListenerTlsPlan, SecureContextPlan } from '../contract/plan.ts';
import { ACME_TLS_PROTOCOL, type AcmeChallenge } from './acme/challenge.ts';

/** `clusterIndex`: of the cluster with that name, in the plan; `challenges`: what authorities want to see now. */
export function compileListenerTls(
  { name, tls }: ListenerConfig,
  clusterIndex: (name: string) => number,
  challenges: readonly AcmeChallenge[],
): ListenerTlsPlan | undefined {
  if (tls === undefined) return undefined;
  const passthrough = tls.passthrough.map(({ names, alpn, cluster }) => ({
    names,
    protocols: alpn,
    cluster: clusterIndex(cluster),
  }));
  if (tls.certificates.length === 0) return { contexts: [], names: [], fallback: -1, policies: [], passthrough };
  return withChallenges({ ...compileTermination(name, tls), passthrough }, challenges);
}

function withChallenges(plan: ListenerTlsPlan, challenges: readonly AcmeChallenge[]): ListenerTlsPlan {
  const shown = challenges.filter((challenge) => challenge.kind === 'tls-alpn-01');
  if (shown.length === 0) return plan;
  const { contexts, policies } = plan;
  return {
    ...plan,
    contexts: [...contexts, ...shown.map(challengeContext)],
    // Nothing is served there: no host needs to be guarded against it.
    policies: [...policies, ...shown.map(() => policies[0]!)],
    challenges: shown.map(({ name }, index) => ({ name, context: contexts.length + index })),
  };
}

function challengeContext({ name, certificate, key }: AcmeChallenge & { kind: 'tls-alpn-01' }): SecureContextPlan {
  return withKey({
    isServer: true,
    pairs: [{ certificate, key, ocsp: '' }],
    minVersion: '1.2',
    ciphers: '',
    protocols: [ACME_TLS_PROTOCOL],
    authorities: '',
    trustsSystem: false,
    clientCertificate: 'off',
    verify: false,
    identity: hash(`acme ${name}`),
  });
}

/** Certificates that serve the same name side by side share a context, from which OpenSSL takes what the client can use. */
function compileTermination(listener: string, tls: ListenerTlsConfig): Omit<ListenerTlsPlan, 'passthrough'> {
  const contexts: SecureContextPlan[] = [];
  const policyTexts: string[] = [];
  const policies: number[] = [];
  const known = new Map<string, number>();
  const contextOf = (members: readonly CertificateConfig[], names: readonly string[]) => {
    const key = members.map((member) => tls.certificates.indexOf(member)).join(' ');
    const index = known.get(key);
    if (index !== undefined) return index;
    known.set(key, contexts.length);
    const policy = policyOf(members[0]!);
    if (!policyTexts.includes(policy)) policyTexts.push(policy);
    policies.push(policyTexts.indexOf(policy));
    contexts.push(serverContext(members, tls, `${listener}\n${names.join(' ')}\n${policy}`));
    return contexts.length - 1;
  };
  const [first] = tls.certificates;
  const fallback = contextOf(membersFor(tls, first!.names[0], first!), first!.names);
  const all = new Set(tls.certificates.flatMap(({ names }) => names));
  const names = [...all].map((name) => {
    const members = membersFor(tls, name, first!);
    return { name, context: contextOf(members, members[0]!.names) };
  });
  return { contexts, names, fallback, policies };
}

/** The certificates for a name, the first of each kind of key; or `alone`, for who has no name. */
function membersFor(
  { certificates }: ListenerTlsConfig,
  name: string | undefined,
  alone: CertificateConfig,
): readonly CertificateConfig[] {
  if (name === undefined) return [alone];
  const kinds = new Set<string | undefined>();
  return certificates.filter(({ names, certificate }) => {
    const kind = names.includes(name) ? new X509Certificate(certificate.text).publicKey.asymmetricKeyType : undefined;
    if (kind === undefined || kinds.has(kind)) return false;
    kinds.add(kind);
    return true;
  });
}

function policyOf({ clientCertificate, clientCa }: CertificateConfig): string {
  return clientCertificate === 'off' ? 'off' : `${clientCertificate} ${hash(clientCa?.text ?? '')}`;
}

/** `bond`: who the context is, whichever certificates it has: a renewed one still knows its sessions. */
function serverContext(
  members: readonly CertificateConfig[],
  { minVersion, ciphers = '', alpn }: ListenerTlsConfig,
  bond: string,
): SecureContextPlan {
  const { clientCertificate, clientCa } = members[0]!;
  return withKey({
    isServer: true,
    pairs: members.map(({ certificate, key, ocsp }) => ({
      certificate: certificate.text,
      key: key.text,
      ocsp: ocsp?.text ?? '',
    })),
    minVersion,
    ciphers,
    protocols: alpn,
    authorities: clientCertificate === 'off' ? '' : (clientCa?.text ?? ''),
    trustsSystem: false,
    clientCertificate,
    verify: false,
    identity: hash(bond),
  });
}

export function compileClusterTls({ tls }: Pick<ClusterConfig, 'tls'>): SecureContextPlan | undefined {
  if (tls === undefined) return undefined;
  return withKey({
    isServer: false,
    pairs: pairOf(tls),
    minVersion: tls.minVersion,
    ciphers: '',
    protocols: ['http/1.1'],
    authorities: tls.ca?.text ?? '',
    trustsSystem: tls.verify && tls.ca === undefined,
    clientCertificate: 'off',
    verify: tls.verify,
    identity: hash(''),
  });
}

function pairOf({ certificate, key }: ClusterTlsConfig): SecureContextPlan['pairs'] {
  return certificate === undefined || key === undefined
    ? []
    : [{ certificate: certificate.text, key: key.text, ocsp: '' }];
}

/** What an endpoint is to be called in its certificate. */
export function serverNameOf({ tls }: Pick<ClusterConfig, 'tls'>, { address }: EndpointConfig): string | undefined {
  if (tls === undefined) return undefined;
  if (tls.serverName !== undefined) return tls.serverName.replace(/^\[|\]$/g, '');
  return address.family === 'unix' ? '' : address.host;
}

function withKey(context: Omit<SecureContextPlan, 'key'>): SecureContextPlan {
  return { key: hash(JSON.stringify(context)), ...context };
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
