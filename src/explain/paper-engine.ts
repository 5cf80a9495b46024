/** An engine without sockets: what is written to it can be read. It lets the data plane speak where no connection is. */
import { invariant } from '../core/invariant.ts';
import type { Engine } from '../engine/engine.ts';
import {
  COMMANDS_MAX_WORDS,
  COUNTERS_LENGTH,
  Command,
  EVENT_WORDS,
  EVENTS_MAX,
  SLAB_BYTES,
} from '../engine/protocol.ts';

const SEND_HEAD_WORDS = 5;

export class PaperEngine implements Engine {
  readonly kind = 'node';
  readonly slab = new Uint8Array(new ArrayBuffer(SLAB_BYTES));
  readonly events = new Int32Array(EVENTS_MAX * EVENT_WORDS);
  readonly commands = new Int32Array(COMMANDS_MAX_WORDS);
  readonly counters = new Float64Array(COUNTERS_LENGTH);
  /** What was sent, to whichever connection. */
  sent = '';

  submit(words: number): void {
    const { commands } = this;
    for (let at = 0; at < words; ) {
      invariant(commands[at] === Command.SEND, 'only answers and heads are written on paper');
      const count = commands[at + 4]!;
      for (let range = 0; range < count; range++) {
        const offset = commands[at + SEND_HEAD_WORDS + range * 2]!;
        const length = commands[at + SEND_HEAD_WORDS + range * 2 + 1]!;
        this.sent += Buffer.from(this.slab.subarray(offset, offset + length)).toString('latin1');
      }
      at += SEND_HEAD_WORDS + 2 * count;
    }
  }

  start(): void {}
  adoptListener(): number {
    return 0;
  }
  pauseListener(): void {}
  resumeListener(): void {}
  closeListener(): void {}
  rememberAddress(): number {
    return 0;
  }
  forgetAddress(): void {}
  rememberContext(): number {
    return 0;
  }
  forgetContext(): void {}
  setTicketKeys(): void {}
  secureFailure(): string {
    return '';
  }
  peerCertificate(): undefined {
    return undefined;
  }
  dial(): number {
    return 1;
  }
  redial(): number {
    return 0;
  }
  progress(): number {
    return 0;
  }
  reserve(): number {
    return 1;
  }
  localAddress(): undefined {
    return undefined;
  }
  isOpen(): boolean {
    return true;
  }
  async close(): Promise<void> {}
}
