import { faultOf, type OpenConnection, type Probe } from './probe.ts';

/** Passed as soon as a connection is made. */
export function tcpProbe(open: OpenConnection): Probe {
  return (address, settle) => {
    const socket = open(address);
    socket.once('connect', () => {
      settle(undefined);
    });
    socket.on('error', (error) => settle(faultOf(error)));
    // After what was written, so that an endpoint which waits for a PROXY header is not cut off in the middle of it.
    return () => (socket.connecting ? socket.destroy() : socket.destroySoon());
  };
}
