/** The moment at which every golden screen is taken, local noon or so wherever the tests run. */
export const frozenAt = Date.parse('2026-11-22T13:45:00.000Z');
