import { afterEach, expect, test } from 'vitest';
import { Forward } from '../../src/model/config.ts';
import { lineWidth, plainText } from '../../src/present/line.ts';
import { frameLines, screenLines } from '../../src/ui/screens/screen.ts';
import { frozenAt } from '../support/frozen.ts';
import { empty, unknownHostKey, workday } from '../support/scenario.ts';
import { openStage, type Stage } from '../support/stage.ts';

let stage: Stage | null = null;
afterEach(() => stage?.stop());
const iso = (ms: number) => new Date(ms).toISOString();
const called = (method: string) => stage?.engine.calls.filter((call) => call.method === method) ?? [];
const selectedName = () => stage?.scene().forward?.name;

test('the first picture, its graph included, is there as soon as the engine has answered', async () => {
  stage = await openStage({ openMs: 0 });
  expect(stage.scene().picture?.snapshot.order).toHaveLength(16);
  expect(stage.scene().samples.seeded(null)).toBe(true);
});

test('the cursor stays with its forward when rows before it go, and with its place when it goes itself', async () => {
  stage = await openStage();
  await stage.press('j', 'j');
  expect(selectedName()).toBe('postgres');
  stage.engine.change((before) => ({ ...before, order: before.order.filter((name) => name !== 'intra') }));
  await stage.settle();
  expect(selectedName()).toBe('postgres');
  stage.engine.change((before) => ({ ...before, order: before.order.filter((name) => name !== 'postgres') }));
  await stage.settle();
  expect(stage.scene().place?.index).toBe(2);
});

test('space acts on all that are marked, and delete asks first', async () => {
  stage = await openStage();
  await stage.press('v', 'v', 'space');
  expect(called('down')[0]?.params).toEqual({ names: ['intra', 'web'] });
  await stage.press('d');
  expect(called('remove')).toHaveLength(0);
  await stage.press('n');
  expect(called('remove')).toHaveLength(0);
  await stage.press('d', 'y');
  expect(called('remove')[0]?.params).toEqual({ names: ['intra', 'web'] });
  await stage.press('u');
  expect(stage.engine.snapshot().order).toContain('intra');
});

test('a key that cannot be used says why', async () => {
  stage = await openStage();
  await stage.press('u');
  expect(stage.scene().ui.toast?.text).toBe('there is nothing to undo');
  await stage.press('o');
  expect(stage.scene().ui.toast?.text).toBe('only a trigger can be opened by hand');
});

test('what went wrong is said whole and stays until the next key; other news goes by itself', async () => {
  stage = await openStage({ columns: 60, rows: 24 });
  await stage.press('V');
  expect(stage.text()).toContain('nothing is marked');
  await stage.settle(6000);
  expect(stage.text()).not.toContain('nothing is marked');
  stage.engine.kill();
  await stage.press('space');
  await stage.settle(60_000);
  expect(stage.text()).toContain('the engine ended while it was asked');
  await stage.press('j');
  expect(stage.text()).not.toContain('the engine ended while it was asked');
  const text = 'port 8080 on 127.0.0.1 is held by a program of long name; stop it, or give this forward another port';
  const { ui } = stage.scene();
  const lines = screenLines({ ...stage.scene(), ui: { ...ui, toast: { text, role: 'bad' } } }).map(plainText);
  expect(lines).toHaveLength(24);
  expect(
    lines
      .slice(-2)
      .map((line) => line.trim())
      .join(' '),
  ).toBe(text);
});

test('a long event is whole under the cursor; any row but the last is read in peace', async () => {
  stage = await openStage({ columns: 60, rows: 24 });
  await stage.press('l');
  stage.engine.event('error', 'intra', 'host_key_changed', `the key is ${'not the one it was '.repeat(6)}at all`);
  await stage.settle();
  expect(stage.text()).toContain('at all');
  await stage.press('k');
  expect(stage.scene().ui.follow).toBe(false);
  expect(stage.text()).not.toContain('at all');
  await stage.press('G');
  expect(stage.scene().ui.follow).toBe(true);
});

