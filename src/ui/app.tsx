import { Box, type SuspendTerminal, Text, Transform, useApp, useInput, useIsScreenReaderEnabled, usePaste } from 'ink';
import { useEffect, useMemo, useSyncExternalStore } from 'react';
import type { Settings } from '../model/config.ts';
import type { Line } from '../present/line.ts';
import { isLateReply } from './background.ts';
import type { Dashboard } from './dashboard.ts';
import { keysOfInput } from './keys.ts';
import type { Painter } from './paint.ts';
import { themeOf } from './scene.ts';
import { readerLines } from './screens/reader.ts';
import { frameLines } from './screens/screen.ts';

/**
 * The rows of the screen, all as one text. They have their exact width already: as the outcome of a transform Ink takes
 * them as they are, and neither lays out nor measures, sanitises and wraps each of them on every frame.
 */
function Rows({ lines, paint }: { lines: readonly Line[]; paint: Painter }) {
  const places = useMemo(() => Array<string>(lines.length).fill(' ').join('\n'), [lines.length]);
  return (
    <Transform transform={(_, y) => paint(lines[y] ?? [])}>
      <Text>{places}</Text>
    </Transform>
  );
}

export interface AppProps {
  readonly dashboard: Dashboard;
  readonly painter: (theme: Settings['theme']) => Painter;
  /** Gets Ink's way of lending the terminal out, for ctrl+z. */
  readonly onSuspendable: (suspend: SuspendTerminal) => void;
}

/** The dashboard on a terminal: draws the scene, hands on the keys. */
export function App({ dashboard, painter, onSuspendable }: AppProps) {
  const scene = useSyncExternalStore(dashboard.subscribe, dashboard.scene);
  const { columns, rows } = scene.size;
  useInput((input, key) => {
    if (isLateReply(input)) return;
    for (const name of keysOfInput(input, key)) dashboard.press(name);
  });
  usePaste((text) => dashboard.paste(text));
  const { suspendTerminal } = useApp();
  useEffect(() => onSuspendable(suspendTerminal), [onSuspendable, suspendTerminal]);
  const reader = useIsScreenReaderEnabled();
  const theme = themeOf(scene);
  const paint = useMemo(() => painter(theme), [painter, theme]);
  const lines = useMemo(() => (reader ? [] : frameLines(scene)), [scene, reader]);
  if (reader) return <Text>{readerLines(scene).join('\n')}</Text>;
  return (
    <Box flexDirection="column" width={columns} height={rows}>
      <Rows lines={lines} paint={paint} />
    </Box>
  );
}
