import { Box, type SuspendTerminal, Text, Transform, useApp, useInput, useIsScreenReaderEnabled, usePaste } from 'ink';
import { memo, useEffect, useMemo, useSyncExternalStore } from 'react';
import type { Settings } from '../model/config.ts';
import type { Line } from '../present/line.ts';
import { isLateReply } from './background.ts';
import type { Dashboard } from './dashboard.ts';
import { keysOfInput } from './keys.ts';
import type { Painter } from './paint.ts';
import { readerLines } from './screens/reader.ts';
import { frameLines } from './screens/screen.ts';

/**
 * One row of the screen. The rows have their exact width already: as the outcome of a transform Ink takes them as they
 * are, and does not measure, sanitise and wrap each of them on every frame, which was most of a frame's cost.
 */
const Row = memo(function Row({ text }: { text: string }) {
  return (
    <Transform transform={() => text}>
      <Text> </Text>
    </Transform>
  );
});

function Rows({ lines, paint }: { lines: readonly Line[]; paint: Painter }) {
  // A row has no other identity than its place.
  // biome-ignore lint/suspicious/noArrayIndexKey: see above
  return lines.map((line, y) => <Row key={y} text={paint(line)} />);
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
  const theme = scene.picture?.snapshot.settings.theme ?? 'auto';
  const paint = useMemo(() => painter(theme), [painter, theme]);
  const lines = useMemo(() => (reader ? [] : frameLines(scene)), [scene, reader]);
  if (reader) return <Text>{readerLines(scene).join('\n')}</Text>;
  return (
    <Box flexDirection="column" width={columns} height={rows}>
      <Rows lines={lines} paint={paint} />
    </Box>
  );
}
