/** What the YAML parser finds wrong, as causes and remedies for people who configure a proxy. */
import { type Document, isAlias, visit, type YAMLError } from 'yaml';
import { CONFIG_NESTING_MAX } from './defaults.ts';
import { quote } from './quote.ts';
import type { Fault } from './reading.ts';

const CHECK_SYNTAX = 'check indentation, quotes and brackets here';

const REMEDIES: Readonly<Partial<Record<YAMLError['code'], string>>> = {
  BAD_INDENT: 'indent the keys of one mapping by the same number of spaces',
  TAB_AS_INDENT: 'indent with spaces',
  DUPLICATE_KEY: 'write it once: put everything under one of the two',
  MULTIPLE_DOCS: 'keep one document, and remove the line `---`',
  MISSING_CHAR: 'add what is missing; texts with special characters need quotes on both sides',
  NON_STRING_KEY: 'write a plain name before the colon',
  RESOURCE_EXHAUSTION: `nest at most ${CONFIG_NESTING_MAX} levels deep`,
};

export function syntaxFault(fault: YAMLError, text: string, language: 'yaml' | 'json'): Fault {
  const rest = text.slice(fault.pos[0], fault.pos[0] + 100).split('\n', 1)[0] ?? '';
  if (fault.code === 'DUPLICATE_KEY') return { cause: 'this key is written twice', remedy: REMEDIES.DUPLICATE_KEY! };
  if (fault.code === 'TAG_RESOLVE_FAILED') {
    if (language === 'json')
      return { cause: `${quote(rest)} is not JSON`, remedy: 'put texts and keys into double quotes' };
    return {
      cause: 'tags mean nothing here',
      remedy: 'remove the word that begins with !, and quote a text that begins with !',
    };
  }
  const cause = `this is not ${language === 'json' ? 'JSON' : 'YAML'}: ${lowerFirst(fault.message)}`;
  // `[::1]:8080` begins like a list.
  if (/^:[0-9]+/.test(rest) && text[fault.pos[0] - 1] === ']') {
    return { cause, remedy: 'put an IPv6 address into quotes, as in "[::1]:8080"' };
  }
  return { cause, remedy: REMEDIES[fault.code] ?? CHECK_SYNTAX };
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}

/** Why a document that parses could not be turned into a value: only aliases can fail then. */
export function aliasFault(document: Document, thrown: unknown): Fault & { readonly offset: number } {
  const dangling = findDanglingAlias(document);
  if (dangling !== undefined) {
    // `*.example.com` begins like an alias.
    const text = `*${dangling.source}`;
    const cause = `${quote(text)} is an alias in YAML, and there is no anchor of that name`;
    return {
      offset: dangling.offset,
      cause,
      remedy: `for a text that begins with *, put it into quotes: ${quote(text)}`,
    };
  }
  if (String(thrown).includes('alias count')) {
    return {
      offset: 0,
      cause: 'the aliases of this file expand to too much',
      remedy: 'write out what the anchors stand for',
    };
  }
  return {
    offset: 0,
    cause: 'the anchors and aliases of this file do not resolve',
    remedy: 'write out what they stand for',
  };
}

function findDanglingAlias(document: Document): { source: string; offset: number } | undefined {
  const anchors = new Set<string>();
  let found: { source: string; offset: number } | undefined;
  visit(document, {
    Node(_, node) {
      if (!isAlias(node)) {
        if (node.anchor !== undefined) anchors.add(node.anchor);
        return undefined;
      }
      if (anchors.has(node.source)) return undefined;
      found = { source: node.source, offset: node.range?.[0] ?? 0 };
      return visit.BREAK;
    },
  });
  return found;
}
