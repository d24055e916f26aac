import { type AddressSet, difference, everywhere, intersection, nowhere, union } from '../../../model/address-set.ts';
import { type BaseChain, match, type Packet } from './rules.ts';

/** The kernel allows 16 jumps; what goes deeper is no ruleset. */
const maxDepth = 64;
/** Rules looked at for one packet before nothing is claimed about it any more. */
const maxSteps = 2_000_000;
/** Pieces of the sources left, from which on a few more that are dropped make no difference worth the work. */
const manySpans = 64;

class TooMuch extends Error {}

/**
 * The sources a base chain may let in, never fewer than it does: what is uncertain counts as let in, and
 * a drop takes away only those it is sure to hit.
 */
export function mayPass({ policy, start, chains }: BaseChain, packet: Packet): AddressSet {
  let steps = 0;
  const accepted: AddressSet[] = [];
  const all = everywhere[packet.family];

  /** @returns the sources that may come out at the end of the chain */
  function walk(name: string, entering: AddressSet, depth: number): AddressSet {
    if (depth > maxDepth) throw new TooMuch();
    const returned: AddressSet[] = [];
    let left = entering;
    const rules = chains.get(name);
    if (rules === undefined) accepted.push(entering);
    for (const { when, verdict } of rules ?? []) {
      if (left.length === 0) break;
      if (++steps > maxSteps) throw new TooMuch();
      const { surely, maybe } = match(when, packet);
      if (maybe.length === 0) continue;
      const few = left.length > manySpans && surely.length < left.length && surely !== all;
      if (few && verdict.is === 'drop') continue;
      const taken = maybe === all ? left : intersection(left, maybe);
      if (taken.length === 0) continue;
      const passedOn = surely === all ? nowhere : few || surely.length === 0 ? left : difference(left, surely);
      switch (verdict.is) {
        case 'accept':
          accepted.push(taken);
          left = passedOn;
          break;
        case 'drop':
          left = passedOn;
          break;
        case 'return':
          returned.push(taken);
          left = passedOn;
          break;
        case 'jump':
          left = union(passedOn, walk(verdict.chain, taken, depth + 1));
          break;
        case 'goto':
          returned.push(walk(verdict.chain, taken, depth + 1));
          left = passedOn;
          break;
        case 'unknown':
          accepted.push(taken);
          break;
      }
    }
    return union(left, ...returned);
  }

  try {
    const rest = walk(start, all, 0);
    return union(...accepted, policy === 'accept' ? rest : nowhere);
  } catch (error) {
    if (error instanceof TooMuch) return all;
    throw error;
  }
}
