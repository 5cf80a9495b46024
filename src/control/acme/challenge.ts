/** What an authority wants to see before it certifies that a name is ours. */
export type AcmeChallenge =
  /** RFC 8555 section 8.3: a text under a path of that host, over plain HTTP. */
  | { readonly kind: 'http-01'; readonly name: string; readonly token: string; readonly keyAuthorization: string }
  /** RFC 8737: a certificate for who offers the protocol `acme-tls/1`. Both PEM. */
  | { readonly kind: 'tls-alpn-01'; readonly name: string; readonly certificate: string; readonly key: string };

export const ACME_TLS_PROTOCOL = 'acme-tls/1';

/** Who answers challenges. */
export interface ChallengeHost {
  /** Resolves when every shard answers it. */
  present(challenge: AcmeChallenge): Promise<void>;
  withdraw(challenge: Pick<AcmeChallenge, 'kind' | 'name'>): Promise<void>;
}
