import type { ReadStream, WriteStream } from 'node:tty';
import { type Instance, render } from 'ink';
import { App, type AppProps } from './app.tsx';

export interface MountOptions extends AppProps {
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  /** Sentences instead of a picture. */
  readonly reader: boolean;
}

export interface Mounted extends Instance {
  /** Draws what there is now, without waiting for Ink to hear of it. */
  drawNow(): void;
}

const maxFps = 30;

/** Hands the terminal to Ink: the one way to React. */
export function mount({ stdin, stdout, reader, ...props }: MountOptions): Mounted {
  const root = <App {...props} />;
  const app = render(root, {
    stdin,
    stdout,
    // Ink takes CI=true for no terminal; whoever called this has looked at the terminal itself.
    interactive: true,
    exitOnCtrlC: false,
    patchConsole: false,
    alternateScreen: true,
    incrementalRendering: true,
    maxFps,
    isScreenReaderEnabled: reader,
  });
  return { ...app, drawNow: () => app.rerender(root) };
}
