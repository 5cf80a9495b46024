/** What an engine needs to speak TLS, in text: as it comes with a plan. */
export interface SecureContextSource {
  /** Two with the same key are the same. */
  readonly key: string;
  readonly isServer: boolean;
  readonly pairs: readonly {
    readonly certificate: string;
    readonly key: string;
    /** DER in base64. */
    readonly ocsp: string;
  }[];
  readonly minVersion: '1.2' | '1.3';
  readonly ciphers: string;
  readonly protocols: readonly string[];
  readonly authorities: string;
  /** Whether `authorities` are those of the system. */
  readonly trustsSystem: boolean;
  readonly clientCertificate: 'off' | 'request' | 'require';
  readonly verify: boolean;
  /** Hex. */
  readonly identity: string;
}
