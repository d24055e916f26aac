declare module 'pino-roll' {
  import type { DestinationStream } from 'pino';

  /** Opens a file that is replaced when it has grown to `size`. */
  export default function roll(options: {
    file: string;
    size: string;
    limit: { count: number };
    /** Keeps a link `current.log` beside the files. */
    symlink: boolean;
    mkdir: boolean;
    mode: number;
  }): Promise<DestinationStream>;
}
