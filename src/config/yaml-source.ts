/** YAML and JSON texts: into plain values, with a way back from a path to its line. */
import { Composer, type Document, Lexer, LineCounter, Parser, YAMLParseError } from 'yaml';
import { CONFIG_ALIASES_MAX_COUNT, CONFIG_NESTING_MAX as NESTING_MAX, SYNTAX_PROBLEMS_MAX_COUNT } from './defaults.ts';
import { formatPath, type Problem } from './problem.ts';
import type { Fault } from './reading.ts';
import type { Locate } from './validate-config.ts';
import { aliasFault, syntaxFault } from './yaml-faults.ts';
import { locateIn, pathAt } from './yaml-places.ts';

export type YamlLanguage = 'yaml' | 'json';

export interface YamlSource {
  /** The value; absent where the text is too broken to go on. */
  readonly input?: { readonly value: unknown };
  /** What is wrong with the text itself. */
  readonly problems: readonly Problem[];
  readonly locate: Locate;
}

/** Reads one YAML (or, stricter, JSON) document. Never throws, whatever the text. */
export function readYaml(text: string, language: YamlLanguage): YamlSource {
  const lines = new LineCounter();
  const document = composeDocument(text, language, lines);
  const locate = locateIn(document, lines);
  const faults = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  const problems = faults
    .slice(0, SYNTAX_PROBLEMS_MAX_COUNT)
    .map((fault) => toProblem(document, lines, fault.pos[0], syntaxFault(fault, text, language)));
  // A key written twice leaves the rest of the document whole; after any other fault it is guesswork.
  if (faults.some((fault) => fault.code !== 'DUPLICATE_KEY')) return { problems, locate };
  try {
    return { input: { value: document.toJS({ maxAliasCount: CONFIG_ALIASES_MAX_COUNT }) }, problems, locate };
  } catch (thrown) {
    const { offset, ...fault } = aliasFault(document, thrown);
    return { problems: [...problems, toProblem(document, lines, offset, fault)], locate };
  }
}

function toProblem(document: Document, lines: LineCounter, offset: number, fault: Fault): Problem {
  const { line, col } = lines.linePos(offset);
  return {
    severity: 'error',
    path: formatPath(pathAt(document, offset)),
    line,
    column: col,
    message: fault.cause,
    remedy: fault.remedy,
  };
}

/** Composing recurses, and running out of stack can end the process: depth is watched while parsing, which does not recurse. */
function composeDocument(text: string, language: YamlLanguage, lines: LineCounter): Document {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  const tokens = [];
  let tooDeepAt: number | undefined;
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (parser.stack.length <= NESTING_MAX) continue;
    tooDeepAt = parser.offset;
    break;
  }
  const composer = new Composer(optionsFor(language));
  if (tooDeepAt !== undefined) {
    const [empty] = composer.compose([], true, 0);
    empty!.errors.push(new YAMLParseError([tooDeepAt, tooDeepAt], 'RESOURCE_EXHAUSTION', 'the text nests too deeply'));
    return empty!;
  }
  for (const token of parser.end()) tokens.push(token);
  const [document, second] = composer.compose(tokens, true, text.length);
  if (second !== undefined) {
    const at = second.range[0];
    document!.errors.push(new YAMLParseError([at, at], 'MULTIPLE_DOCS', 'a second document begins here'));
  }
  return document!;
}

function optionsFor(language: YamlLanguage) {
  return {
    // Said, so that a %YAML 1.1 directive does not change it: there, `off` is false and 1:30 is 90.
    schema: language === 'json' ? 'json' : 'core',
    merge: language === 'yaml',
    resolveKnownTags: false,
    stringKeys: true,
    uniqueKeys: true,
    prettyErrors: false,
  } as const;
}
