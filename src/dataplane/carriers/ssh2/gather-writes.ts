// Opening, crediting, ending and closing a channel are a packet each, and for small packets the call to the kernel costs
// more than all else. So what is written within one turn of the event loop leaves in one call.
import type { Writable } from 'node:stream';

/** So much leaves at once: the peer may as well begin with it. */
const enoughBytes = 64 << 10;

/** Makes the stream hold what is written to it until the turn is over. */
export function gatherWrites(stream: Writable): void {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  let gathering = false;
  const release = () => {
    if (!gathering) return;
    gathering = false;
    stream.uncork();
  };
  stream.write = (...args: unknown[]) => {
    if (!gathering) {
      gathering = true;
      stream.cork();
      setImmediate(release);
    }
    const more = write(...args);
    if (stream.writableLength >= enoughBytes) release();
    return more;
  };
}