test('the filter covers all panels; enter keeps it, esc clears it', async () => {
  stage = await openStage();
  await stage.press('/');
  await stage.type('port:25565');
  expect(stage.scene().ids).toEqual(['minecraft']);
  await stage.press('enter');
  expect(stage.scene().context).toBe('overview');
  expect(stage.scene().ids).toEqual(['minecraft']);
  await stage.press('esc');
  expect(stage.scene().ids).toHaveLength(16);
});

test('prompts queue, vanish when answered elsewhere, and do not take keys meant for a form', async () => {
  stage = await openStage();
  await stage.press('n', 'l');
  await stage.type('8');
  const [first] = workday.prompts(iso, frozenAt);
  if (first === undefined) throw new Error('the scenario has no prompt');
  stage.engine.change((before) => ({ ...before, prompts: [first, unknownHostKey(iso, frozenAt)] }));
  await stage.type('0');
  expect(stage.scene().context).toBe('prompt');
  expect(stage.scene().ui.prompt?.fields[0]?.text ?? '').toBe('');
  await stage.settle(1000);
  await stage.type('pw');
  await stage.press('enter');
  expect(called('answer')[0]?.params).toEqual({ prompt: 'p1', answer: { answers: ['pw'], remember: 'engine' } });
  expect(stage.scene().context).toBe('hostkey');
  stage.engine.change((before) => ({ ...before, prompts: [] }));
  await stage.settle();
  expect(stage.scene().context).toBe('form');
});

test('a question that was put off comes up again for whoever comes to wait for it, and only then', async () => {
  stage = await openStage({ prompts: true });
  expect(stage.scene().context).toBe('prompt');
  await stage.press('esc');
  expect(stage.scene().context).toBe('overview');
  stage.engine.change((before) => ({ ...before, warnings: [] }));
  await stage.settle();
  expect(stage.scene().context).toBe('overview');
  // Another forward over the same connection, so the same question.
  const waits = (enabled: boolean) =>
    stage?.engine.change((before) => {
      const { scratch } = before.forwards;
      if (scratch === undefined) throw new Error('the scenario has no scratch');
      const config = { ...scratch.config, enabled };
      return { ...before, forwards: { ...before.forwards, scratch: { ...scratch, config, link: 'laptop' } } };
    });
  for (let time = 0; time < 2; time++) {
    waits(true);
    await stage.settle();
    expect(stage.scene().context).toBe('prompt');
    await stage.press('esc');
    waits(false);
    // Stopped and started within one frame.
    waits(time === 1);
    await stage.settle();
    expect(stage.scene().context).toBe(time === 1 ? 'prompt' : 'overview');
  }
  await stage.press('esc');
  for (let i = 0; i < 40 && selectedName() !== 'office'; i++) await stage.press('j');
  await stage.press('r');
  stage.engine.change((before) => ({ ...before }));
  await stage.settle();
  expect(stage.scene().context).toBe('prompt');
});

test('a new question of the same host comes up, however soon after the one that was put off', async () => {
  stage = await openStage({ prompts: true });
  await stage.press('esc');
  stage.engine.change((before) => ({ ...before, prompts: before.prompts.map((old) => ({ ...old, id: 'p9' })) }));
  await stage.settle();
  expect(stage.scene().context).toBe('prompt');
});

test.each([
  [120, 40],
  [40, 12],
])(
  'a host key is told in full and once at %i×%i, with what the server says of it where there is room',
  async (columns, rows) => {
    stage = await openStage({ columns, rows });
    const prompt = {
      ...unknownHostKey(iso, frozenAt),
      instructions: `The host is known by other keys: ${'RSA, '.repeat(30)}`,
    };
    stage.engine.change((before) => ({ ...before, prompts: [prompt] }));
    await stage.settle();
    const text = stage.text();
    const joined = text.replace(/[^A-Za-z0-9+/]/g, '');
    expect(joined.split((prompt.fingerprint ?? '').replace('SHA256:', '')).length).toBe(2);
    expect(text.includes('known by other keys')).toBe(rows === 40);
    expect(text).toMatch(/trust it\?[\s\S]*enter answer[\s\S]*╰/);
  },
);

