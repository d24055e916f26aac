import * as z from 'zod';

/**
 * A zod object schema as conf wants it: the properties as `schema`, the rest as `rootSchema`. What has a
 * default may be missing, for conf checks the file that is there too, and a person who wrote it by hand leaves out what
 * needs no saying. Rules JSON Schema cannot say stay with zod.
 */
export function configSchemaFor(schema: z.ZodObject) {
  const {
    properties = {},
    type: _type,
    $schema: _dialect,
    ...rootSchema
  } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return {
    schema: properties as Record<string, object>,
    rootSchema: rootSchema as Record<string, unknown>,
    ajvOptions: { strict: false, useDefaults: false },
  };
}
