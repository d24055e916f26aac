import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { protocolNames } from './protocol.ts';

const port = z.int().min(1).max(65_535);

const StoredLease = z.object({
  key: z.string(),
  owner: z.string(),
  proto: z.enum(['tcp', 'udp']),
  family: z.union([z.literal(4), z.literal(6)]),
  external: port,
  internal: z.object({ address: z.string(), port }),
  /** Router it was asked of. */
  gateway: z.string(),
  /** Null until one has granted it. */
  protocol: z.enum(protocolNames).nullable(),
  /** Hexadecimal. */
  nonce: z.string().regex(/^[0-9a-f]{24}$/),
  description: z.string(),
  handle: z.string().nullable(),
  /** ISO time after which the router has forgotten it; null: never. */
  expires: z.iso.datetime().nullable(),
});

const LeaseFile = z.object({
  version: z.literal(1),
  /** Tells this engine's entries in a router's list from those of another on this machine. */
  tag: z.string().regex(/^[0-9a-f]{4}$/),
  leases: z.array(StoredLease),
});

/** What must survive a crash so that a lease can be renewed, and deleted. */
export type StoredLease = z.infer<typeof StoredLease>;

/** The leases on disk. Mode 0600: whoever has a nonce can delete the mapping. */
export interface LeaseFile {
  readonly tag: string;
  readonly leases: readonly StoredLease[];
  /** Where a file that could not be read was put; null when all was well. */
  readonly setAside: string | null;
}

/** Reads what is there; a file that cannot be understood is put aside, not overwritten. */
export async function readLeases(file: string): Promise<LeaseFile> {
  const fresh = { tag: randomBytes(2).toString('hex'), leases: [] };
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { ...fresh, setAside: null };
    throw error;
  }
  try {
    return { ...LeaseFile.parse(JSON.parse(text)), setAside: null };
  } catch {
    const setAside = `${file}.unreadable`;
    await rename(file, setAside);
    return { ...fresh, setAside };
  }
}

/** Replaces the file whole, and returns only once it is on disk. */
export async function writeLeases(file: string, tag: string, leases: readonly StoredLease[]): Promise<void> {
  const temporary = `${file}.${process.pid}.new`;
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  try {
    const handle = await open(temporary, 'w', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify({ version: 1, tag, leases })}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