test.each([
  ['y', 'enter'],
  ['y', 'e', 's', 'enter'],
  ['y', null],
])('a host key is accepted by %s', async (...keys) => {
  stage = await openStage();
  stage.engine.change((before) => ({ ...before, prompts: [unknownHostKey(iso, frozenAt)] }));
  await stage.settle();
  for (const key of keys) {
    if (key === null) await stage.settle(2000);
    else await stage.press(key);
  }
  expect(called('answer').map(({ params }) => params)).toEqual([{ prompt: 'p2', answer: { hostKey: 'yes' } }]);
});

test('an engine stopped on purpose is not started again until asked', async () => {
  stage = await openStage();
  stage.engine.stop();
  await stage.settle();
  stage.engine.back();
  await stage.settle(5000);
  expect(stage.scene().connection.is).toBe('stopped');
  expect(stage.text()).toContain('engine stopped, R starts it');
  expect(stage.text()).not.toContain('waiting');
  await stage.press('space');
  expect(stage.text()).toContain('the engine was stopped; R starts it');
  await stage.press('R');
  await stage.settle(500);
  expect(stage.scene().connection.is).toBe('connected');
});

test('nothing moves: no timer, no redraw', async () => {
  stage = await openStage({ scenario: empty });
  await stage.settle(400_000);
  const scene = stage.scene();
  await stage.settle(60_000);
  expect(stage.scene()).toBe(scene);
});

test('a failure rings once, if wanted', async () => {
  stage = await openStage({ scenario: { ...workday, settings: { notify: true } } });
  expect(stage.notified).toEqual([]);
  stage.engine.change((before) => ({
    ...before,
    forwards: {
      ...before.forwards,
      web: {
        ...(before.forwards.web as NonNullable<typeof before.forwards.web>),
        listener: { is: 'failed', error: { code: 'port_taken', message: 'port 8443 is taken', hint: '' } },
      },
    },
  }));
  await stage.settle();
  stage.engine.pulse();
  await stage.settle();
  expect(stage.notified).toEqual(['sallyport: web failed: port 8443 is taken']);
});

test('editing sends only what changed', async () => {
  stage = await openStage();
  await stage.press('j', 'e');
  await stage.press('ctrl+u');
  await stage.type('9443');
  await stage.press('ctrl+s');
  expect(called('edit')[0]?.params).toEqual({ name: 'web', patch: { listen: { port: 9443 } } });
});

test('a form filled in and saved before the schema is there is saved once it is', async () => {
  const schema = Promise.withResolvers<typeof Forward>();
  stage = await openStage({ schema: schema.promise });
  await stage.press('n', 'm');
  await stage.type('minecraft\t\t192.168.1.9');
  await stage.press('ctrl+s');
  expect(called('add')).toHaveLength(0);
  schema.resolve(Forward);
  await stage.settle();
  expect(called('add').flatMap(({ params }) => (params as { forwards: unknown[] }).forwards)).toMatchObject([
    { listen: { port: 25565 }, target: { host: '192.168.1.9', port: 25565 } },
  ]);
});

test('a form open when the schema comes says what it comes to', async () => {
  const schema = Promise.withResolvers<typeof Forward>();
  stage = await openStage({ schema: schema.promise });
  await stage.press('j', 'e');
  expect(stage.text()).toContain('edit web');
  expect(called('preview')).toHaveLength(0);
  schema.resolve(Forward);
  await stage.settle(300);
  expect(called('preview')).toHaveLength(1);
});

