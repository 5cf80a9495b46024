/** What one value alone cannot tell: references, duplicates, things that exclude each other. Runs on whatever could be read. */
import { formatAddress } from '../core/address.ts';
import { addressesOverlap } from './address-text.ts';
import { ENDPOINTS_MAX_COUNT, LISTENERS_MAX_COUNT, POLICY } from './defaults.ts';
import { nearest } from './nearest.ts';
import { error, type Finding, formatPath, type Path, warning } from './problem.ts';
import { quote } from './quote.ts';
import { checkRoutes } from './route-checks.ts';
import type { ClusterSketch, ListenerSketch, Sketch } from './sketch.ts';
import { asMapping } from './sketch-values.ts';

/** Names shown where no close one was found. */
const NAMES_SHOWN_MAX_COUNT = 10;
/** Looking for a close name costs time in proportion to all names: nobody reads more suggestions than this. */
const SUGGESTIONS_MAX_COUNT = 100;

export function crossCheck(sketch: Sketch): Finding[] {
  const listeners = sketch.listeners ?? [];
  const clusters = sketch.clusters ?? [];
  return [
    ...checkCounts(sketch),
    ...checkNames([...listeners, ...clusters]),
    ...listeners.flatMap(checkTarget),
    ...listeners.flatMap(checkProxyProtocol),
    ...listeners.flatMap(checkListenerTls),
    ...checkAcme(sketch),
    ...checkReferences(listeners, sketch.clusters),
    ...listeners.flatMap(checkRoutes),
    ...checkListenerAddresses(listeners),
    ...checkAdmin(sketch),
    ...clusters.flatMap(checkEndpoints),
    ...clusters.flatMap(checkBackups),
    ...clusters.flatMap(checkClusterLimits),
    ...clusters.flatMap(checkHash),
    ...clusters.flatMap(checkHealthCheck),
    ...clusters.flatMap(checkClusterTls),
    ...checkSessions(listeners, clusters),
  ];
}

function checkCounts({ listeners, clusters }: Sketch): Finding[] {
  const findings: Finding[] = [];
  if (listeners?.length === 0) {
    findings.push(
      error(['listeners'], 'there is no listener', 'add one, as in `web: { address: 0.0.0.0:8080, cluster: NAME }`'),
    );
  }
  if (clusters?.length === 0) {
    findings.push(error(['clusters'], 'there is no cluster', 'add one, as in `site: { endpoints: [10.0.0.1:9000] }`'));
  }
  if ((listeners?.length ?? 0) > LISTENERS_MAX_COUNT) {
    findings.push(error(['listeners'], 'there are too many listeners', `keep to ${LISTENERS_MAX_COUNT}`));
  }
  const endpoints = (clusters ?? []).reduce((count, cluster) => count + cluster.endpoints.length, 0);
  if (endpoints > ENDPOINTS_MAX_COUNT) {
    findings.push(error(['clusters'], `there are ${endpoints} endpoints`, `keep to ${ENDPOINTS_MAX_COUNT} in all`));
  }
  return findings;
}

/** Records skip this one key (it would reach the prototype), so that the schema cannot refuse it. */
function checkNames(named: readonly { path: Path; name: string }[]): Finding[] {
  return named
    .filter(({ name }) => name === '__proto__')
    .map(({ path }) => ({ ...error(path, '"__proto__" is not a name', 'choose another name'), atKey: true }));
}

/** An http listener leads to routes or to one cluster. (That a tcp listener has one cluster is the schema's.) */
function checkTarget({ isHttp, hasCluster, hasRoutes, path }: ListenerSketch): Finding[] {
  if (!isHttp || hasCluster !== hasRoutes) return [];
  if (!hasRoutes) return [error(path, 'this listener leads nowhere', 'add `routes`, or `cluster` for all requests')];
  const remedy = 'keep one of them; a route without `match` takes every request that no other route takes';
  return [error([...path, 'cluster'], '`cluster` and `routes` exclude each other', remedy)];
}

/** A PROXY header is a claim: somebody must be named whose claims count. */
function checkProxyProtocol({ proxyProtocol, hasTrustedProxies, path }: ListenerSketch): Finding[] {
  if (hasTrustedProxies) return [];
  const at = [...path, 'proxyProtocol'];
  const remedy = 'add `trustedProxies` with the addresses of the proxies in front, as in [10.0.0.0/8]';
  if (proxyProtocol === 'accept') return [error(at, 'nobody is trusted to send a PROXY header', remedy)];
  if (proxyProtocol !== 'require') return [];
  return [warning(at, 'whoever can connect can claim any address', remedy)];
}

