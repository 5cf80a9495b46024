/** Building blocks of the schema: texts that are read into numbers, addresses and patterns, with problems that teach. */
import { z } from 'zod';
import { NAME_MAX_LENGTH, type Range } from './defaults.ts';
import { DURATION_PATTERN, durationFault, formatDuration, readDurationMs } from './duration.ts';
import { describeValue } from './quote.ts';
import { type Fault, isFault, type Reading } from './reading.ts';
import { formatSize, readSizeBytes, SIZE_PATTERN } from './size.ts';

/** zod carries one text per issue; ours carries two lines in it. `splitFault` takes them apart again. */
export function joinFault(fault: Fault): string {
  return `${fault.cause}\n${fault.remedy}`;
}

export function splitFault(message: string): Fault {
  const [cause = '', remedy = ''] = message.split('\n');
  return { cause, remedy };
}

/** A text that `read` turns into a value. */
export function readText<T>(read: (text: string) => Reading<T>, base: z.ZodString = z.string()) {
  return base.transform((text, context) => valueOrIssue(read(text), text, context));
}

function valueOrIssue<T>(reading: Reading<T>, input: unknown, context: z.core.ParsePayload): T {
  if (!isFault(reading)) return reading.value;
  context.issues.push({ code: 'custom', message: joinFault(reading), input });
  return z.NEVER;
}

/** A duration in milliseconds that must be written. */
function durationMs(range: Pick<Range, 'min' | 'max'>) {
  const text = z.string({
    error: (issue) => (issue.input === undefined ? undefined : joinFault(durationFault(issue.input))),
  });
  return readText((written) => readDurationMs(written, range), text.meta({ pattern: DURATION_PATTERN }));
}

/** A duration with a default. The range is part of the description, so that editors show it. */
export function duration(range: Range, description: string) {
  const span = `${formatDuration(range.min)} to ${formatDuration(range.max)}`;
  return durationMs(range).prefault(formatDuration(range.usual)).describe(`${description} ${span}.`);
}

/** A duration without a default. */
export function optionalDuration(range: Pick<Range, 'min' | 'max'>, description: string) {
  const span = `${formatDuration(range.min)} to ${formatDuration(range.max)}`;
  return durationMs(range).optional().describe(`${description} ${span}.`);
}

function sizeBytes(range: Pick<Range, 'min' | 'max'>) {
  const forms = [z.string().meta({ pattern: SIZE_PATTERN }), z.number().meta({ type: 'integer' })] as const;
  const wrongType = (issue: { input?: unknown }) => {
    const reading = readSizeBytes(issue.input, range);
    return isFault(reading) ? joinFault(reading) : undefined;
  };
  return z
    .union(forms, { error: wrongType })
    .transform((written, context) => valueOrIssue(readSizeBytes(written, range), written, context));
}

/** A size with a default: text with a unit, or a plain number of bytes. */
export function size(range: Range, description: string) {
  return sizeBytes(range)
    .prefault(formatSize(range.usual))
    .describe(`${description} ${sizeSpan(range)}.`);
}

/** A size without a default. */
export function optionalSize(range: Pick<Range, 'min' | 'max'>, description: string) {
  return sizeBytes(range)
    .optional()
    .describe(`${description} ${sizeSpan(range)}.`);
}

function sizeSpan(range: Pick<Range, 'min' | 'max'>): string {
  return `${formatSize(range.min)} to ${formatSize(range.max)}`;
}

/** Yes or no, in the words of people and of YAML. Gives a boolean. */
export function onOff(usual: boolean, description: string) {
  return z
    .union([z.boolean(), z.enum(['on', 'off'])])
    .prefault(usual ? 'on' : 'off')
    .transform((written) => written === true || written === 'on')
    .describe(description);
}

/** A whole number within a range. */
export function wholeNumber(range: Pick<Range, 'min' | 'max'>) {
  return z.number().int().min(range.min).max(range.max);
}

const NAME = new RegExp(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,${NAME_MAX_LENGTH - 1}}$`);
const NAME_REMEDY = `write a letter or digit, then letters, digits, - _ or . (at most ${NAME_MAX_LENGTH} characters)`;

/** A name of a listener, route or cluster. It appears in URLs, metrics and log lines, so that it is kept plain. */
export function name() {
  const error = (issue: { input?: unknown }) =>
    joinFault({ cause: `${describeValue(issue.input)} is not a name`, remedy: NAME_REMEDY });
  return z.string().regex(NAME, { error });
}
