/**
 * Prepared bytes on the slab's constant part: header names, whole error responses. Interned: the same text is stored once. Written when a
 * plan is applied, never per request.
 */
import { invariant } from '../core/invariant.ts';
import { CONSTANTS_BYTES, CONSTANTS_OFFSET } from './protocol.ts';

export interface Constant {
  readonly offset: number;
  readonly length: number;
}

const CONSTANTS_END = CONSTANTS_OFFSET + CONSTANTS_BYTES;

export class Constants {
  readonly #slab: Uint8Array;
  readonly #byText = new Map<string, Constant>();
  #at = CONSTANTS_OFFSET;

  constructor(slab: Uint8Array) {
    this.#slab = slab;
  }

  /** `text` is latin1: one character, one byte. */
  intern(text: string): Constant {
    const known = this.#byText.get(text);
    if (known !== undefined) return known;
    invariant(this.#at + text.length <= CONSTANTS_END, 'the constant part of the slab is full');
    const constant = { offset: this.#at, length: text.length };
    for (let i = 0; i < text.length; i++) this.#slab[this.#at + i] = text.charCodeAt(i);
    this.#at += text.length;
    this.#byText.set(text, constant);
    return constant;
  }
}