/** TLS ends somewhere, or is passed on; and who asks for certificates knows whom to believe. */
function checkListenerTls({ isHttp, tls, path }: ListenerSketch): Finding[] {
  if (tls === undefined) return [];
  const at = [...path, 'tls'];
  const { certificates, passthrough } = tls;
  if (certificates.length === 0 && (isHttp || passthrough.length === 0)) {
    const remedy = isHttp
      ? 'add `certificates`, as in [{ certificate: cert.pem, key: key.pem }]'
      : 'add `certificates` to end TLS here, or `passthrough` to pass it on by name';
    return [error(at, 'this listener has nothing to speak TLS with', remedy)];
  }
  return certificates.flatMap((certificate) => {
    if (!certificate.asks || certificate.hasClientCa) return [];
    const remedy = 'add `clientCa` with the authority that signs them';
    return [error(certificate.path, 'clients are asked for a certificate, and nobody is said to sign them', remedy)];
  });
}

/** Who is to issue certificates must be said, and somebody must want one. */
function checkAcme({ hasAcme, listeners = [] }: Sketch): Finding[] {
  const issued = listeners.flatMap(({ tls }) => tls?.certificates.filter(({ isIssued }) => isIssued) ?? []);
  if (hasAcme || issued.length === 0) {
    if (!hasAcme || issued.length > 0) return [];
    return [
      {
        ...warning(['acme'], 'no listener has a certificate issued', 'add `acme: [NAMES]` to `tls.certificates`'),
        atKey: true,
      },
    ];
  }
  const remedy = 'add `acme` at the top, as in `acme: { agreeToTerms: true, email: you@example.com }`';
  return issued.map(({ path }) => error([...path, 'acme'], 'nobody is said to issue certificates', remedy));
}

function checkClusterTls({ options, path }: ClusterSketch): Finding[] {
  const tls = asMapping(options.tls);
  if (tls === undefined) return [];
  const at = [...path, 'tls'];
  const findings: Finding[] = [];
  if ((tls.certificate === undefined) !== (tls.key === undefined)) {
    const cause = '`certificate` and `key` belong together';
    findings.push(error(at, cause, tls.key === undefined ? 'add `key`' : 'add `certificate`'));
  }
  if (options.proxyProtocol !== undefined && options.proxyProtocol !== 'off') {
    const cause = 'a PROXY header cannot go before TLS to endpoints';
    findings.push(error([...path, 'proxyProtocol'], cause, 'keep one of `proxyProtocol` and `tls`'));
  }
  if (tls.verify === false || tls.verify === 'off') {
    const cause = 'endpoints need not prove who they are: whoever is in between can read and change everything';
    findings.push(warning([...at, 'verify'], cause, 'name their authority in `ca`'));
  }
  return findings;
}

function checkReferences(
  listeners: readonly ListenerSketch[],
  clusters: readonly ClusterSketch[] | undefined,
): Finding[] {
  // Without clusters every reference would be wrong: one problem says it all.
  if (clusters === undefined || clusters.length === 0) return [];
  const names = new Set(clusters.map((cluster) => cluster.name));
  const used = new Set<string>();
  const findings: Finding[] = [];
  for (const { name, path } of listeners.flatMap(clustersOf)) {
    used.add(name);
    if (names.has(name)) continue;
    const close = findings.length < SUGGESTIONS_MAX_COUNT ? nearest(name, names) : undefined;
    findings.push(unknownCluster(path, name, close, clusters));
  }
  for (const { name, path } of clusters) {
    if (used.has(name)) continue;
    findings.push({
      ...warning(path, 'no listener leads to this cluster', 'use it in a route, or remove it'),
      atKey: true,
    });
  }
  return findings;
}

/** Every cluster that a listener names, with its place. */
function clustersOf({ cluster, path, routes, tls }: ListenerSketch): { name: string; path: Path }[] {
  const own = cluster === undefined ? [] : [{ name: cluster, path: [...path, 'cluster'] }];
  const passed = (tls?.passthrough ?? []).flatMap((rule) =>
    rule.cluster === undefined ? [] : [{ name: rule.cluster, path: [...rule.path, 'cluster'] }],
  );
  return [...own, ...routes.flatMap((route) => route.clusters), ...passed];
}

function unknownCluster(
  path: Path,
  written: string,
  close: string | undefined,
  clusters: readonly ClusterSketch[],
): Finding {
  const names = clusters.slice(0, NAMES_SHOWN_MAX_COUNT).map((cluster) => cluster.name);
  const rest = clusters.length > names.length ? ` and ${clusters.length - names.length} more` : '';
  const list = `add it, or write one of: ${names.join(', ')}${rest}`;
  const remedy = close === undefined ? list : `did you mean ${quote(close)}?`;
  return error(path, `there is no cluster ${quote(written)}`, remedy);
}

function checkListenerAddresses(listeners: readonly ListenerSketch[]): Finding[] {
  const findings: Finding[] = [];
  // Each is compared with each: more than are allowed are not.
  for (const [index, { address, path }] of listeners.slice(0, LISTENERS_MAX_COUNT).entries()) {
    if (address === undefined) continue;
    const other = listeners
      .slice(0, index)
      .find((before) => before.address && addressesOverlap(before.address, address));
    if (other?.address === undefined) continue;
    const text = formatAddress(address);
    if (formatAddress(other.address) === text) {
      const cause = `${text} is already the address of ${formatPath(other.path)}`;
      findings.push(error([...path, 'address'], cause, 'give each listener an address of its own'));
    } else {
      const cause = `${text} and ${formatAddress(other.address)} of ${formatPath(other.path)} overlap: the more specific one gets the connections`;
      findings.push(warning([...path, 'address'], cause, 'change one of them if that is not intended'));
    }
  }
  return findings;
}

