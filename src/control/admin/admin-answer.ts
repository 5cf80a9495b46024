/** What the admin API answers. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string;
  readonly allow?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function plain(status: number, body: string): Answer {
  return { status, body };
}

export function json(status: number, value: unknown): Answer {
  return { status, body: `${JSON.stringify(value)}\n`, contentType: 'application/json' };
}

export function failure(status: number, error: string): Answer {
  return json(status, { error });
}