test('a preset with several ranges makes several mappings', async () => {
  stage = await openStage();
  await stage.press('n', 'm');
  await stage.type('rust-server\t\t192.168.1.9');
  await stage.press('ctrl+s');
  expect(called('add').flatMap(({ params }) => (params as { forwards: unknown[] }).forwards)).toMatchObject([
    { name: 'rust-server-1', listen: { port: 28015 }, target: { host: '192.168.1.9', port: 28015 } },
    { name: 'rust-server-2', listen: { port: 28017 }, target: { host: '192.168.1.9', port: 28017 } },
  ]);
});

test('the palette finds forwards and actions, and says what cannot be done', async () => {
  stage = await openStage();
  await stage.press(':');
  await stage.type('mine');
  await stage.press('enter');
  expect(stage.scene().ui.view).toEqual({ is: 'detail', forward: 'minecraft' });
});

test('what is said to be marked is there, and what of it a filter hides is said', async () => {
  stage = await openStage();
  await stage.press('v', 'v');
  expect(stage.text()).toContain('2 marked');
  await stage.press('/');
  await stage.type('web');
  expect(stage.text()).toContain('2 marked, 1 hidden');
  await stage.press('esc', 'd', 'y');
  await stage.settle();
  expect(stage.text()).not.toContain('marked');
  await stage.press('u');
  await stage.settle();
  expect(stage.text()).toContain('2 marked');
});

test.each([
  [80, 24],
  [40, 12],
])('the help says all there is to say at %i×%i', async (columns, rows) => {
  stage = await openStage({ columns, rows });
  await stage.press('?');
  let seen = stage.text();
  for (let i = 0; i < 20; i++) {
    await stage.press('space');
    seen += stage.text();
  }
  expect(seen).toContain('degraded');
  expect(seen).toContain('what is sent to them');
  for (const column of ['name:', 'port:', 'note:']) expect(seen).toContain(column);
  expect(seen.split('\n').filter((line) => line.startsWith('│') && line.includes('…'))).toEqual([]);
});

test('the help comes back from its end with the first key', async () => {
  stage = await openStage({ columns: 80, rows: 24 });
  await stage.press('?', ...Array<string>(30).fill('space'));
  const end = /(\d+)-(\d+) of \2 /.exec(stage.text());
  expect(end).not.toBeNull();
  await stage.press('k');
  expect(stage.text()).toContain(`${Number(end?.[1]) - 1}-`);
  await stage.press('g');
  expect(stage.text()).toContain('help · overview');
  expect(stage.text()).toMatch(/ 1-\d+ of/);
  await stage.press('G');
  expect(stage.text()).toContain(end?.[0]);
});

test('sessions are made, renamed, filled and shown', async () => {
  stage = await openStage();
  await stage.press('v', 'v', 'm');
  await stage.type('lab!');
  await stage.press('enter');
  expect(stage.text()).toContain('a name has 1 to 64 of');
  expect(stage.scene().context).toBe('ask');
  await stage.press('backspace');
  await stage.press('enter');
  const inLab = ({ scene }: NonNullable<typeof stage>) =>
    scene()
      .views.filter(({ session }) => session === 'lab')
      .map(({ name }) => name);
  expect(inLab(stage)).toHaveLength(3);
  await stage.press('u');
  expect(inLab(stage)).toEqual(['scratch']);
  await stage.press('V', 'g', 'm');
  await stage.type('lab');
  await stage.press('enter');
  expect(called('move')[1]?.params).toEqual({ names: ['intra'], session: 'lab' });
  await stage.press('S', 'j', 'j', 'enter');
  expect(stage.scene().ids).toEqual(['intra', 'scratch']);
});

test('a form blames no field for what is still to be typed, and says by example what is wrong in one that was left', async () => {
  stage = await openStage();
  await stage.press('n', 'l');
  await stage.type('18080');
  expect(stage.text()).toMatch(/✓ listen on +18080/);
  expect(stage.text()).not.toContain('✖ listen on');
  await stage.press('tab');
  await stage.type('intra');
  expect(stage.text()).toMatch(/ {2}target +intra/);
  expect(stage.text()).toContain('target: HOST:PORT');
  await stage.press('tab');
  expect(stage.text()).toMatch(/✖ target +intra/);
  await stage.press('shift+tab');
  await stage.type(':80');
  expect(stage.text()).toMatch(/✓ target +intra:80/);
  await stage.press('ctrl+u');
  await stage.type('2001:db8::1');
  expect(stage.text()).toContain('an IPv6 address in brackets');
});

