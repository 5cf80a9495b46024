/**
 * Forwards field lines as they are, in as few ranges as there are gaps: what is about one connection only, what would be a claim, and what
 * Connection nominates is left out. Hot path: no allocation, no strings.
 */
import type { CommandWriter } from '../../engine/command-writer.ts';
import type { HeaderEdits } from '../header-edits.ts';
import { CONNECTION_OTHER, isNominated } from './connection-options.ts';
import { HEADER_WORDS, type HeadFields, NAME_END, NAME_ID, NAME_START } from './head-fields.ts';
import { HEADER_TRAITS } from './header-names.ts';

/**
 * Adds the ranges of `head`'s fields, without the empty line at the end, to the open SEND. Fields with any of the TRAIT_ bits in
 * `dropTraits` are left out, and those that the route's `edits` drop.
 */
export function forwardFields(
  commands: CommandWriter,
  bytes: Uint8Array,
  head: HeadFields,
  dropTraits: number,
  edits?: HeaderEdits | undefined,
): void {
  const mayDrop = (head.traits & dropTraits) !== 0 || (head.connectionOptions & CONNECTION_OTHER) !== 0;
  if (!mayDrop && edits === undefined) {
    commands.range(head.fieldsStart, head.fieldsEnd - head.fieldsStart);
    return;
  }
  const { headers, headerCount } = head;
  let keptFrom = head.fieldsStart;
  for (let index = 0; index < headerCount; index++) {
    const word = index * HEADER_WORDS;
    const id = headers[word + NAME_ID]!;
    const lineStart = headers[word + NAME_START]!;
    const isDropped =
      (HEADER_TRAITS[id]! & dropTraits) !== 0 ||
      isNominated(head, bytes, index) ||
      edits?.drops(bytes, lineStart, headers[word + NAME_END]!) === true;
    if (!isDropped) continue;
    commands.range(keptFrom, lineStart - keptFrom);
    keptFrom = index + 1 < headerCount ? headers[word + HEADER_WORDS + NAME_START]! : head.fieldsEnd;
  }
  commands.range(keptFrom, head.fieldsEnd - keptFrom);
}
