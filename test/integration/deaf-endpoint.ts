import { loadAddon } from '../../src/engine/binding.ts';
import { HttpClient } from './http-client.ts';
import { closedPort } from './http-rig.ts';

/** A port whose queue is full: what is sent to it gets no answer. Only the addon can listen without accepting. */
export async function deafEndpoint(): Promise<{ port: number; close: () => void }> {
  const { addon } = loadAddon();
  if (addon === undefined) return { port: await closedPort(), close: () => {} };
  const descriptor = addon.listenSocket('127.0.0.1', 0, 0);
  const port = addon.socketPort(descriptor);
  const fillers = Array.from({ length: 4 }, () => new HttpClient(port));
  await new Promise((resolve) => fillers[0]!.socket.once('connect', resolve));
  const close = () => {
    for (const filler of fillers) filler.close();
    addon.closeDescriptor(descriptor);
  };
  return { port, close };
}
