/** The shape of our own tables: one row says what an RFC or a ruling requires, shows the bytes, and says what must come of them. */

export interface RequestVerdict {
  /** What the origin must see, request by request, without the fields that the proxy adds. `{endpoint}` is its address. */
  readonly forwards: readonly string[];
  /** What the proxy itself answers then. 408: it waits for more until a deadline. */
  readonly refusal: number | undefined;
  /** Whether the answer to the last request ends the connection. */
  readonly closes: boolean;
}

export interface RequestRequirement {
  readonly requirement: string;
  readonly request: string;
  readonly verdict: RequestVerdict;
}

export type RequestRow = readonly [requirement: string, request: string, verdict: RequestVerdict];

/** Refused with that status, and the connection is closed; no byte of it reaches an origin when it comes at once. */
export const refused = (status: number): RequestVerdict => ({ forwards: [], refusal: status, closes: true });

/** Forwarded as these requests. */
export const forwarded = (...forwards: readonly string[]): RequestVerdict => ({
  forwards,
  refusal: undefined,
  closes: false,
});

/** Forwarded, and the answer says that the connection ends. */
export const forwardedLast = (...forwards: readonly string[]): RequestVerdict => ({
  forwards,
  refusal: undefined,
  closes: true,
});

/** The first ones are forwarded, what follows is refused. */
export const forwardedThenRefused = (status: number, ...forwards: readonly string[]): RequestVerdict => ({
  forwards,
  refusal: status,
  closes: true,
});

/** Never complete: the proxy waits, and answers 408 in the end. */
export const incomplete: RequestVerdict = { forwards: [], refusal: 408, closes: true };

export interface ResponseVerdict {
  /** What the client gets, to the byte; undefined where `status` says it. */
  readonly relayed: string | undefined;
  /** Of the answer that the proxy gives instead; 0 where it cuts a response that has begun. */
  readonly status: number;
}

export type ResponseRow = readonly [
  requirement: string,
  response: string,
  verdict: ResponseVerdict,
  more?: { readonly method?: string; readonly ends?: boolean },
];

export const relayed = (text: string): ResponseVerdict => ({ relayed: text, status: 200 });
export const badGateway: ResponseVerdict = { relayed: undefined, status: 502 };
export const cutOff: ResponseVerdict = { relayed: undefined, status: 0 };

// How most requests of the tables are written.

export const HOST = 'Host: a.test\r\n';
/** A request with that line, and Host. */
export const line = (requestLine: string, fields = ''): string => `${requestLine}\r\n${HOST}${fields}\r\n`;
export const get = (fields = '', target = '/'): string => line(`GET ${target} HTTP/1.1`, fields);
export const post = (fields: string, body = ''): string => `${line('POST / HTTP/1.1', fields)}${body}`;
export const chunked = (body: string, fields = ''): string => post(`${fields}Transfer-Encoding: chunked\r\n`, body);
