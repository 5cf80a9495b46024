import { z } from 'zod';
import { configSchema } from './schema.ts';

/**
 * The JSON Schema that editors use for completion and help, as the text of schema/fourseven.schema.json. Draft 7 is what most of them know.
 * It cannot say what is between values (references, duplicates): `check` does.
 */
export function jsonSchemaText(): string {
  const { $schema, ...schema } = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-7' });
  const titled = {
    $schema,
    title: 'Fourseven configuration',
    description: 'Listeners accept connections, routes and clusters say where they lead.',
    ...schema,
  };
  return `${JSON.stringify(titled, null, 2)}\n`;
}
