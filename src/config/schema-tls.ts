/** TLS, with clients and with endpoints. The files that are named here are read later: load-tls.ts. */
import { z } from 'zod';
import * as defaults from './defaults.ts';
import { readHostName, readHostPattern } from './host-pattern.ts';
import { quote } from './quote.ts';
import type { Reading } from './reading.ts';
import { duration, joinFault, onOff, readText } from './schema-values.ts';

const PEM = /^-----BEGIN /;
/** Of OpenSSL's cipher lists. */
const CIPHERS = /^[A-Za-z0-9:!+@=_-]{1,1024}$/;
const PROTOCOL_MAX_LENGTH = 255;

function file(description: string) {
  return readText((text) => {
    if (text !== '') return { value: PEM.test(text) ? { path: '', text } : { path: text, text: '' } };
    return { cause: 'the name of the file is empty', remedy: 'name a file, relative to the configuration or absolute' };
  }).describe(`${description} A file, relative to the configuration, or the PEM text itself.`);
}

const serverName = readText(readHostPattern);

function readCiphers(text: string): Reading<string> {
  if (CIPHERS.test(text)) return { value: text };
  return {
    cause: `${quote(text)} is not a list of ciphers`,
    remedy: 'write names of OpenSSL joined by colons, as in ECDHE-RSA-AES128-GCM-SHA256',
  };
}

const minVersion = z.enum(['1.2', '1.3']).prefault('1.2').describe('The oldest version of TLS that is spoken.');

const alpnName = z.string().min(1).max(PROTOCOL_MAX_LENGTH);

const clientCertificate = z
  .enum(['off', 'request', 'require'])
  .describe(
    'Whether clients show a certificate that `clientCa` has signed. `request`: they may; one that is not valid ends the connection. `require`: they must.',
  );

const ACME_NAMES_MAX_COUNT = 100;

function readAcmeName(text: string): Reading<string> {
  const reading = readHostName(text);
  if ('cause' in reading || (reading.value.includes('.') && !/^[0-9.]+$|^\[/.test(reading.value))) return reading;
  return {
    cause: `${quote(text)} is no public host name`,
    remedy: 'write one with a dot in it, as in www.example.com',
  };
}

const certificate = z
  .strictObject({
    certificate: file('The certificate, with its chain behind it.').optional(),
    key: file('Its private key, without a password.').optional(),
    acme: z
      .array(readText(readAcmeName))
      .min(1)
      .max(ACME_NAMES_MAX_COUNT)
      .optional()
      .describe('Instead of files: names that the authority of `acme` is asked to certify.'),
    names: z
      .array(serverName)
      .min(1)
      .optional()
      .describe('Names it is for, exact or as in *.example.com. Left out: those in the certificate.'),
    ocsp: readText((text) => ({ value: { path: text, text: '' } }))
      .optional()
      .describe('A file with the OCSP response (DER) to staple.'),
    clientCa: file('Instead of that of the listener.').optional(),
    clientCertificate: clientCertificate.optional().describe('Instead of that of the listener.'),
  })
  .check((context) => {
    const { certificate: own, key, acme: issued, names, ocsp } = context.value;
    const fail = (path: string[], cause: string, remedy: string) =>
      context.issues.push({ code: 'custom', path, message: joinFault({ cause, remedy }), input: context.value });
    if (issued === undefined) {
      if (own === undefined)
        fail([], 'there is no `certificate`', 'name the file, or write `acme` with names to be issued one');
      else if (key === undefined) fail([], 'there is no `key`', 'name the file of the private key');
      return;
    }
    const given = Object.entries({ certificate: own, key, names, ocsp }).find(([, value]) => value !== undefined);
    if (given !== undefined) fail([given[0]], `\`${given[0]}\` and \`acme\` exclude each other`, 'keep one of them');
  });

const passthrough = z.strictObject({
  names: z.array(serverName).min(1).describe('Server names, exact or as in *.example.com.'),
  alpn: z
    .array(alpnName)
    .prefault([])
    .describe('Only clients that offer one of these protocols (ALPN). Empty: whatever they offer.'),
  cluster: z.string().describe('Where their connections lead, as they are.'),
});

const hsts = z
  .union([
    z.literal('off'),
    z.literal(false),
    z.strictObject({
      maxAge: duration(defaults.HSTS_MAX_AGE_MS, 'How long browsers use nothing but TLS for this host.'),
      includeSubdomains: onOff(false, 'Whether that holds for hosts below it.'),
      preload: onOff(false, 'Whether browsers may ship it.'),
    }),
  ])
  .prefault('off')
  .describe('Strict-Transport-Security of every answer (RFC 6797).');

const common = {
  certificates: z
    .array(certificate)
    .prefault([])
    .describe(
      'Chosen by the name that the client asks for; the first is for all others. RSA and ECDSA may stand side by side.',
    ),
  minVersion,
  ciphers: readText(readCiphers)
    .optional()
    .describe(
      'Of TLS 1.2, in the notation of OpenSSL. Left out: those with forward secrecy and authenticated encryption.',
    ),
  clientCa: file('Who signs the certificates of clients.').optional(),
  clientCertificate: clientCertificate.prefault('off'),
  passthrough: z
    .array(passthrough)
    .prefault([])
    .describe(
      'Connections that are passed on untouched, by the name that the client asks for. The rest is terminated.',
    ),
};

export const httpListenerTls = z
  .strictObject({
    ...common,
    alpn: z
      .array(z.enum(['http/1.1']))
      .min(1)
      .prefault(['http/1.1'])
      .describe('Protocols to choose from (ALPN), the best first.'),
    hsts,
  })
  .optional()
  .describe('TLS ends here. Left out: plain HTTP.');

export const tcpListenerTls = z
  .strictObject({
    ...common,
    alpn: z
      .array(alpnName)
      .prefault([])
      .describe('Protocols to choose from (ALPN), the best first. Empty: none is agreed on.'),
  })
  .optional()
  .describe(
    'TLS ends here, and plain bytes go on; with `passthrough` alone nothing ends here. Left out: bytes are passed on.',
  );

export const clusterTls = z
  .strictObject({
    serverName: readText(readHostName)
      .optional()
      .describe('What endpoints are called in their certificates. Left out: the host of the endpoint.'),
    ca: file('Who signs the certificates of endpoints. Left out: the authorities of the system.').optional(),
    verify: onOff(true, 'Whether endpoints must prove who they are.'),
    certificate: file('A certificate to show to endpoints.').optional(),
    key: file('Its private key.').optional(),
    minVersion,
  })
  .optional()
  .describe('Connections to endpoints speak TLS. Left out: they do not.');
