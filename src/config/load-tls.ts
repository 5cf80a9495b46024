/** Reads the certificates, keys and authorities that a configuration names, and finds what is wrong with them. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { ClusterConfig, Config, ListenerConfig } from './config.ts';
import { TLS_FILE_MAX_BYTES } from './defaults.ts';
import { error, type Finding, type Path, warning } from './problem.ts';
import { quote } from './quote.ts';
import { type Fault, isFault, type Reading } from './reading.ts';
import type { SelfSigned } from './self-signed.ts';
import { formatSize } from './size.ts';
import type { AcmeConfig, CertificateConfig, ClusterTlsConfig, ListenerTlsConfig, TlsText } from './tls-config.ts';

/** Longer than any authority takes. */
const PLACEHOLDER_DAYS = 30;
const EXPIRES_SOON_MS = 14 * 24 * 3_600_000;
const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

export interface LoadedTls {
  /** With the texts in place; what could not be read is as it was. */
  readonly config: Config;
  readonly findings: readonly Finding[];
}

/** `base`: the directory that relative paths begin in. Never throws. */
export async function loadTlsFiles(config: Config, base: string): Promise<LoadedTls> {
  if (![...config.listeners, ...config.clusters].some(({ tls }) => tls !== undefined)) return { config, findings: [] };
  const acme = config.acme && { ...config.acme, storage: resolve(base, config.acme.storage) };
  const loader = new TlsLoader(base, acme?.storage);
  const listeners = await Promise.all(config.listeners.map((listener) => loader.loadListener(listener)));
  const clusters = await Promise.all(config.clusters.map((cluster) => loader.loadCluster(cluster)));
  return {
    config: { ...config, listeners, clusters, acme: acme && (await loader.loadAcme(acme)) },
    findings: loader.findings,
  };
}

/** As `loadTlsFiles`, of a configuration that was loaded before: what stands in files is read anew. */
export function reloadTlsFiles(config: Config): Promise<LoadedTls> {
  return loadTlsFiles(
    {
      ...config,
      listeners: config.listeners.map((listener) => ({
        ...listener,
        tls: listener.tls && unloadListener(listener.tls),
      })),
      clusters: config.clusters.map((cluster) => ({ ...cluster, tls: cluster.tls && unloadCluster(cluster.tls) })),
    },
    '/',
  );
}

/** The files that a loaded configuration was read from, besides itself. */
export function tlsFilesOf({ listeners, clusters }: Pick<Config, 'listeners' | 'clusters'>): string[] {
  const ofListeners = listeners.flatMap(({ tls }) => tls?.certificates ?? []);
  const texts = [
    ...ofListeners.flatMap(({ certificate, key, ocsp, clientCa }) => [certificate, key, ocsp, clientCa]),
    ...clusters.flatMap(({ tls }) => [tls?.ca, tls?.certificate, tls?.key]),
  ];
  return texts.flatMap((text) => (text === undefined || text.path === '' ? [] : [text.path]));
}

function unloadListener(tls: ListenerTlsConfig): ListenerTlsConfig {
  return {
    ...tls,
    certificates: tls.certificates.map((certificate) => ({
      ...certificate,
      certificate: unload(certificate.certificate),
      key: unload(certificate.key),
      ocsp: certificate.ocsp && unload(certificate.ocsp),
      clientCa: certificate.clientCa && unload(certificate.clientCa),
    })),
  };
}

function unloadCluster(tls: ClusterTlsConfig): ClusterTlsConfig {
  const { ca, certificate, key } = tls;
  return {
    ...tls,
    ca: ca && unload(ca),
    certificate: certificate && unload(certificate),
    key: key && unload(key),
  };
}

function unload(text: TlsText): TlsText {
  return text.path === '' ? text : { path: text.path, text: '' };
}

