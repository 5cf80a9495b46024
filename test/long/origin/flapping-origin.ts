/** An HTTP endpoint that goes away and comes back at the same port: it refuses, and resets what it was serving. */
import type { Failures } from '../failures.ts';
import { type HttpOrigin, startHttpOrigin } from './http-origin.ts';

const UP_MS = 900;
const DOWN_MS = 300;

export async function startFlappingOrigin(failures: Failures): Promise<HttpOrigin> {
  const origin = await startHttpOrigin(failures);
  const { server, port } = origin;
  const goDown = () => {
    server.close();
    server.closeAllConnections();
    setTimeout(comeUp, DOWN_MS);
  };
  const comeUp = () => {
    // Somebody may have got the port for a connection of his own; that ends.
    server.once('error', () => setTimeout(comeUp, DOWN_MS));
    server.listen(port, '127.0.0.1', () => {
      server.removeAllListeners('error');
      setTimeout(goDown, UP_MS);
    });
  };
  setTimeout(goDown, UP_MS);
  return origin;
}
