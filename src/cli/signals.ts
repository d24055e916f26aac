/** Aborts at ^C, at a polite kill, when the terminal goes, or with `also`: for commands that go on until they are told to stop. */
export function endSignal(also: AbortSignal): AbortSignal {
  const ended = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => ended.abort());
  return AbortSignal.any([ended.signal, also]);
}
