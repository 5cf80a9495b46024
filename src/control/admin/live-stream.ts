/**
 * The live view as server-sent events (WHATWG HTML, section 9.2). The first event says everything; from then on endpoints are told only where they have
 * changed, so that a thousand of them cost who watches next to nothing. A watcher that does not read is ended, never waited for.
 */
import type { ServerResponse } from 'node:http';
import type { LiveUpdate, LiveView, Load } from './live-view.ts';
import type { Status } from './status.ts';

/** What may wait for a watcher. */
const WAITING_MAX_BYTES = 4 * 1024 * 1024;

export interface LiveMessage {
  readonly status: Omit<Status, 'clusters'> & {
    readonly clusters: readonly { readonly name: string; readonly policy: string; readonly endpointCount: number }[];
  };
  readonly load: Load;
  /** Those that have changed; `isWhole`: these are all there are. */
  readonly endpoints: readonly (Status['clusters'][number]['endpoints'][number] & { readonly cluster: string })[];
  readonly isWhole: boolean;
  readonly events: LiveUpdate['events'];
  /** With the first message only. */
  readonly history?: readonly Load[];
}

/** Answers with events until the watcher leaves. Returns false, with nothing sent, if too many watch. */
export function streamTo(response: ServerResponse, view: LiveView): boolean {
  const stream = new LiveStream();
  const send = (message: LiveMessage) => {
    if (response.writableLength > WAITING_MAX_BYTES) response.destroy();
    else response.write(`data: ${JSON.stringify(message)}\n\n`);
  };
  const stop = view.watch((update) => send(stream.messageOf(update)));
  if (stop === undefined) return false;
  response.once('close', stop);
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  response.write('retry: 2000\n\n');
  const { last } = view;
  if (last !== undefined) send({ ...stream.messageOf(last), history: view.history });
  return true;
}

/** What one watcher knows already. */
export class LiveStream {
  #known = new Map<string, string>();

  messageOf({ status, load, events, endpoints }: LiveUpdate): LiveMessage {
    const before = this.#known;
    this.#known = new Map(endpoints.map(({ key, text }) => [key, text]));
    const changed = endpoints.filter(({ key, text }) => before.get(key) !== text);
    // One that is gone can only be told by telling all.
    const isWhole = before.size === 0 || [...before.keys()].some((key) => !this.#known.has(key));
    const { clusters, ...rest } = status;
    return {
      status: {
        ...rest,
        clusters: clusters.map(({ name, policy, endpoints: all }) => ({ name, policy, endpointCount: all.length })),
      },
      load,
      endpoints: (isWhole ? endpoints : changed).map(({ endpoint }) => endpoint),
      isWhole,
      events,
    };
  }
}