test('a form offers hosts, machines and presets, and tab finishes what is begun', async () => {
  stage = await openStage();
  await stage.press('n', 'd');
  await stage.type('1081\tgat');
  expect(stage.text()).toContain(' gate ');
  await stage.press('tab');
  expect(stage.scene().ui.overlays.at(-1)).toMatchObject({ fields: { host: { text: 'gate' } } });
  await stage.press('shift+tab', 'ctrl+u');
  await stage.type('gat');
  await stage.press('ctrl+n', 'enter');
  expect(stage.scene().ui.overlays.at(-1)).toMatchObject({ fields: { host: { text: 'gate' } } });
  await stage.press('esc', 'n', 'm');
  await stage.type('minecraft\t\tgamebox');
  await stage.settle();
  expect(stage.text()).toContain('192.168.1.20  gamebox, reserved lease');
  await stage.press('ctrl+n', 'enter');
  expect(stage.scene().ui.overlays.at(-1)).toMatchObject({
    fields: { listen: { text: '25565' }, target: { text: '192.168.1.20' } },
  });
});

test('flows, events, hosts and open ports are filtered too; esc clears the filter before it goes back', async () => {
  stage = await openStage();
  await stage.press('f');
  const all = stage.scene().ids.length;
  await stage.press('/');
  await stage.type('postgres !nobody');
  await stage.press('enter');
  expect(stage.scene().ids.length).toBeGreaterThan(0);
  expect(stage.scene().ids.length).toBeLessThan(all);
  expect(stage.text()).toContain(`flows · ${stage.scene().ids.length} of ${all}`);
  await stage.press('l', '/');
  await stage.type('no such thing');
  expect(stage.text()).toContain('nothing here matches the filter');
  await stage.press('enter', 'h', '/');
  await stage.type('bastion');
  await stage.press('enter');
  expect(stage.scene().ids).toHaveLength(1);
  await stage.press('a', '/');
  await stage.type('port:25565');
  await stage.press('enter');
  expect(stage.scene().ids).toHaveLength(1);
  await stage.press('esc');
  expect(stage.scene().ui.view.is).toBe('audit');
  await stage.press('esc', 'esc', 'esc', 'esc', 'esc', 'esc', 'esc');
  expect(stage.scene().ui.view.is).toBe('overview');
  expect(stage.scene().ids).toHaveLength(16);
});

test('what the firewall makes of an open port is said under the list, or that it could not be read', async () => {
  const row = {
    proto: 'tcp',
    address: '0.0.0.0',
    port: 9100,
    owner: 'node',
    layer: 'firewall',
    finding: null,
  } as const;
  const open = { ...row, port: 9200, reach: 'world', layer: 'address' } as const;
  const audit = [{ ...row, reach: 'lan' } as const, { ...row, port: 9101, reach: 'host' } as const, open];
  stage = await openStage({ scenario: { ...workday, audit } });
  await stage.press('a');
  await stage.settle();
  expect(stage.text()).toContain('tcp/9100 · decided by firewall');
  expect(stage.text()).toContain('the firewall of this machine lets only local networks in');
  await stage.press('j');
  expect(stage.text()).toContain('the firewall of this machine lets nobody in from outside');
  await stage.press('j');
  expect(stage.text()).not.toContain('the firewall of this machine');
  stage.stop();
  const unreadFirewall = { code: 'gateway_denied' as const, message: 'no right', hint: '' };
  stage = await openStage({ scenario: { ...workday, audit: [open], unreadFirewall } });
  await stage.press('a');
  await stage.settle();
  expect(stage.text()).toContain('could not be read (it takes CAP_NET_ADMIN)');
});

