import type { Socket } from 'node:net';

const ECHO_TIMEOUT_MS = 10_000;

/** Sends a word to somebody who echoes, and gives what came back: the word, if all is well; or that the connection is closed, or that nothing came. */
export function echo(socket: Socket, word: string): Promise<string> {
  if (socket.destroyed || socket.readableEnded) return Promise.resolve('closed meanwhile');
  return new Promise((resolve) => {
    let received = '';
    const finish = (text: string) => {
      clearTimeout(timer);
      socket.off('data', onData).off('close', onClose);
      resolve(text);
    };
    const timer = setTimeout(() => finish('no echo'), ECHO_TIMEOUT_MS);
    const onData = (bytes: Buffer) => {
      received += bytes;
      if (received.length >= word.length) finish(received);
    };
    const onClose = () => finish('closed');
    socket.on('data', onData).on('close', onClose);
    socket.write(word);
  });
}
