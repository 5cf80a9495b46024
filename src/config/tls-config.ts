/** What the configuration says of TLS, as the rest of the proxy reads it. */

/** A file, or a text that stands in the configuration itself. */
export interface TlsText {
  /** Absolute; empty where the text was given. */
  readonly path: string;
  /** Empty until `loadTlsFiles` has read it. */
  readonly text: string;
}

/** How certificates are issued (RFC 8555). */
export interface AcmeConfig {
  readonly directory: string;
  readonly email?: string | undefined;
  /** Absolute once it is loaded. */
  readonly storage: string;
  readonly challenges: readonly ('http-01' | 'tls-alpn-01')[];
  readonly renewBeforeMs: number;
  readonly ca?: TlsText | undefined;
}

export type ClientCertificateMode = 'off' | 'request' | 'require';

export interface CertificateConfig {
  readonly certificate: TlsText;
  readonly key: TlsText;
  /** DER in base64, once it is loaded. */
  readonly ocsp?: TlsText | undefined;
  /** Lower case, exact or `*.a.b`. */
  readonly names: readonly string[];
  /** Whether they were written; if not they are those of the certificate, once it is loaded. */
  readonly isNamed: boolean;
  /** Whether it is issued: until it is, a self-signed one takes its place. */
  readonly isIssued: boolean;
  readonly clientCa?: TlsText | undefined;
  readonly clientCertificate: ClientCertificateMode;
}

export interface PassthroughConfig {
  readonly names: readonly string[];
  /** Protocols that a client may offer; empty: any. */
  readonly alpn: readonly string[];
  readonly cluster: string;
}

export interface ListenerTlsConfig {
  /** Empty: nothing is terminated. */
  readonly certificates: readonly CertificateConfig[];
  readonly minVersion: '1.2' | '1.3';
  /** Undefined: the usual ones. */
  readonly ciphers?: string | undefined;
  readonly alpn: readonly string[];
  readonly passthrough: readonly PassthroughConfig[];
  /** Strict-Transport-Security of answers; undefined: none. */
  readonly hsts?:
    | { readonly maxAgeS: number; readonly includesSubdomains: boolean; readonly preloads: boolean }
    | undefined;
}

export interface ClusterTlsConfig {
  /** Undefined: the host name of the endpoint. */
  readonly serverName?: string | undefined;
  /** Undefined: the authorities of the system. */
  readonly ca?: TlsText | undefined;
  readonly verify: boolean;
  readonly certificate?: TlsText | undefined;
  readonly key?: TlsText | undefined;
  readonly minVersion: '1.2' | '1.3';
}
