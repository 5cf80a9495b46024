import { isSecure, type Layer, type SubjectName } from '../vocabulary.ts';

/** What a subject is to do: serve one layer on a port of 127.0.0.1, in front of the origin. */
export interface Assignment {
  readonly layer: Layer;
  readonly listenPort: number;
  readonly originPort: number;
  /** What the origin answers: requests, or WebSocket messages. */
  readonly serves: 'requests' | 'messages';
  /** How many connections it must be able to have open, those to the origin included. */
  readonly connections: number;
  /** Files, PEM, for BENCH_NAME. */
  readonly certificate: string;
  readonly key: string;
  /** An existing folder of its own, for its configuration. */
  readonly directory: string;
}

/** Which of a rival's configurations in bench/rivals is for the layer. */
export function templateOf(layer: Layer): 'l4' | 'l7' | 'tls' {
  if (layer === 'l4') return 'l4';
  return isSecure(layer) ? 'tls' : 'l7';
}

/** A process. */
export interface Launch {
  readonly command: readonly string[];
  /** How it says that it serves: with a line `ready` on standard output, or by accepting on its port. */
  readonly readiness: 'line' | 'port';
}

/** Without a process: something that serves on a port by other means, until it is ended. */
export interface Arrangement {
  readonly port: number;
  readonly end: () => Promise<void>;
}

export type Availability =
  | { readonly available: true; readonly version: string }
  | { readonly available: false; readonly remedy: string };

/** A proxy that can be measured. It only says how; the suite starts and ends it. */
export interface Subject {
  readonly name: SubjectName;
  readonly layers: readonly Layer[];
  /** Whether it passes WebSockets on. */
  readonly messages: boolean;
  /** Where to read how it is configured, by a path relative to the repository. */
  readonly configuration: string;
  /** Whether it can serve the layer here and now, and if not, how to get there. */
  probe(layer: Layer): Promise<Availability>;
  /** Writes its configuration and says how it is started, or arranges that it serves. */
  prepare(assignment: Assignment): Promise<Launch | Arrangement>;
}
