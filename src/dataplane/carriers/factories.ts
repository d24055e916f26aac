import { SallyportError } from '../../model/errors.ts';
import type { SshCarrier } from '../../model/host.ts';
import type { LinkFactory } from './link-context.ts';

const absent: LinkFactory = (spec) => {
  throw new SallyportError('carrier_missing', `no ${spec.carrier} carrier in this build`);
};

/** What makes the link of each carrier. */
export const linkFactories: Readonly<Record<SshCarrier, LinkFactory>> = { ssh2: absent, openssh: absent };
