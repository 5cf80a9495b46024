/** What connections of one kind need to speak TLS, as both engines understand it. Complete: the addon looks for no defaults. */
export interface SecureContext {
  readonly isServer: boolean;
  /** Server: at least one; of several the key type that the client can use decides. Client: none or one. */
  readonly pairs: readonly {
    /** PEM, the chain behind it. */
    readonly certificate: string;
    /** PEM, without a password. */
    readonly key: string;
    /** The OCSP response to staple (DER); empty: none. */
    readonly ocsp: Uint8Array;
  }[];
  /** As on the wire: TLS_1_2 or TLS_1_3. */
  readonly minVersion: number;
  /** Of TLS 1.2, in OpenSSL's notation; empty: those with forward secrecy and authenticated encryption. */
  readonly ciphers: string;
  /** Protocols to offer or to choose from, the best first, each behind its length (RFC 7301 section 3.1). */
  readonly alpn: Uint8Array;
  /** PEM. Server: who signs certificates of clients. Client: whom to believe. */
  readonly authorities: string;
  /** Server: a value of ClientCertificate. */
  readonly clientCertificate: number;
  /** Client: whether the endpoint must prove who it is. */
  readonly verify: boolean;
  /** Names this context among all, in IDENTITY_BYTES: sessions of one are never resumed in another. */
  readonly identity: Uint8Array;
}

/** How to reach an endpoint that speaks TLS. */
export interface SecureTarget {
  /** Handle of a context for clients. */
  readonly context: number;
  /** What it is called in its certificate, a host name or an address; empty: nobody asks. */
  readonly serverName: string;
}

export const TLS_1_2 = 0x0303;
export const TLS_1_3 = 0x0304;
export const ClientCertificate = { OFF: 0, REQUEST: 1, REQUIRE: 2 } as const;
/** errno of a peer whose certificate is not believed, as Linux has it. */
export const EKEYREJECTED = 129;
export const IDENTITY_BYTES = 32;
/** Name and secret (native/tls_context.h). */
export const TICKET_KEY_BYTES = 48;
export const TICKET_KEYS_MAX = 4;

/** The usual ones, of Mozilla's "intermediate" profile. The native engine has the same list. */
export const USUAL_CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');
