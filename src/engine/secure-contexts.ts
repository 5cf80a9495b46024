/** The TLS contexts of a shard's engine, each made once however many use it, and forgotten when the last has let go of it. */
import { invariant } from '../core/invariant.ts';
import type { SecureContextSource } from '../core/secure-context-source.ts';
import type { Engine } from './engine.ts';
import { ClientCertificate, type SecureContext, TLS_1_2, TLS_1_3 } from './secure-context.ts';
import { systemAuthorities } from './system-authorities.ts';

const CLIENT_CERTIFICATE = {
  off: ClientCertificate.OFF,
  request: ClientCertificate.REQUEST,
  require: ClientCertificate.REQUIRE,
} as const;

interface Use {
  readonly handle: number;
  count: number;
}

export class SecureContexts {
  readonly #engine: Engine;
  readonly #byKey = new Map<string, Use>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Its handle. Each `acquire` has one `release`. What a plan holds has been tried by the control plane, with the same OpenSSL. */
  acquire(source: SecureContextSource): number {
    const known = this.#byKey.get(source.key);
    if (known !== undefined) {
      known.count++;
      return known.handle;
    }
    const handle = this.#engine.rememberContext(readSource(source));
    invariant(typeof handle === 'number', `a TLS context cannot be made: ${handle}`);
    this.#byKey.set(source.key, { handle, count: 1 });
    return handle;
  }

  release({ key }: Pick<SecureContextSource, 'key'>): void {
    const use = this.#byKey.get(key);
    invariant(use !== undefined, 'a TLS context is released as often as it was acquired');
    if (--use.count > 0) return;
    this.#byKey.delete(key);
    this.#engine.forgetContext(use.handle);
  }
}

function readSource(source: SecureContextSource): SecureContext {
  const { isServer, pairs, ciphers, verify } = source;
  return {
    isServer,
    pairs: pairs.map(({ certificate, key, ocsp }) => ({ certificate, key, ocsp: Buffer.from(ocsp, 'base64') })),
    minVersion: source.minVersion === '1.3' ? TLS_1_3 : TLS_1_2,
    ciphers,
    alpn: writeProtocols(source.protocols),
    authorities: source.trustsSystem ? systemAuthorities() : source.authorities,
    clientCertificate: CLIENT_CERTIFICATE[source.clientCertificate],
    verify,
    identity: Buffer.from(source.identity, 'hex'),
  };
}

function writeProtocols(protocols: readonly string[]): Uint8Array {
  return Buffer.concat(
    protocols.flatMap((name) => [Buffer.from([Buffer.byteLength(name, 'latin1')]), Buffer.from(name, 'latin1')]),
  );
}