test('a row of events, of the audit or of the hosts leads on to its forward', async () => {
  stage = await openStage();
  await stage.press('l');
  await stage.settle();
  // The newest event is under the cursor, as shown, and it is about this one.
  expect(selectedName()).toBe('ldap');
  await stage.press('space', 'o');
  expect(stage.text()).toContain('only ldap');
  await stage.press('enter');
  expect(stage.scene().ui.view).toEqual({ is: 'detail', forward: 'ldap' });
  await stage.press('h', '/');
  await stage.type('pr.example.com');
  await stage.press('enter', 'enter');
  expect(stage.text()).toContain('filter host:pr.example.com');
  expect(stage.scene().ids.length).toBeLessThan(16);
  await stage.press('f', '2');
  expect(stage.scene().ui.view.is).toBe('overview');
});

test('what a section of the details has no room for is reached by moving in it', async () => {
  stage = await openStage({ columns: 80, rows: 24 });
  await stage.press(':');
  await stage.type('registry');
  await stage.press('enter', 'tab', 'tab', 'tab');
  expect(stage.text()).toContain('[config]');
  expect(stage.text()).not.toMatch(/target\.port +5000/);
  await stage.press('G');
  expect(stage.text()).toMatch(/target\.port +5000/);
  await stage.press('shift+tab', 'shift+tab');
  expect(stage.scene().place?.index).toBe(stage.scene().ids.length - 1);
});

test('the choice under the cursor has its background from edge to edge', async () => {
  stage = await openStage();
  await stage.press(',');
  const marked = frameLines(stage.scene()).find((line) => plainText(line).includes('theme: auto')) ?? [];
  const text = plainText(marked);
  const back = marked.filter((segment) => segment.back === 'select');
  expect(lineWidth(back)).toBe(text.indexOf('│', text.indexOf('▌')) - text.indexOf('▌'));
});

test('settings are changed from the dashboard, and it follows at once', async () => {
  stage = await openStage();
  await stage.press(',');
  expect(stage.text()).toContain('theme: auto');
  await stage.press('t', 'l');
  await stage.settle();
  expect(called('saveSettings')[0]?.params).toEqual({ patch: { theme: 'light' } });
  expect(stage.scene().picture?.snapshot.settings.theme).toBe('light');
  await stage.press(',', 'a');
  await stage.settle();
  expect(stage.scene().glyphs.ascii).toBe(true);
  expect(stage.text()).not.toContain('●');
});

test('what the engine reads when it starts, or for what is new, is set from the dashboard too', async () => {
  stage = await openStage();
  await stage.press(',', 's');
  expect(stage.text()).toMatch(/keepalive every +5 /);
  await stage.press('backspace');
  await stage.type('soon');
  await stage.press('enter');
  expect(stage.text()).toContain('"soon" is not a whole number');
  expect(stage.scene().context).toBe('ask');
  await stage.press('ctrl+u');
  await stage.type('20');
  await stage.press('enter');
  expect(stage.text()).toContain('keepalive every: 20, for new connections');
  for (const [key, text] of [
    ['w', 'auto'],
    ['w', '2'],
    ['m', 'off'],
    ['p', 'off'],
    ['u', '250'],
  ] as const) {
    await stage.press(',', key, 'ctrl+u');
    await stage.type(text);
    await stage.press('enter');
  }
  expect(called('saveSettings').map(({ params }) => (params as { patch: unknown }).patch)).toEqual([
    { keepaliveSeconds: 20 },
    { workers: 'auto' },
    { workers: 2 },
    { metrics: false },
    { probe: false },
    { refreshMs: 250 },
  ]);
  await stage.resize(40, 12);
  await stage.press(',', 's');
  await stage.press('esc', ',', 'up');
  expect(stage.text()).toContain('metrics: off');
  expect(stage.text()).not.toContain('theme: auto');
  expect(stage.text()).toContain('take');
});

