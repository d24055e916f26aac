import { resolveInternal } from '../../machine/internal-host.ts';
import { normalAddress } from '../../model/cidr.ts';
import { SallyportError } from '../../model/errors.ts';
import type { Engine } from '../engine.ts';
import type { Handlers } from '../server.ts';

export function triggerHandlers(engine: Engine): Pick<Handlers, 'openTrigger' | 'closeTrigger' | 'tryTrigger'> {
  const triggerNamed = (name: string): string => {
    const forward = engine.desired.get(name);
    if (forward.kind !== 'trigger') {
      throw new SallyportError(
        'unsupported',
        `${name} is a ${forward.kind} forward, not a trigger`,
        `sallyport up ${name} and down ${name} switch it`,
      );
    }
    if (!forward.enabled)
      throw new SallyportError('unsupported', `${name} is not armed`, `sallyport up ${name} arms it`);
    return name;
  };
  const address = async (host: string) => normalAddress(host) ?? ((await resolveInternal(host))[0] as string);
  return {
    openTrigger: async ({ name, host, forMs }) => [
      ...(await engine.triggers.open(triggerNamed(name), await address(host), forMs)),
    ],
    closeTrigger: async ({ name }) => {
      await engine.triggers.close(triggerNamed(name));
      await engine.followed([name]);
      return null;
    },
    tryTrigger: async ({ name, host }) => {
      const listener = engine.state().forwards[triggerNamed(name)]?.listener;
      const from = await address(host);
      // What is not in force hears no call.
      if (listener?.is === 'failed') return { would: 'refuse', why: listener.error.message };
      return engine.triggers.trial(name, from);
    },
  };
}
