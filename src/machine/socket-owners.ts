import { readdirSync, readlinkSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { processIds } from './processes.ts';

const socketLink = /^socket:\[(\d+)\]$/;

/**
 * Which process holds each of these sockets, from one pass over /proc/PID/fd that ends with the last one found.
 * A socket several processes share belongs to the oldest of them (the lowest id), except that process 1 comes last:
 * it keeps the listeners it hands to services. Processes we may not look into are passed over.
 */
export async function socketOwners(inodes: Iterable<number>): Promise<Map<number, number>> {
  const wanted = new Set(inodes);
  wanted.delete(0);
  const owners = new Map<number, number>();
  if (wanted.size === 0) return owners;
  const last = new Set([1, process.pid]);
  const all = processIds();
  const order = [...all.filter((pid) => !last.has(pid)), process.pid, 1];
  let looked = 0;
  for (const pid of order) {
    let files: string[];
    try {
      files = readdirSync(`/proc/${pid}/fd`);
    } catch {
      continue;
    }
    for (const file of files) {
      if (++looked % 512 === 0) await breathe();
      let link: string;
      try {
        link = readlinkSync(`/proc/${pid}/fd/${file}`);
      } catch {
        continue;
      }
      const inode = Number(socketLink.exec(link)?.[1]);
      if (!wanted.delete(inode)) continue;
      owners.set(inode, pid);
      if (wanted.size === 0) return owners;
    }
  }
  return owners;
}
