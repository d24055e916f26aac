import * as z from 'zod';

/**
 * A zod object schema as conf wants it: the properties as `schema`, the rest as `rootSchema`. Defaults are left out, as the
 * configuration is complete when it is written, and rules JSON Schema cannot say stay with zod.
 */
export function configSchemaFor(schema: z.ZodObject) {
  const {
    properties = {},
    type: _type,
    $schema: _dialect,
    ...rootSchema
  } = z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' });
  return {
    schema: properties as Record<string, object>,
    rootSchema: rootSchema as Record<string, unknown>,
    ajvOptions: { strict: false, useDefaults: false },
  };
}
