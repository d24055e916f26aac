/** Remembers a call's promise for a while, failures too, so that a burst of equal calls is made once. */
export function memoizeFor<A extends readonly unknown[], R>(
  ms: number,
  call: (...args: A) => Promise<R>,
  key: (...args: A) => string,
): (...args: A) => Promise<R> {
  const known = new Map<string, Promise<R>>();
  return (...args) => {
    const id = key(...args);
    let result = known.get(id);
    if (result === undefined) {
      result = call(...args);
      known.set(id, result);
      setTimeout(() => known.delete(id), ms).unref();
    }
    return result;
  };
}
