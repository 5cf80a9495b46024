/** A certificate authority for tests: what it signs is believed by who believes it. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

cryptoProvider.set(webcrypto);

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: 'SHA-256',
} as const;
const DAY_MS = 24 * 3_600_000;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

type KeyType = 'ecdsa' | 'rsa';

/** Both PEM. */
export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

export interface Wish {
  readonly names?: readonly string[];
  readonly addresses?: readonly string[];
  readonly keyType?: KeyType;
  /** Days from now; in the past: it has expired. */
  readonly days?: number;
}

let serial = 1;

export class Authority {
  /** PEM, to be believed. */
  readonly certificate: string;
  readonly #keys: webcrypto.CryptoKeyPair;
  readonly #name: string;

  private constructor(name: string, keys: webcrypto.CryptoKeyPair, certificate: string) {
    this.#name = name;
    this.#keys = keys;
    this.certificate = certificate;
  }

  static async create(name = 'CN=Fourseven Test Authority'): Promise<Authority> {
    const keys = await makeKeys('ecdsa');
    const certificate = await X509CertificateGenerator.createSelfSigned({
      name,
      keys,
      serialNumber: nextSerial(),
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + 30 * DAY_MS),
      signingAlgorithm: ECDSA,
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    });
    return new Authority(name, keys, certificate.toString('pem'));
  }

  /** A certificate of a server. */
  server(...names: readonly string[]): Promise<Pair> {
    return this.sign({ names });
  }

  /** A certificate of a client. */
  client(commonName: string): Promise<Pair> {
    return this.sign({ names: [`${commonName}.clients.test`] }, `CN=${commonName},O=Test`);
  }

  async sign({ names = [], addresses = [], keyType = 'ecdsa', days = 30 }: Wish, subject = 'CN=test'): Promise<Pair> {
    const keys = await makeKeys(keyType);
    const alternatives = [
      ...names.map((value) => ({ type: 'dns', value }) as const),
      ...addresses.map((value) => ({ type: 'ip', value }) as const),
    ];
    const extensions: Extension[] = [
      new BasicConstraintsExtension(false),
      new ExtendedKeyUsageExtension([SERVER_AUTH, CLIENT_AUTH]),
    ];
    if (alternatives.length > 0) extensions.push(new SubjectAlternativeNameExtension(alternatives));
    const certificate = await X509CertificateGenerator.create({
      subject,
      issuer: this.#name,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: ECDSA,
      serialNumber: nextSerial(),
      notBefore: new Date(Date.now() - 2 * DAY_MS),
      notAfter: new Date(Date.now() + days * DAY_MS),
      extensions,
    });
    const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
    return { certificate: `${certificate.toString('pem')}\n`, key: `${key}\n` };
  }
}

function nextSerial(): string {
  return (0x1000 + serial++).toString(16);
}

async function makeKeys(type: KeyType): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(type === 'rsa' ? RSA : ECDSA, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
}