test('where a forward listens is copied as a client takes it', async () => {
  stage = await openStage();
  await stage.press('Y');
  await stage.press('2', 'Y');
  expect(stage.copied).toEqual(['127.0.0.1:8080', 'ams-jump:25565']);
  await stage.press('y');
  expect(stage.copied.at(-1)).toContain('nft');
});

test('a form shows every field that says something already', async () => {
  stage = await openStage();
  await stage.press('e');
  expect(stage.text()).not.toContain('allow only');
  await stage.press('esc');
  stage.engine.change((before) => {
    const { intra } = before.forwards;
    if (intra === undefined) throw new Error('the scenario has no intra');
    const config = { ...intra.config, allow: ['10.0.0.0/8'] };
    return { ...before, forwards: { ...before.forwards, intra: { ...intra, config } } };
  });
  await stage.settle();
  await stage.press('e');
  expect(stage.text()).toMatch(/allow only +10\.0\.0\.0\/8/);
  expect(stage.text()).not.toContain('jump hosts');
  expect(stage.text()).toContain('ctrl+o more fields');
  await stage.press('ctrl+o');
  expect(stage.text()).toContain('jump hosts');
  expect(stage.text()).toContain('ctrl+o fewer fields');
  await stage.press('ctrl+o');
  expect(stage.text()).toContain('ctrl+o more fields');
  expect(stage.text()).toContain('allow only');
});

test('shows what a new engine tells, after the one before was lost', async () => {
  stage = await openStage();
  await stage.press('l');
  stage.engine.event('info', 'intra', 'up', 'told by the old engine');
  await stage.settle();
  expect(stage.text()).toContain('told by the old engine');
  stage.engine.kill();
  await stage.settle();
  stage.engine.back();
  stage.engine.event('info', 'intra', 'up', 'told before anybody looked');
  await stage.settle(3000);
  stage.engine.event('info', 'intra', 'up', 'told by the new engine');
  await stage.settle();
  expect(stage.text()).not.toContain('told by the old engine');
  expect(stage.text()).toContain('told before anybody looked');
  expect(stage.text()).toContain('told by the new engine');
});

test('asks for the events it was too slow for', async () => {
  stage = await openStage();
  const { engine } = stage;
  await stage.press('l');
  engine.outrun(() => engine.event('info', 'intra', 'up', 'told too fast'));
  await stage.settle(3000);
  expect(stage.text()).toContain('told too fast');
});

/** Goes to the field of this label and types into it. */
async function fill(label: string, text: string) {
  if (stage === null) throw new Error('no stage');
  for (let i = 0; i < 40; i++) await stage.press('shift+tab');
  for (let i = 0; i < 40 && !new RegExp(`▌.. ?${label} `).test(stage.text()); i++) await stage.press('tab');
  await stage.press('ctrl+u');
  await stage.type(text);
}

test('a trigger is given all it can have in the form', async () => {
  stage = await openStage();
  await stage.press('n', 't', 'tab');
  await stage.type('tcp/6660-6669\ttcp/113');
  expect(stage.text()).not.toContain('calls from');
  await stage.press('ctrl+o');
  await fill('calls from', '192.168.1.0/24, 10.0.0.7');
  await fill('calls to', '198.51.100.7');
  await fill('second host', 'la');
  await fill('open at most', '2h');
  await fill('cut at closing', 'y');
  await fill('rate at most', '2M');
  await fill('down again in', '1h');
  const text = stage.text().replace(/[ │]+/g, ' ');
  expect(text).toContain('when a host in 192.168.1.0/24 or 10.0.0.7 calls');
  expect(text).toContain('it goes down by itself at');
  await stage.press('ctrl+s');
  expect(called('add')[0]?.params).toMatchObject({
    forwards: [
      {
        kind: 'trigger',
        from: ['192.168.1.0/24', '10.0.0.7'],
        to: ['198.51.100.7'],
        second: 'last',
        maxOpen: '2h',
        closeFlows: true,
        rate: 2_000_000,
        until: expect.stringMatching(/^2026-11-22T14:4/),
      },
    ],
  });
});

