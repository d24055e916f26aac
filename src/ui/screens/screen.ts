// The whole screen, line by line.
import { headerLine } from '../../present/header.ts';
import { fitLine, type Line, overlay, seg, textWidth } from '../../present/line.ts';
import type { Scene } from '../scene.ts';
import { footerLine, toastLines } from '../widgets/footer.ts';
import { overlayOn } from '../widgets/overlay.ts';
import { detailLines } from './detail.ts';
import { auditLines, daysLines, eventsLines, flowsLines, hostsLines, networkLines, sessionsLines } from './lists.ts';
import { overviewLines } from './overview.ts';

export const floor = { columns: 40, rows: 12 } as const;

const tooSmall = ({ columns, rows }: Scene['size']) => columns < floor.columns || rows < floor.rows;

/** Header, body and footer: exactly as many lines as the terminal has rows, none wider than it. */
export function screenLines(scene: Scene): Line[] {
  const { columns, rows } = scene.size;
  if (tooSmall(scene.size)) {
    const text = `sallyport needs ${floor.columns}x${floor.rows}; this is ${columns}x${rows}`;
    const short = textWidth(text) <= columns ? text : `needs ${floor.columns}x${floor.rows}`;
    return padded([[seg(short, 'busy')]], columns, rows);
  }
  const header = headerLine(
    {
      hostname: scene.picture?.snapshot.engine.hostname ?? '',
      views: scene.views,
      startedAt: scene.picture?.snapshot.engine.startedAt ?? '',
      now: scene.now,
      paused: scene.paused,
      warnings: scene.picture?.snapshot.warnings.length ?? 0,
      engine: scene.connection.is,
    },
    columns,
    scene.glyphs,
  );
  const said = toastLines(scene, columns);
  const last = said.length > 0 ? said : [footerLine(scene, columns)];
  // Something long stands on the body's last lines, so that nothing above it moves.
  const body = padded(bodyLines(scene, columns, rows - 2), columns, rows - 2).slice(0, rows - 1 - last.length);
  return [fitLine(header, columns), ...body, ...last.map((line) => fitLine(line, columns, scene.glyphs.ellipsis))];
}

/** The whole frame: the screen, and over it what is open. */
export function frameLines(scene: Scene): Line[] {
  const lines = screenLines(scene);
  if (tooSmall(scene.size)) return lines;
  const over = overlayOn(scene, scene.size.columns, scene.size.rows);
  return over === null ? lines : overlay(lines, over.lines, over.left, over.top);
}

function bodyLines(scene: Scene, width: number, height: number): Line[] {
  switch (scene.ui.view.is) {
    case 'overview':
      return overviewLines(scene, width, height);
    case 'detail':
      return detailLines(scene, width, height);
    case 'flows':
      return flowsLines(scene, width, height);
    case 'events':
      return eventsLines(scene, width, height);
    case 'hosts':
      return hostsLines(scene, width, height);
    case 'audit':
      return auditLines(scene, width, height);
    case 'days':
      return daysLines(scene, width, height);
    case 'network':
      return networkLines(scene, width, height);
    case 'sessions':
      return sessionsLines(scene, width, height);
  }
}

function padded(lines: readonly Line[], columns: number, rows: number): Line[] {
  return Array.from({ length: rows }, (_, i) => fitLine(lines[i] ?? [], columns));
}
