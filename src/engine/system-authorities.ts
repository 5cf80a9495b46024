import { readFileSync } from 'node:fs';

/** Where distributions keep the authorities that their administrators trust, all in one file (as in Go's crypto/x509, root_linux.go). */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
] as const;

let known: string | undefined;

/** The authorities of this system (PEM), or, where there are none to be found, those that Node brings. Read once per thread. */
export function systemAuthorities(): string {
  known ??= read();
  return known;
}

function read(): string {
  for (const path of [process.env.SSL_CERT_FILE, ...BUNDLES]) {
    if (path === undefined) continue;
    try {
      const text = readFileSync(path, 'latin1');
      if (text.includes('-----BEGIN ')) return text;
    } catch {
      // Another distribution.
    }
  }
  // Loaded here: hardly anybody needs it, and every thread would pay for it.
  const { rootCertificates } = process.getBuiltinModule('node:tls');
  return rootCertificates.join('\n');
}
