import type { SshCarrier } from '../../model/host.ts';
import type { LinkFactory } from './link-context.ts';
import { createOpensshLink } from './openssh/link.ts';
import { createSsh2Link } from './ssh2/index.ts';

/** What makes the link of each carrier. */
export const linkFactories: Readonly<Record<SshCarrier, LinkFactory>> = {
  ssh2: createSsh2Link,
  openssh: createOpensshLink,
};
