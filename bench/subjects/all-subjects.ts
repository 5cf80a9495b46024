import type { ChildProcesses } from '../child-processes.ts';
import type { SubjectName } from '../vocabulary.ts';
import { direct } from './direct.ts';
import { dnat } from './dnat.ts';
import { fourseven } from './fourseven.ts';
import { haproxy } from './haproxy.ts';
import { nginx } from './nginx.ts';
import { fastify, httpProxy } from './npm-rivals.ts';
import type { Subject } from './subject.ts';

/** The subjects of these names, in the same order. `command` is the proxy under test. */
export function subjectsNamed(
  names: readonly SubjectName[],
  children: ChildProcesses,
  command: string,
): readonly Subject[] {
  const makers: Readonly<Record<SubjectName, () => Subject>> = {
    direct,
    dnat: () => dnat(children),
    fourseven: () => fourseven('fourseven', command),
    'fourseven-node': () => fourseven('fourseven-node', command),
    'fourseven-logged': () => fourseven('fourseven-logged', command),
    'fourseven-plain': () => fourseven('fourseven-plain', command),
    haproxy: () => haproxy(children),
    nginx: () => nginx(children),
    'http-proxy': httpProxy,
    fastify,
  };
  return names.map((name) => makers[name]());
}
