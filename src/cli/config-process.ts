/** The process that reads a configuration again while the proxy runs: see load-apart.ts. */
import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { loadConfig } from '../config/load-config.ts';

/** On Linux each thread has a priority of its own (setpriority(2), "C library/kernel differences"): also those that collect garbage. */
function yieldToOthers(): void {
  try {
    for (const thread of readdirSync('/proc/self/task')) {
      setPriority(Number(thread), constants.priority.PRIORITY_BELOW_NORMAL);
    }
  } catch {
    // Another system: it goes on as it is.
  }
}

yieldToOthers();
process.once('disconnect', () => process.exit());
loadConfig(process.argv[2]!).then((result) => process.send!(result, () => process.disconnect()));
