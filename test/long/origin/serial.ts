/** An endpoint that serves one request at a time, each in the same time, as one with a lock does; a process of its own. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bodyOf } from '../body.ts';
import { childArgument, serveParent } from '../child.ts';

export interface SerialOrder {
  readonly serviceMs: number;
}

export interface SerialPort {
  readonly port: number;
}

const { serviceMs } = childArgument<SerialOrder>();
let lastDone = Promise.resolve();

const server = createServer(async (message, response) => {
  const [, , size = '', id = ''] = (message.url ?? '').split('/');
  const done = lastDone.then(() => new Promise<void>((resolve) => setTimeout(resolve, serviceMs)));
  lastDone = done;
  await done;
  response.setHeader('x-id', id);
  response.end(Buffer.concat([...bodyOf(id, Number(size))]));
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

serveParent({ port: (server.address() as AddressInfo).port } satisfies SerialPort, () => ({}));
