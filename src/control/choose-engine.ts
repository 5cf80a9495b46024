import { ProxyError } from '../core/errors.ts';
import { type Addon, loadAddon } from '../engine/binding.ts';

export interface EngineChoice {
  readonly kind: 'native' | 'node';
  /** Also without the native engine the addon, where it loads, makes the listening sockets. */
  readonly addon: Addon | undefined;
  /** One line for the operator: why it is not the native engine that was wanted. */
  readonly warning?: string;
}

const HOW_TO_GET_IT =
  'install a C++ compiler, make and Python 3, and run `npm rebuild fourseven` (in a clone: `npm run build`)';

/**
 * Loads the addon, on the thread that calls: it must be the main thread, before any shard runs (see engine/binding). Throws ProxyError
 * `engine_unavailable` if `native` is demanded and cannot be had.
 */
export function chooseEngine(wanted: 'auto' | 'native' | 'node', load: typeof loadAddon = loadAddon): EngineChoice {
  const { addon, reason } = load();
  if (wanted === 'node' || addon !== undefined) return { kind: wanted === 'node' ? 'node' : 'native', addon };
  const missing = `the native engine is not available: ${reason}; to get it: ${HOW_TO_GET_IT}`;
  if (wanted === 'native') throw new ProxyError('engine_unavailable', missing);
  return { kind: 'node', addon: undefined, warning: `running on the slower node engine, ${missing}` };
}
