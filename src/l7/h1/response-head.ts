import { HeadFields } from './head-fields.ts';

/** A response head as `parseResponseHead` found it. One object per shard is reused; see RequestHead. */
export class ResponseHead extends HeadFields {
  /** 100 to 599. */
  status = 0;
  /** What follows the status and one space; may be empty. */
  reasonStart = 0;
  reasonEnd = 0;
  /** `Keep-Alive: timeout=N` in seconds, or -1. */
  keepAliveTimeoutS = -1;
}
