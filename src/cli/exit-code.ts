/** What the process tells whoever started it. Part of the public contract (docs/operations.md). */
export const ExitCode = {
  FINE: 0,
  /** The configuration is wrong. */
  CONFIG: 1,
  /** The command line is wrong. */
  USAGE: 2,
  /** Could not bind or start, or failed unexpectedly. */
  FAILED: 3,
  /** Connections were cut: the drain deadline passed, or a second signal came. */
  CUT: 4,
} as const;

export type ExitCodeValue = (typeof ExitCode)[keyof typeof ExitCode];
