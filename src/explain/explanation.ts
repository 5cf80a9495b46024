/** A question about the routes of a configuration, and its answer. */

export interface ExplainRequest {
  /** GET if left out. */
  readonly method?: string;
  /** `http://host:port/path?query`, or `/path?query` with the host in `headers` (`localhost` if it is not there either). */
  readonly url: string;
  /** Names and values, as a client would send them. */
  readonly headers?: Readonly<Record<string, string>> | readonly (readonly [name: string, value: string])[];
  /** Address of whoever connects; 127.0.0.1 if left out. */
  readonly source?: string;
  /** Name of the listener. Left out: the http listener on the port of the URL, or else the first one. */
  readonly listener?: string;
}

export interface Explanation {
  readonly listener: string;
  /** Who the client is taken for: the source, or what a trusted proxy says. */
  readonly client: string;
  /** Name of the route that takes the request. Undefined: none does, or the request was refused before. */
  readonly route: string | undefined;
  /** Every route, in the order of the file, and why it does or does not take the request. Empty if it was refused before. */
  readonly routes: readonly { readonly name: string; readonly takes: boolean; readonly reason: string }[];
  readonly outcome: Refused | Answered | Forwarded;
}

export interface Refused {
  readonly kind: 'refused';
  readonly status: number;
  readonly reason: string;
}

/** The route answers by itself. */
export interface Answered {
  readonly kind: 'answered';
  readonly status: number;
  /** Head and body, as they are sent. */
  readonly response: string;
}

export interface Forwarded {
  readonly kind: 'forwarded';
  /** The head as an endpoint gets it. */
  readonly request: string;
  readonly timeoutMs: number;
  /** Those that the request may go to, each with its share. */
  readonly clusters: readonly {
    readonly name: string;
    readonly weight: number;
    readonly policy: string;
    readonly endpoints: readonly { readonly address: string; readonly weight: number }[];
  }[];
}
