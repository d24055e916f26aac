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
  await stage.press('ctrl+o');
  expect(stage.text()).toContain('jump hosts');
  await stage.press('ctrl+o');
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
