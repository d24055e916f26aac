import type { Actions } from '../actions/actions.ts';
import type { KeyName } from '../keys.ts';
import type { Context, Scene } from '../scene.ts';

export interface Binding {
  readonly id: string;
  readonly keys: readonly KeyName[];
  readonly contexts: readonly Context[];
  /** One or two words for the footer. */
  readonly label: string;
  /** What the footer says instead where the key does the opposite now. */
  readonly labelNow?: (scene: Scene) => string;
  /** One sentence for help and docs. */
  readonly help: string;
  /** The same where nothing outlives the dashboard, if that makes it untrue. */
  readonly throwAwayHelp?: string;
  /** True, or why not now. */
  readonly enabled: (scene: Scene) => true | string;
  readonly run: (actions: Actions, key: KeyName) => void;
  /** Place in the footer, the lowest first; absent: not shown there. */
  readonly footer?: number;
  /** The contexts whose footer has room for it; absent: all of its own. */
  readonly footerIn?: readonly Context[];
}

export type Test = (scene: Scene) => true | string;

export const views: readonly Context[] = [
  'overview',
  'detail',
  'flows',
  'events',
  'hosts',
  'audit',
  'days',
  'network',
  'sessions',
];

/** What a key does, as it is true here. */
export const helpOf = ({ help, throwAwayHelp }: Binding, { throwAway }: Pick<Scene, 'throwAway'>): string =>
  throwAway ? (throwAwayHelp ?? help) : help;

/** Why nothing can be asked of the engine. */
export const engineMissing = ({ is }: Scene['connection']): string =>
  is === 'stopped' ? 'the engine was stopped; R starts it' : 'the engine is not there';

export const always: Test = () => true;
export const needsEngine: Test = ({ connection }) => connection.is === 'connected' || engineMissing(connection);
export const needsForward: Test = (scene) => scene.forward !== null || 'no forward is selected';

/** All of these; the first that says no says why. */
export const both =
  (...tests: readonly Test[]): Test =>
  (scene) => {
    for (const test of tests) {
      const answer = test(scene);
      if (answer !== true) return answer;
    }
    return true;
  };

export const onForward = both(needsEngine, needsForward);

/** The element after this one, round and round. */
export const next = <T>(list: readonly T[], current: T): T => list[(list.indexOf(current) + 1) % list.length] as T;

/** Rows a page key moves. */
export const page = (scene: Scene) => Math.max(1, Math.floor(scene.size.rows / 2));
