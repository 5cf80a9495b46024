import { TLSSocket } from 'node:tls';
import { faultOf, type OpenConnection, type Probe } from './probe.ts';

/** Passed as soon as a connection is made, and TLS is established where that is spoken. */
export function tcpProbe(open: OpenConnection): Probe {
  return (target, settle) => {
    const socket = open(target, []);
    socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', () => {
      settle(undefined);
    });
    socket.on('error', (error) => settle(faultOf(error)));
    // After what was written, so that an endpoint which waits for a PROXY header is not cut off in the middle of it.
    return () => (socket.connecting ? socket.destroy() : socket.destroySoon());
  };
}
