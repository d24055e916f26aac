import type { Client } from '../client/client.ts';
import type { Home } from '../model/home.ts';
import { askBackground } from '../ui/background.ts';

/** What the dashboard is given. */
export interface DashboardOptions {
  readonly client: () => Promise<Client>;
  readonly home: Home;
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  /** Engine and home end with it, as a demo's do. */
  readonly throwAway?: boolean;
}

/**
 * Shows the dashboard until the person leaves; the exit code. The engine and the terminal are asked first: they answer
 * while the screen's code is read; React is read once the first frame stands.
 */
export async function openDashboard(options: DashboardOptions): Promise<number> {
  const { env, stdin, stdout } = options;
  const first = options.client();
  // Whoever takes it hears of its failure.
  first.catch(() => {});
  let early: Promise<Client> | null = first;
  const client = () => {
    const given = early ?? options.client();
    early = null;
    return given;
  };
  const background = askBackground(env, stdin, stdout);
  const { runDashboard } = await import('../ui/main.ts');
  return runDashboard({ ...options, client, background });
}
