import type { Transport } from '../../model/ports.ts';
import type { GatewayCounters } from '../gateway.ts';
import { payloadBytes } from './conntrack.ts';
import type { FlowTable } from './flow-table.ts';
import { counterKinds, triggerId } from './kernel-triggers.ts';
import { ruleId } from './mappings.ts';
import type { Standing } from './standing.ts';
import type { TableKeeper } from './table-keeper.ts';
import { type Family, familyOf } from './values.ts';

interface CounterKind {
  readonly family: Family;
  readonly proto: Transport;
  readonly suffix: string;
}

/** Bytes and connections of each owner, summed over its rules. */
export class OwnerCounts {
  readonly #keeper: TableKeeper;
  readonly #flows: FlowTable;
  readonly #highWater = new Map<string, { rx: number; tx: number }>();
  /** Listing counters takes nft as long as the table is large, so an answer is good for a few times that long. */
  #goodUntil = 0;
  #last: ReadonlyMap<string, GatewayCounters> = new Map();

  constructor(keeper: TableKeeper, flows: FlowTable) {
    this.#keeper = keeper;
    this.#flows = flows;
  }

  /** After a change of the table: forgets what is no longer in it. */
  renew(standing: Standing | null): void {
    this.#goodUntil = 0;
    const ids = new Set(standing?.rules.map(ruleId));
    for (const { name } of standing?.triggers ?? []) ids.add(triggerId(name));
    for (const id of this.#highWater.keys()) if (!ids.has(id)) this.#highWater.delete(id);
  }

  async read(standing: Standing, fresh: boolean): Promise<ReadonlyMap<string, GatewayCounters>> {
    const begun = performance.now();
    if (begun < this.#goodUntil && !fresh) return this.#last;
    const counts = await this.#keeper.counters();
    const atMs = performance.now();
    const live = await this.#flows.countByOwner();
    const result = new Map<string, GatewayCounters>();
    const add = (owner: string, id: string, kinds: readonly CounterKind[]) => {
      const of = (name: string) => counts.get(name) ?? { packets: 0, bytes: 0 };
      const sum = { rx: 0, tx: 0, flowsTotal: 0 };
      for (const { family, proto, suffix } of kinds) {
        const started = of(`${id}_new${suffix}`).packets;
        sum.rx += payloadBytes(family, proto, of(`${id}_out${suffix}`), started);
        sum.tx += payloadBytes(family, proto, of(`${id}_in${suffix}`), started);
        sum.flowsTotal += started;
      }
      const before = this.#highWater.get(id) ?? { rx: 0, tx: 0 };
      // a header estimated too long must not make a total go back
      const total = { rx: Math.max(before.rx, sum.rx), tx: Math.max(before.tx, sum.tx) };
      this.#highWater.set(id, total);
      const so = result.get(owner);
      result.set(owner, {
        rx: total.rx + (so?.rx ?? 0),
        tx: total.tx + (so?.tx ?? 0),
        flows: live.get(owner) ?? 0,
        flowsTotal: sum.flowsTotal + (so?.flowsTotal ?? 0),
        refused: of(`${id}_refused`).packets + (so?.refused ?? 0),
        atMs,
      });
    };
    for (const rule of standing.rules) {
      add(rule.owner, ruleId(rule), [{ family: familyOf(rule.internal.address), proto: rule.proto, suffix: '' }]);
    }
    for (const { name } of standing.triggers) {
      add(
        name,
        triggerId(name),
        counterKinds.map((kind) => ({ ...kind, suffix: `_${kind.suffix}` })),
      );
    }
    this.#last = result;
    this.#goodUntil = performance.now() + 4 * (performance.now() - begun);
    return result;
  }
}
