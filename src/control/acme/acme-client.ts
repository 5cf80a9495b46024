/** The only importer of `acme-client`: has one certificate issued (RFC 8555). Loaded on demand. */
import { Agent } from 'node:https';
import { axios, Client, crypto } from 'acme-client';
import type { AcmeConfig } from '../../config/tls-config.ts';
import type { AcmeStore } from './acme-store.ts';
import type { AcmeChallenge, ChallengeHost } from './challenge.ts';

/** An authority looks within seconds, or has a queue. */
const POLL = { backoffAttempts: 20, backoffMin: 1_000, backoffMax: 15_000 };

/** Resolves once the certificate for `names` is in the store. Throws what the authority says. */
export async function issueCertificate(
  config: AcmeConfig,
  names: readonly string[],
  store: AcmeStore,
  host: ChallengeHost,
): Promise<void> {
  const { directory, email, challenges, ca } = config;
  // The library has one client for all: whom to believe is settled by the one configuration there is.
  if (ca === undefined) delete axios.defaults.httpsAgent;
  else axios.defaults.httpsAgent = new Agent({ ca: ca.text });
  const accountKey = await store.accountKey(directory, () => crypto.createPrivateEcdsaKey());
  const client = new Client({ directoryUrl: directory, accountKey, ...POLL });
  const [key, csr] = await crypto.createCsr({ altNames: [...names] }, await crypto.createPrivateEcdsaKey());
  const chain = await client.auto({
    csr,
    ...(email !== undefined && { email }),
    termsOfServiceAgreed: true,
    challengePriority: [...challenges],
    // The authority looks from where its users are; that we can reach ourselves says little.
    skipChallengeVerification: true,
    challengeCreateFn: async (authorization, challenge, keyAuthorization) => {
      await host.present(await challengeOf(authorization, challenge, keyAuthorization));
    },
    challengeRemoveFn: async (authorization, challenge) => {
      await host.withdraw({ kind: challenge.type as AcmeChallenge['kind'], name: authorization.identifier.value });
    },
  });
  await store.write(names, chain, key);
}

type ChallengeArguments = Parameters<Parameters<Client['auto']>[0]['challengeCreateFn']>;

async function challengeOf(
  authorization: ChallengeArguments[0],
  challenge: ChallengeArguments[1],
  keyAuthorization: string,
): Promise<AcmeChallenge> {
  const name = authorization.identifier.value.toLowerCase();
  // The library's types do not know them all.
  const type: string = challenge.type;
  if (type === 'http-01') return { kind: 'http-01', name, token: challenge.token, keyAuthorization };
  if (type !== 'tls-alpn-01') throw new Error(`the authority offers ${type}, which is not available`);
  const [key, certificate] = await crypto.createAlpnCertificate(authorization, keyAuthorization);
  return { kind: 'tls-alpn-01', name, certificate: certificate.toString(), key: key.toString() };
}
