/** The log goes to standard error, whoever reads there, or does not. */

/** What may wait for a reader who is slow: some hundred lines. */
export const BACKLOG_MAX_BYTES = 64 * 1024;

/** The part of a stream that is needed. */
export interface LogStream {
  readonly writableLength: number;
  write(text: string): unknown;
}

/** Writes lines, and drops them while too much waits for the reader. Returns whether the line was taken. */
export function boundedWriter(stream: LogStream): (line: string) => boolean {
  return (line) => {
    if (stream.writableLength + line.length > BACKLOG_MAX_BYTES) return false;
    stream.write(line);
    return true;
  };
}
