import type { Client } from '../client/client.ts';
import type { Home } from '../model/home.ts';

/** What the dashboard is given. */
export interface DashboardOptions {
  readonly client: () => Promise<Client>;
  readonly home: Home;
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
}

/** Runs until the person leaves; the exit code. */
export type RunDashboard = (options: DashboardOptions) => Promise<number>;

/** The one place React comes in, and only when somebody wants to look. */
export async function loadDashboard(): Promise<RunDashboard> {
  return (await import('../ui/main.tsx')).runDashboard;
}