/** Where an issued certificate and its key are kept. */
export function issuedFiles(storage: string, names: readonly string[]): { certificate: string; key: string } {
  const directory = join(storage, names[0]!);
  return { certificate: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
}

/** Names in a certificate that clients can ask for, in lower case. */
export function namesIn(certificate: X509Certificate): string[] {
  const names = certificate.subjectAltName?.split(', ').filter((name) => name.startsWith('DNS:')) ?? [];
  return names.map((name) => name.slice('DNS:'.length).toLowerCase());
}

class TlsLoader {
  readonly findings: Finding[] = [];
  readonly #base: string;
  readonly #storage: string;
  /** Files are read once, however often they are named. */
  readonly #read = new Map<string, Promise<Reading<Buffer>>>();

  /** `storage`: of issued certificates. */
  constructor(base: string, storage = '') {
    this.#base = base;
    this.#storage = storage;
  }

  async loadAcme(acme: AcmeConfig): Promise<AcmeConfig> {
    const ca = await this.#load(acme.ca, ['acme', 'ca']);
    this.#checkAuthorities(ca, ['acme', 'ca']);
    return { ...acme, ca };
  }

  async loadListener(listener: ListenerConfig): Promise<ListenerConfig> {
    const { tls } = listener;
    if (tls === undefined) return listener;
    const path = ['listeners', listener.name, 'tls'];
    const certificates = await Promise.all(
      tls.certificates.map((certificate, index) =>
        this.#loadCertificate(certificate, [...path, 'certificates', index], index === 0),
      ),
    );
    const loaded = { ...tls, certificates };
    this.#checkPolicies(loaded, path);
    this.#checkContext(loaded, path);
    return { ...listener, tls: loaded };
  }

  async loadCluster(cluster: ClusterConfig): Promise<ClusterConfig> {
    const { tls } = cluster;
    if (tls === undefined) return cluster;
    const path = ['clusters', cluster.name, 'tls'];
    const loaded: ClusterTlsConfig = {
      ...tls,
      ca: await this.#load(tls.ca, [...path, 'ca']),
      certificate: await this.#load(tls.certificate, [...path, 'certificate']),
      key: await this.#load(tls.key, [...path, 'key']),
    };
    this.#checkAuthorities(loaded.ca, [...path, 'ca']);
    if (loaded.certificate && loaded.key) this.#checkPair(loaded.certificate, loaded.key, path);
    return { ...cluster, tls: loaded };
  }

  /** Until it is issued a self-signed one is in its place, so that the listener can begin. */
  async #loadIssued(config: CertificateConfig): Promise<CertificateConfig> {
    const { certificate, key } = issuedFiles(this.#storage, config.names);
    const pair = await Promise.all([readBytes(certificate, certificate), readBytes(key, key)]);
    const [first, second] = pair;
    const texts =
      isFault(first) || isFault(second)
        ? await placeholderFor(config.names)
        : { certificate: first.value.toString('latin1'), key: second.value.toString('latin1') };
    return {
      ...config,
      certificate: { path: certificate, text: texts.certificate },
      key: { path: key, text: texts.key },
    };
  }

  async #loadCertificate(written: CertificateConfig, path: Path, isFirst: boolean): Promise<CertificateConfig> {
    const config = written.isIssued ? await this.#loadIssued(written) : written;
    const certificate = await this.#load(config.certificate, [...path, 'certificate']);
    const key = await this.#load(config.key, [...path, 'key']);
    const clientCa = await this.#load(config.clientCa, [...path, 'clientCa']);
    const ocsp = await this.#load(config.ocsp, [...path, 'ocsp'], 'base64');
    this.#checkAuthorities(clientCa, [...path, 'clientCa']);
    const leaf = this.#checkPair(certificate, key, path);
    const names = config.isNamed || leaf === undefined ? config.names : namesIn(leaf);
    if (leaf !== undefined && names.length === 0 && !isFirst) {
      const remedy = 'write `names`, or make it the first certificate, which is for all other names';
      this.#warn([...path, 'certificate'], 'the certificate has no names, so that nobody gets it', remedy);
    }
    return { ...config, certificate, key, clientCa, ocsp, names };
  }

  async #load<T extends TlsText | undefined>(
    file: T,
    path: Path,
    encoding: 'latin1' | 'base64' = 'latin1',
  ): Promise<T> {
    if (file === undefined || file.text !== '') return file;
    const absolute = resolve(this.#base, file.path);
    const reading = this.#read.get(absolute) ?? readBytes(file.path, absolute);
    this.#read.set(absolute, reading);
    const bytes = await reading;
    if (!isFault(bytes)) return { path: absolute, text: bytes.value.toString(encoding) } as T;
    this.#fail(path, bytes);
    return { path: absolute, text: '' } as T;
  }

  /** The leaf, if it and its key can be used together. */
  #checkPair(certificate: TlsText, key: TlsText, path: Path): X509Certificate | undefined {
    if (certificate.text === '' || key.text === '') return undefined;
    const at = [...path, 'certificate'];
    const leaf = this.#parseAll(certificate, at)[0];
    if (leaf === undefined) return undefined;
    try {
      if (!leaf.checkPrivateKey(createPrivateKey(key.text))) {
        const cause = 'the key is not that of the certificate';
        this.#fail([...path, 'key'], { cause, remedy: 'name the key that the certificate was made for' });
        return undefined;
      }
    } catch {
      const cause = `${nameOf(key)} has no private key that can be read`;
      this.#fail([...path, 'key'], { cause, remedy: 'name a private key in PEM, without a password' });
      return undefined;
    }
    this.#checkDates(leaf, at);
    return leaf;
  }

  #checkDates(leaf: X509Certificate, path: Path): void {
    const { validFrom, validTo } = leaf;
    const leftMs = Date.parse(validTo) - Date.now();
    const remedy = 'replace it';
    if (leftMs < 0) this.#warn(path, `the certificate has expired (${validTo})`, remedy);
    else if (leftMs < EXPIRES_SOON_MS) this.#warn(path, `the certificate expires soon (${validTo})`, remedy);
    if (Date.parse(validFrom) > Date.now()) {
      this.#warn(path, `the certificate is not valid yet (${validFrom})`, 'look at the clock of this machine');
    }
  }

  #checkAuthorities(file: TlsText | undefined, path: Path): void {
    if (file !== undefined && file.text !== '') this.#parseAll(file, path);
  }

  /** Every certificate of a file; at least one, or it was said. */
  #parseAll(file: TlsText, path: Path): X509Certificate[] {
    try {
      const certificates = Array.from(file.text.matchAll(CERTIFICATES), ([text]) => new X509Certificate(text));
      if (certificates.length > 0) return certificates;
    } catch {
      // Said below.
    }
    const remedy = 'name a file in PEM, which begins with -----BEGIN CERTIFICATE-----';
    this.#fail(path, { cause: `${nameOf(file)} has no certificate that can be read`, remedy });
    return [];
  }

  /** Who asks for a name must know whether it is to show a certificate. */
  #checkPolicies({ certificates }: ListenerTlsConfig, path: Path): void {
    const seen = new Map<string, CertificateConfig>();
    for (const [index, certificate] of certificates.entries()) {
      for (const name of certificate.names) {
        const other = seen.get(name);
        if (other !== undefined && !isSamePolicy(other, certificate)) {
          const cause = `two certificates for ${name} differ in what they ask of clients`;
          const remedy = 'give both the same `clientCa` and `clientCertificate`';
          this.#fail([...path, 'certificates', index], { cause, remedy });
        }
        seen.set(name, certificate);
      }
    }
  }

  #checkContext({ certificates, ciphers, minVersion }: ListenerTlsConfig, path: Path): void {
    if (ciphers === undefined) return;
    try {
      createSecureContext({ ciphers, minVersion: `TLSv${minVersion}` });
    } catch {
      const cause = `${quote(ciphers)} names no cipher that can be used`;
      this.#fail([...path, 'ciphers'], { cause, remedy: '`openssl ciphers -v` lists them; or leave it out' });
    }
    if (minVersion === '1.3' && certificates.length > 0) {
      this.#warn([...path, 'ciphers'], 'TLS 1.3 has ciphers of its own', 'leave out `ciphers`, which are those of 1.2');
    }
  }

  #fail(path: Path, { cause, remedy }: Fault): void {
    this.findings.push(error(path, cause, remedy));
  }

  #warn(path: Path, cause: string, remedy: string): void {
    this.findings.push(warning(path, cause, remedy));
  }
}

