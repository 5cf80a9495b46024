/** What an endpoint is told of the certificate that a client has shown. */
import type { X509Certificate } from 'node:crypto';

/** Three lines, with their names. */
export const CERTIFICATE_LINES_MAX_BYTES = 4096;
const VALUE_MAX_LENGTH = 1024;

/** By the certificate: a connection asks often, and has one. */
const known = new WeakMap<X509Certificate, Uint8Array>();

/** Whole lines: subject, alternative names, and the SHA-256 of the certificate. */
export function certificateLines(certificate: X509Certificate): Uint8Array {
  let lines = known.get(certificate);
  if (lines === undefined) {
    const { subject, subjectAltName = '', fingerprint256 } = certificate;
    const fields = [
      ['Subject', subject.replaceAll('\n', ',')],
      ['San', subjectAltName],
      ['Fingerprint', fingerprint256.replaceAll(':', '').toLowerCase()],
    ];
    const text = fields.map(([name, value]) => `X-Forwarded-Client-Cert-${name}: ${plain(value!)}\r\n`).join('');
    lines = Buffer.from(text, 'latin1');
    known.set(certificate, lines);
  }
  return lines;
}

/** Whoever has signed a certificate wrote in it what they liked: as a field it is visible ASCII, or percent-encoded. */
function plain(value: string): string {
  const encoded = value.replaceAll(/[^\x20-\x24\x26-\x7e]/gu, (character) =>
    Array.from(Buffer.from(character), (byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join(''),
  );
  return encoded.slice(0, VALUE_MAX_LENGTH).trim();
}
