import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { jsonSchemaText } from '../../../src/config/json-schema.ts';
import { loadConfig } from '../../../src/config/load-config.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SCHEMA_FILE = `${ROOT}schema/fourseven.schema.json`;

interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | false;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

interface Option {
  readonly path: string;
  readonly schema: JsonSchema;
  readonly isRequired: boolean;
}

/** Every option that can be written, with names and indexes left out of its path: `listeners.timeouts.head`. */
function optionsIn(schema: JsonSchema, path = ''): Option[] {
  const inner = [
    schema.items,
    schema.additionalProperties || undefined,
    ...(schema.anyOf ?? []),
    ...(schema.oneOf ?? []),
  ];
  const own = Object.entries(schema.properties ?? {}).flatMap(([key, property]) => {
    const optionPath = path === '' ? key : `${path}.${key}`;
    const isRequired = schema.required?.includes(key) ?? false;
    return [{ path: optionPath, schema: property, isRequired }, ...optionsIn(property, optionPath)];
  });
  return [...own, ...inner.flatMap((part) => (part === undefined ? [] : optionsIn(part, path)))];
}

const options = optionsIn(JSON.parse(jsonSchemaText()) as JsonSchema);

test('the published JSON Schema is that of the code; if not, run `npm run schema`', async () => {
  await expect(jsonSchemaText()).toMatchFileSnapshot(SCHEMA_FILE, 'the schema is stale: run `npm run schema`');
});

test('every option has a description', () => {
  expect(options.length).toBeGreaterThan(30);
  expect(options.filter(({ schema }) => !schema.description?.endsWith('.')).map(({ path }) => path)).toEqual([]);
});

test('every mapping of the schema refuses unknown keys', () => {
  const open = options.filter(({ schema }) => schema.type === 'object' && schema.additionalProperties === undefined);
  expect(open.map(({ path }) => path)).toEqual([]);
});

test('the reference names every option with its default', () => {
  const reference = readFileSync(`${ROOT}docs/configuration.md`, 'utf8');
  const missing = options.map(rowOf).filter((row) => !reference.includes(row));
  expect(missing).toEqual([]);
});

/** The beginning of an option's row in a table of docs/configuration.md. */
function rowOf({ path, schema, isRequired }: Option): string {
  const name = path.replace(/^listeners\./, 'listeners.NAME.').replace(/^clusters\./, 'clusters.NAME.');
  const isSection = typeof schema.default === 'object';
  if (isSection || schema.type === 'array' || schema.type === 'object') return `\`${name}\``;
  return `| \`${name}\` | ${isRequired ? 'required' : schema.default === undefined ? '' : `\`${schema.default}\``}`.trim();
}

const examples = readdirSync(`${ROOT}examples`).filter((file) => /\.(yaml|yml|json)$|\.config\.ts$/.test(file));

test.each(examples)('examples/%s is right, without a warning', async (file) => {
  expect(await loadConfig(`${ROOT}examples/${file}`)).toMatchObject({ config: {}, warnings: [] });
});
