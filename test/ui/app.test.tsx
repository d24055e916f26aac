import { render } from 'ink-testing-library';
import { afterEach, expect, test } from 'vitest';
import { App } from '../../src/ui/app.tsx';
import { createPainter } from '../../src/ui/paint.ts';
import { themes } from '../../src/ui/theme.ts';
import { openStage, type Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';

let stage: Stage | null = null;
afterEach(() => stage?.stop());

const plain = () => () => createPainter(themes.none, 1);
const bare = (frame: string | undefined) => (frame ?? '').replace(/\u001b\[[\d;]*m/g, '');

async function mount() {
  stage = await openStage({ columns: 90, rows: 26 });
  const { dashboard } = stage;
  const app = render(<App dashboard={dashboard} painter={plain()} onSuspendable={() => {}} />);
  return { app, stage };
}

test('draws the scene as it is, row by row', async () => {
  const { app, stage } = await mount();
  expect(
    bare(app.lastFrame())
      .split('\n')
      .map((line) => line.trimEnd()),
  ).toEqual(stage.text().split('\n'));
  app.unmount();
});

test('hands on the keys, several in one read as well', async () => {
  const { app, stage } = await mount();
  await until('the input to be listened to', () => {
    app.stdin.write('j');
    return stage.scene().place?.index !== 0;
  });
  const before = stage.scene().place?.index ?? 0;
  app.stdin.write('jj\r');
  await until('the details', () => stage.scene().ui.view.is === 'detail');
  expect(stage.scene().forward?.name).toBe(stage.engine.snapshot().order[before + 2]);
  app.unmount();
});

test('takes nothing with it when it goes', async () => {
  const { app, stage } = await mount();
  app.unmount();
  stage.dashboard.press('j');
  expect(bare(app.lastFrame())).not.toContain('undefined');
});
