// The same things as sentences, for a screen reader: no frames, no graphs, the selected thing said first.

import type { ForwardView } from '../../model/snapshot.ts';
import { asciiGlyphs } from '../../present/glyphs.ts';
import { kindNames } from '../../present/kinds.ts';
import { plainText } from '../../present/line.ts';
import { count, formatRate } from '../../present/quantity.ts';
import { reasonOf } from '../../present/reason.ts';
import { stateLooks } from '../../present/states.ts';
import type { Scene } from '../scene.ts';
import { footerLine } from '../widgets/footer.ts';
import { overlayOn } from '../widgets/overlay.ts';
import { screenLines } from './screen.ts';

function forwardSentence(view: ForwardView, now: number): string {
  const reason = reasonOf(view, now, asciiGlyphs);
  const moves =
    view.rxRate + view.txRate > 0 ? `, receiving ${formatRate(view.rxRate)}, sending ${formatRate(view.txRate)}` : '';
  const where = view.target === null ? view.listen : `${view.listen} to ${view.target}`;
  const state = reason === null ? stateLooks[view.state].word : reason.text;
  return `${view.name}: ${state}. ${kindNames[view.kind]}, ${where}, ${count(view.flows, 'flow')}${moves}.`;
}

/** What is drawn with frames, without them: words only. */
function bare(line: string): string {
  return line
    .replace(/[^\p{L}\p{N}\p{P}\p{Sc}\s+<>=|~^$`]/gu, ' ')
    .replace(/[|+]|--+|\s+/g, ' ')
    .trim();
}

export function readerLines(scene: Scene): string[] {
  const { toast } = scene.ui;
  const plain: Scene = { ...scene, glyphs: asciiGlyphs, ui: { ...scene.ui, toast: null } };
  const footer = bare(toast?.text ?? plainText(footerLine(plain, 400)));
  const overlay = overlayOn(plain, 100, 60);
  if (overlay !== null)
    return [...overlay.lines.map((line) => bare(plainText(line))).filter((line) => line !== ''), footer];
  if (scene.ui.view.is !== 'overview' || scene.views.length === 0) {
    const lines = screenLines({ ...plain, size: { columns: 120, rows: 60 } });
    return [
      ...lines
        .slice(0, -1)
        .map((line) => bare(plainText(line)))
        .filter((line) => line !== ''),
      footer,
    ];
  }
  const { tunnels, mappings, triggers } = scene.rows;
  const all = [...tunnels, ...mappings, ...triggers].map(({ view }) => view);
  const up = all.filter(({ state }) => state === 'up').length;
  const selected = scene.forward === null ? [] : [`selected ${forwardSentence(scene.forward, scene.now)}`];
  const wrong = all.filter(({ state }) => state !== 'up' && state !== 'off' && state !== 'starting');
  return [
    `sallyport: ${up} of ${count(all.length, 'forward')} up.`,
    ...selected,
    ...wrong.filter(({ name }) => name !== scene.forward?.name).map((view) => forwardSentence(view, scene.now)),
    footer,
  ];
}
