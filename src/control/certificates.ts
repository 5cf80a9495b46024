/** What the certificates of a plan say of themselves, for status and metrics. */
import { X509Certificate } from 'node:crypto';
import type { ListenerPlan } from '../contract/plan.ts';

export interface CertificateInfo {
  /** As clients ask for it; empty: for all others. */
  readonly names: readonly string[];
  /** ISO time. */
  readonly notAfter: string;
  readonly keyType: string;
}

const known = new WeakMap<ListenerPlan, readonly CertificateInfo[]>();

/** Undefined where no TLS ends. */
export function certificatesOf(listener: ListenerPlan): readonly CertificateInfo[] | undefined {
  if (listener.tls === undefined || listener.tls.contexts.length === 0) return undefined;
  const infos = known.get(listener) ?? read(listener.tls);
  known.set(listener, infos);
  return infos;
}

function read({ contexts, names }: NonNullable<ListenerPlan['tls']>): readonly CertificateInfo[] {
  return contexts.flatMap(({ pairs }, context) =>
    pairs.map(({ certificate }) => {
      const { validTo, publicKey } = new X509Certificate(certificate);
      return {
        names: names.filter((name) => name.context === context).map(({ name }) => name),
        notAfter: new Date(validTo).toISOString(),
        keyType: publicKey.asymmetricKeyType ?? 'unknown',
      };
    }),
  );
}