function checkAdmin({ admin, adminHasToken, listeners }: Sketch): Finding[] {
  if (admin === undefined) return [];
  const text = formatAddress(admin);
  const findings = (listeners ?? [])
    .filter(({ address }) => address !== undefined && addressesOverlap(address, admin))
    .map(({ path }) =>
      error(
        [...path, 'address'],
        `the admin API already answers on ${text}`,
        'choose another port here, or set `admin.address`, or `admin: off`',
      ),
    );
  const isLocal = admin.family === 'unix' || admin.host.startsWith('127.') || admin.host === '::1';
  if (isLocal || adminHasToken) return findings;
  const cause = `${text} may be reached from other machines, and no token is asked for there`;
  return [
    ...findings,
    error(['admin', 'address'], cause, 'set `admin.token` or `admin.tokenFile`, or write 127.0.0.1:9947'),
  ];
}

function checkEndpoints({ endpoints }: ClusterSketch): Finding[] {
  const seen = new Map<string, Path>();
  const findings: Finding[] = [];
  for (const { key, path } of endpoints) {
    const first = seen.get(key);
    if (first === undefined) seen.set(key, path);
    else
      findings.push(
        error(path, `${key} is already ${formatPath(first)}`, 'write it once; `weight` gives it a larger share'),
      );
  }
  return findings;
}

function checkBackups({ hasOnlyBackups, path }: ClusterSketch): Finding[] {
  if (!hasOnlyBackups) return [];
  const at = [...path, 'endpoints'];
  return [error(at, 'every endpoint is a backup, and there is none to back up', 'remove `backup` from some of them')];
}

/** Waiting makes sense only where there is a limit. */
function checkClusterLimits({ limits, path }: ClusterSketch): Finding[] {
  if (limits.connections !== undefined || limits.requests !== undefined) return [];
  return ['pending', 'pendingTimeout']
    .filter((key) => limits[key] !== undefined)
    .map((key) => {
      const remedy = 'add `connections` or `requests`, or remove it';
      return {
        ...warning([...path, 'limits', key], 'nothing is limited, so that nothing ever waits', remedy),
        atKey: true,
      };
    });
}

const HASH_POLICIES: readonly unknown[] = ['source-hash', 'ring-hash', 'maglev'];

/** Whoever says what to hash wants a policy that does. */
function checkHash({ options, path }: ClusterSketch): Finding[] {
  if (HASH_POLICIES.includes(options.policy)) return [];
  return ['hashOn', 'boundedLoad']
    .filter((key) => options[key] !== undefined && options[key] !== 0)
    .map((key) => {
      const cause = `the policy ${quote(String(options.policy ?? POLICY))} goes by no hash`;
      const remedy = 'write `policy: maglev`, ring-hash or source-hash, or remove this';
      return { ...warning([...path, key], cause, remedy), atKey: true };
    });
}

const CHECK_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  http: ['path', 'method', 'host', 'expect', 'body'],
  grpc: ['service'],
};

/** Each type of check has options of its own. */
function checkHealthCheck({ options, path }: ClusterSketch): Finding[] {
  const check = asMapping(options.healthCheck) ?? {};
  const { type = 'http' } = check;
  if (type !== 'http' && type !== 'tcp' && type !== 'grpc') return [];
  return Object.entries(CHECK_OPTIONS).flatMap(([owner, keys]) =>
    keys
      .filter((key) => check[key] !== undefined && type !== owner)
      .map((key) => {
        const cause = `a check of the type ${quote(type)} has no ${quote(key)}`;
        const remedy = `write \`type: ${owner}\`, or remove this`;
        return { ...error([...path, 'healthCheck', key], cause, remedy), atKey: true };
      }),
  );
}

/** A session has an address, and nothing else to go by. */
function checkSessions(listeners: readonly ListenerSketch[], clusters: readonly ClusterSketch[]): Finding[] {
  const ofSessions = new Set(listeners.filter(({ isHttp }) => !isHttp).map(({ cluster }) => cluster));
  return clusters
    .filter(({ name }) => ofSessions.has(name))
    .flatMap(({ options, path }) => {
      const { hashOn = 'source', stickiness = 'off' } = options;
      const remedy = 'use a cluster of its own for the tcp listener, or remove this';
      const findings: Finding[] = [];
      if (hashOn !== 'source') {
        const cause = 'sessions of tcp listeners go by the address of the client, whatever this says';
        findings.push({ ...warning([...path, 'hashOn'], cause, remedy), atKey: true });
      }
      if (stickiness !== 'off' && stickiness !== false) {
        const cause = 'sessions of tcp listeners have no cookies';
        findings.push({ ...warning([...path, 'stickiness'], cause, remedy), atKey: true });
      }
      return findings;
    });
}
