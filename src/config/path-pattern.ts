import { PATH_PATTERN_MAX_LENGTH } from './defaults.ts';
import { quote } from './quote.ts';
import type { Fault, Reading } from './reading.ts';

const UNRESERVED = /^[A-Za-z0-9._~-]$/;
/** An encoded slash and an encoded backslash: refused unless the listener keeps them. */
const ENCODED_SLASHES: readonly string[] = ['%2F', '%5C'];

/** What a listener says of the paths of its requests. */
export interface PathOptions {
  readonly keepsEncodedSlashes: boolean;
  readonly keepsEmptySegments: boolean;
}

const USUAL_PATHS: PathOptions = { keepsEncodedSlashes: false, keepsEmptySegments: false };
const ANY_PATHS: PathOptions = { keepsEncodedSlashes: true, keepsEmptySegments: true };

/**
 * Reads what a route says of the path: `/a` (exactly this path) or `/a/*` (this path and everything below). Requests are brought into
 * normal form before they are matched (dot segments removed, `//` merged, unreserved escapes decoded: RFC 3986 section 6.2.2), so that
 * a pattern in any other form could never match and is refused.
 */
export function readPathPattern(text: string, options = USUAL_PATHS): Reading<string> {
  const fault = faultOfForm(text) ?? faultOfCharacters(text) ?? faultOfEscapes(text, options);
  if (fault !== undefined) return fault;
  const normal = normalise(text, options);
  if (normal === text) return { value: text };
  return {
    cause: `${quote(text)} could never match: requests are brought into normal form first`,
    remedy: `write ${quote(normal)}`,
  };
}

/** As `readPathPattern`, of what is right for some listener. Whether it is for the route's own is asked when that is known (route-checks.ts). */
export function readAnyPathPattern(text: string): Reading<string> {
  return readPathPattern(text, ANY_PATHS);
}

/** Reads a path that takes the place of another: one in normal form, without `*`. */
export function readNewPath(text: string): Reading<string> {
  const reading = readAnyPathPattern(text);
  if ('cause' in reading || !text.endsWith('/*')) return reading;
  const remedy = `write ${quote(text.slice(0, -1))}: what follows the matched prefix is kept anyway`;
  return { cause: `${quote(text)} has a *, and is no pattern`, remedy };
}

function faultOfForm(text: string): Fault | undefined {
  if (!text.startsWith('/')) {
    return { cause: `${quote(text)} does not begin with /`, remedy: `write ${quote(`/${text}`)}` };
  }
  if (text.length > PATH_PATTERN_MAX_LENGTH) {
    return { cause: `the pattern has ${text.length} characters`, remedy: `write at most ${PATH_PATTERN_MAX_LENGTH}` };
  }
  const mark = /[?#]/.exec(text);
  if (mark !== null) {
    const part = mark[0] === '?' ? 'a query' : 'a fragment';
    return { cause: `${quote(text)} has ${part}`, remedy: `write the path alone: ${quote(text.slice(0, mark.index))}` };
  }
  const star = text.indexOf('*');
  if (star >= 0 && !(star === text.length - 1 && text.endsWith('/*'))) {
    const remedy = 'write * only as /* at the end, as in /v1/*, for this path and everything below it';
    return { cause: `${quote(text)} has a * in another place than /* at the end`, remedy };
  }
  return undefined;
}

function faultOfCharacters(text: string): Fault | undefined {
  if (text.includes('\\')) {
    return { cause: `${quote(text)} has a \\, and such requests are refused`, remedy: 'write / between segments' };
  }
  // Only printable ASCII can stand in a request line (RFC 9112 section 3.2, RFC 3986 section 2).
  if (/^[!-~]*$/.test(text)) return undefined;
  const escaped = encodeURI(Buffer.from(text).toString()).replace(/%25/g, '%');
  return { cause: `${quote(text)} has characters that no request line may have`, remedy: `write ${quote(escaped)}` };
}

function faultOfEscapes(text: string, options: PathOptions): Fault | undefined {
  const broken = /%(?![0-9A-Fa-f]{2})/.exec(text);
  if (broken !== null) {
    const remedy = 'write % and two hexadecimal digits; a percent sign itself is %25';
    return { cause: `${quote(text)} has a broken escape at character ${broken.index + 1}`, remedy };
  }
  const refused = text.match(/%../g)?.find((triplet) => isRefused(triplet.toUpperCase(), options));
  if (refused === undefined) return undefined;
  const isSlash = ENCODED_SLASHES.includes(refused.toUpperCase());
  const remedy = isSlash ? 'write a path without it, or `paths: { encodedSlashes: keep }`' : 'write a path without it';
  return { cause: `${quote(text)} has ${refused}, and such requests are refused`, remedy };
}

function isRefused(triplet: string, { keepsEncodedSlashes }: PathOptions): boolean {
  return triplet === '%00' || (ENCODED_SLASHES.includes(triplet) && !keepsEncodedSlashes);
}

function normalise(text: string, { keepsEmptySegments }: PathOptions): string {
  const decoded = text.replace(/%../g, (triplet) => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
    return UNRESERVED.test(character) ? character : triplet.toUpperCase();
  });
  return removeDotSegments(keepsEmptySegments ? decoded : decoded.replace(/\/{2,}/g, '/'));
}

/** RFC 3986 section 5.2.4, for an absolute path. */
function removeDotSegments(path: string): string {
  const kept: string[] = [];
  const segments = path.slice(1).split('/');
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
    if (isLast && (segment === '.' || segment === '..')) kept.push('');
  }
  return `/${kept.join('/')}`;
}
