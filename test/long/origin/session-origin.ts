/**
 * The endpoint of TCP sessions. The first line says what it does: `MODE ID UP DOWN`, with the numbers of bytes that follow in each direction.
 *
 * after   reads to the end, then sends: the session has to live half-closed
 * duplex  sends and reads at once; whoever is done first ends his half
 * echo    sends everything back, until the client ends
 * reset   resets once it has read UP bytes
 * loose   as duplex, for clients that will not stay: nothing is expected of them
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { BodyCheck, bodyOf } from '../body.ts';
import type { Failures } from '../failures.ts';

const LINE_MAX_BYTES = 200;

interface Order {
  readonly mode: string;
  readonly id: string;
  readonly up: number;
  readonly down: number;
}

interface Counts {
  wholeSessionCount: number;
}

export async function startSessionOrigin(failures: Failures): Promise<{ port: number; counts: Counts }> {
  const counts: Counts = { wholeSessionCount: 0 };
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => {});
    readOrder(socket, (order) => serve(socket, order, failures, counts));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, counts };
}

/** Calls once with the first line, and gives back what came behind it. A connection without one ends. */
function readOrder(socket: Socket, onOrder: (order: Order) => void): void {
  let line = Buffer.alloc(0);
  const onEnd = () => socket.end();
  const onData = (bytes: Buffer) => {
    line = Buffer.concat([line, bytes]);
    const end = line.indexOf('\n');
    if (end < 0 && line.length < LINE_MAX_BYTES) return;
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.pause();
    const [mode = '', id = '', up, down] = line.toString('latin1', 0, end).split(' ');
    if (line.length > end + 1) socket.unshift(line.subarray(end + 1));
    onOrder({ mode, id, up: Number(up), down: Number(down) });
  };
  socket.on('data', onData);
  socket.on('end', onEnd);
}

function serve(socket: Socket, order: Order, failures: Failures, counts: Counts): void {
  const { mode, id, up } = order;
  if (mode === 'echo') {
    socket.pipe(socket);
    return;
  }
  const check = new BodyCheck(`${id}-up`);
  const isStrict = mode === 'after' || mode === 'duplex';
  let hasEnded = false;
  socket.on('data', (bytes) => {
    check.take(bytes);
    if (mode === 'reset' && check.byteCount >= up) socket.resetAndDestroy();
  });
  socket.once('end', () => {
    hasEnded = true;
    if (mode === 'after') send(socket, order);
    if (!isStrict) return;
    const problem = check.problem(up);
    if (problem === '') counts.wholeSessionCount++;
    else failures.add(`session ${id} (${mode}): ${problem}`);
  });
  socket.once('close', () => {
    if (isStrict && !hasEnded) failures.add(`session ${id} (${mode}) was cut after ${check.byteCount} of ${up} bytes`);
  });
  socket.resume();
  if (mode === 'duplex' || mode === 'loose') send(socket, order);
}

function send(socket: Socket, { id, down }: Order): void {
  Readable.from(bodyOf(id, down)).pipe(socket);
}