function isSamePolicy(a: CertificateConfig, b: CertificateConfig): boolean {
  return a.clientCertificate === b.clientCertificate && a.clientCa?.text === b.clientCa?.text;
}

function nameOf({ path }: TlsText): string {
  return path === '' ? 'the text' : path;
}

async function readBytes(shown: string, file: string): Promise<Reading<Buffer>> {
  try {
    const status = await stat(file);
    if (!status.isFile()) return { cause: `${shown} is not a regular file`, remedy: 'name a file' };
    if (status.size > TLS_FILE_MAX_BYTES) {
      const most = formatSize(TLS_FILE_MAX_BYTES);
      return { cause: `${shown} has ${status.size} bytes`, remedy: `name a file of at most ${most}` };
    }
    return { value: await readFile(file) };
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code ?? 'unknown error';
    const remedy =
      code === 'EACCES'
        ? 'give the user of this process the right to read it'
        : 'name a file, relative to the configuration or absolute';
    return { cause: code === 'ENOENT' ? `there is no file ${shown}` : `${shown} cannot be read (${code})`, remedy };
  }
}

/** Loaded on demand: what makes certificates is as large as everything else that a start needs. */
async function placeholderFor(names: readonly string[]): Promise<SelfSigned> {
  const { makeSelfSigned } = await import('./self-signed.ts');
  return makeSelfSigned(names, PLACEHOLDER_DAYS);
}
