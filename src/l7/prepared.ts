/**
 * The bytes that HTTP messages are completed with, interned once per shard on the slab's constant part.
 */
import type { Constant, Constants } from '../engine/constants.ts';

export class Prepared {
  readonly versionAndLineEnd: Constant;
  readonly version: Constant;
  readonly lineEnd: Constant;
  readonly connectionClose: Constant;
  readonly connectionKeepAlive: Constant;
  readonly connectionUpgrade: Constant;
  readonly transferEncodingChunked: Constant;
  readonly lastChunkSize: Constant;
  readonly lastChunk: Constant;

  constructor(constants: Constants) {
    this.versionAndLineEnd = constants.intern(' HTTP/1.1\r\n');
    this.version = constants.intern('HTTP/1.1 ');
    this.lineEnd = constants.intern('\r\n');
    this.connectionClose = constants.intern('Connection: close\r\n');
    this.connectionKeepAlive = constants.intern('Connection: keep-alive\r\n');
    this.connectionUpgrade = constants.intern('Connection: Upgrade\r\nUpgrade: ');
    this.transferEncodingChunked = constants.intern('Transfer-Encoding: chunked\r\n');
    this.lastChunkSize = constants.intern('0\r\n');
    this.lastChunk = constants.intern('0\r\n\r\n');
  }
}