test('what a form offers is seen while it is picked, however many fields there are', async () => {
  stage = await openStage({ columns: 80, rows: 24 });
  await stage.press('n', 't', 'ctrl+o');
  await fill('second host', '');
  expect(stage.text()).toContain('first  a second host waits');
  await stage.resize(40, 12);
  await stage.press('ctrl+n', 'ctrl+n');
  expect(stage.text()).toContain(' last  a second');
});

test('a form has the fields its gateway has a use for, and those that say something', async () => {
  stage = await openStage();
  const shown = (label: string) => stage?.text().includes(label);
  await stage.press('n', 'm', 'ctrl+o');
  expect([shown('PROXY protocol'), shown('masquerade'), shown('kernel helper')]).toEqual([true, false, false]);
  await fill('PROXY protocol', 'yes');
  await fill('by', 'nftables');
  expect([shown('PROXY protocol'), shown('masquerade'), shown('kernel helper')]).toEqual([true, true, true]);
  expect(shown('idle flows end')).toBe(false);
});

test('what a form is not told to change is not sent', async () => {
  stage = await openStage();
  const until = new Date(frozenAt + 90_500).toISOString();
  stage.engine.change((before) => {
    const { irc } = before.forwards;
    if (irc?.config.kind !== 'trigger') throw new Error('the scenario has no irc');
    const config = { ...irc.config, closeFlows: false, rate: 1234, until, from: ['10.0.0.0/8'] };
    return { ...before, forwards: { ...before.forwards, irc: { ...irc, config } } };
  });
  await stage.settle();
  await stage.press('3', 'e');
  expect(stage.text()).toMatch(/cut at closing +no/);
  expect(stage.text()).toMatch(/down again in +2m/);
  expect(stage.text()).not.toMatch(/second host {2}/);
  await fill('rate at most', '');
  await stage.press('ctrl+s');
  expect(called('edit')[0]?.params).toEqual({ name: 'irc', patch: { rate: null } });
});

test('ssh options, a login and how often to try it are given in the form', async () => {
  stage = await openStage();
  await stage.press('n', 'd', 'ctrl+o', 'ctrl+u');
  await stage.type('1081\tgate');
  await fill('clients log in', 'ops:secret');
  await stage.press('tab');
  expect(stage.text()).toContain('the file by its whole path');
  await stage.press('shift+tab');
  await fill('clients log in', 'ops:/etc/secret');
  await fill('ssh options', "Compression=yes 'ProxyCommand ssh -W %h:%p x'");
  await fill('tried every', 'off');
  await stage.press('ctrl+s');
  expect(called('add')[0]?.params).toMatchObject({
    forwards: [
      {
        login: { user: 'ops', passwordFile: '/etc/secret' },
        ssh: { options: ['Compression=yes', 'ProxyCommand=ssh -W %h:%p x'] },
        probe: false,
      },
    ],
  });
});

test('leaving is said to end a demo, and to end nothing else', async () => {
  stage = await openStage();
  expect(stage.text()).toContain('leave (forwards stay up)');
  stage.stop();
  stage = await openStage({ throwAway: true });
  expect(stage.text()).toContain('leave (the demo ends)');
  await stage.press('?', ...Array<string>(60).fill('j'));
  expect(stage.text()).toContain('leave; the demo ends and its home is removed');
  expect(stage.text()).not.toContain('stay up');
  await stage.press('esc', ':');
  await stage.type('leave');
  expect(stage.text()).toContain('the demo ends');
});

test('a trigger that nobody called says so, for its events are the calls', async () => {
  stage = await openStage();
  await stage.press('3', 'j', 'enter');
  expect(selectedName()).toBe('battlenet');
  expect(stage.text()).toContain('nobody has called yet');
});
