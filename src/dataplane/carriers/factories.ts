import { SallyportError } from '../../model/errors.ts';
import type { SshCarrier } from '../../model/host.ts';
import type { LinkFactory } from './link-context.ts';
import { createSsh2Link } from './ssh2/index.ts';

const absent: LinkFactory = (spec) => {
  throw new SallyportError('carrier_missing', `no ${spec.carrier} carrier in this build`);
};

/** What makes the link of each carrier. */
export const linkFactories: Readonly<Record<SshCarrier, LinkFactory>> = { ssh2: createSsh2Link, openssh: absent };
