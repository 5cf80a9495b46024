/** TLS of the node engine, over `node:tls`. What it cannot do: staple OCSP responses, and open tickets of a key that is not the newest. */
import { createHmac } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  connect,
  createSecureContext,
  type SecureContext as NodeContext,
  type SecureVersion,
  TLSSocket,
} from 'node:tls';
import {
  ClientCertificate,
  type SecureContext,
  TICKET_KEY_BYTES,
  TLS_1_2,
  TLS_1_3,
  USUAL_CIPHERS,
} from './secure-context.ts';

/** SSL_OP_NO_RENEGOTIATION of OpenSSL, which the types of Node do not know: a client would have us work for nothing (CVE-2011-1473). */
const NO_RENEGOTIATION = 0x4000_0000;
const TICKET_NAME_BYTES = 16;
const NODE_TICKET_SECRET_BYTES = 32;
const SESSION_CONTEXT_MAX_LENGTH = 32;
const TLS_1_3_SUITES = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';
const VERSIONS: Readonly<Record<number, SecureVersion>> = { [TLS_1_2]: 'TLSv1.2', [TLS_1_3]: 'TLSv1.3' };

/** How to speak TLS with an endpoint. */
export interface SecureDial {
  readonly context: NodeSecureContext;
  readonly serverName: string;
  /** The last session with it. */
  readonly resumption: { session?: Buffer | undefined };
}

/** `node:tls` says whether a client's certificate is to be believed to its own server only. */
interface Verifiable {
  readonly _handle?: { verifyError?(): (Error & { code?: string }) | null };
}

export class NodeSecureContext {
  readonly isServer: boolean;
  readonly #spec: SecureContext;
  readonly #protocols: string[];
  #context: NodeContext;

  /** Throws what OpenSSL says of the certificates. */
  constructor(spec: SecureContext, ticketKeys: Uint8Array) {
    this.isServer = spec.isServer;
    this.#spec = spec;
    this.#protocols = readProtocols(spec.alpn);
    this.#context = this.#make(ticketKeys);
  }

  /** For connections to come. */
  setTicketKeys(keys: Uint8Array): void {
    if (this.isServer) this.#context = this.#make(keys);
  }

  #make(ticketKeys: Uint8Array): NodeContext {
    const { pairs, minVersion, ciphers, authorities, identity, isServer } = this.#spec;
    return createSecureContext({
      cert: pairs.map(({ certificate }) => certificate),
      key: pairs.map(({ key }) => key),
      minVersion: VERSIONS[minVersion] ?? 'TLSv1.2',
      ciphers: `${TLS_1_3_SUITES}:${ciphers || USUAL_CIPHERS}`,
      honorCipherOrder: true,
      secureOptions: NO_RENEGOTIATION,
      ...(authorities !== '' && { ca: authorities }),
      ...(isServer && {
        sessionIdContext: Buffer.from(identity).toString('hex').slice(0, SESSION_CONTEXT_MAX_LENGTH),
        ticketKeys: ticketKeyOf(ticketKeys.subarray(0, TICKET_KEY_BYTES), identity),
      }),
    });
  }

  /** Takes over a socket whose next bytes are a ClientHello. `secure` comes once it is established. */
  accept(raw: Socket): TLSSocket {
    const { clientCertificate } = this.#spec;
    return new TLSSocket(raw, {
      isServer: true,
      secureContext: this.#context,
      requestCert: clientCertificate !== ClientCertificate.OFF,
      rejectUnauthorized: clientCertificate === ClientCertificate.REQUIRE,
      ...(this.#protocols.length > 0 && { ALPNProtocols: this.#protocols }),
    });
  }

  /** Speaks TLS over a socket that connects. `secureConnect` comes once it is established, and the endpoint is believed. */
  connect(raw: Socket, { serverName, resumption }: SecureDial): TLSSocket {
    const { verify } = this.#spec;
    const isName = serverName !== '' && !/^[\d.]+$|:/.test(serverName);
    const socket = connect({
      socket: raw,
      secureContext: this.#context,
      rejectUnauthorized: verify,
      // The name that the certificate is compared with; it may also be an address, which is no server name.
      host: serverName,
      servername: isName ? serverName : '',
      ...(resumption.session !== undefined && { session: resumption.session }),
      ...(this.#protocols.length > 0 && { ALPNProtocols: this.#protocols }),
    });
    socket.on('session', (session) => {
      resumption.session = session;
    });
    return socket;
  }

  /** Why the certificate that a client has shown is not believed; empty if it is, or there is none. */
  distrust(socket: TLSSocket): string {
    if (this.#spec.clientCertificate === ClientCertificate.OFF || socket.getPeerX509Certificate() === undefined)
      return '';
    const error = (socket as unknown as Verifiable)._handle?.verifyError?.();
    return error == null ? '' : error.message;
  }
}

export function wireVersion(socket: TLSSocket): number {
  return socket.getProtocol() === 'TLSv1.3' ? TLS_1_3 : TLS_1_2;
}

/** As native/tls_context.cc binds tickets to one identity. */
function ticketKeyOf(key: Uint8Array, identity: Uint8Array): Buffer {
  const secret = createHmac('sha512', key.subarray(TICKET_NAME_BYTES)).update(identity).digest();
  return Buffer.concat([key.subarray(0, TICKET_NAME_BYTES), secret.subarray(0, NODE_TICKET_SECRET_BYTES)]);
}

function readProtocols(alpn: Uint8Array): string[] {
  const names: string[] = [];
  for (let at = 0; at < alpn.length; at += 1 + alpn[at]!) {
    names.push(Buffer.from(alpn.subarray(at + 1, at + 1 + alpn[at]!)).toString('latin1'));
  }
  return names;
}
