import type { Kernel, NftObject } from './command.ts';
import { configMark, deltaText, fullText, nothingCarried, type Ruleset } from './ruleset.ts';
import { type Count, carriedFrom, countersOf, setNames, type TimedElement, timedElementsOf } from './table-state.ts';

const comment = 'made by sallyport, do not edit: changes are overwritten';

/** What `make` found to do. */
export type Made = 'unchanged' | 'adopted' | 'changed' | 'replaced';

/**
 * Keeps one table in the kernel at a wanted content, each change one transaction. What a former engine left is adopted
 * where it is the same, else replaced with its counters and live owners. Calls must not overlap.
 */
export class TableKeeper {
  readonly #kernel: Kernel;
  readonly #table: string;
  #installed: Ruleset | null = null;
  #counters = new Map<string, Count>();
  #timed = new Map<string, TimedElement[]>();
  #timedAt = 0;

  constructor(kernel: Kernel, table: string) {
    this.#kernel = kernel;
    this.#table = table;
  }

  get installed(): Ruleset | null {
    return this.#installed;
  }

  /** Makes the table hold `target`; on failure it holds what it held. */
  async make(target: Ruleset): Promise<Made> {
    if (this.#installed === null) return this.#takeOver(target);
    const text = deltaText(this.#table, this.#installed, target);
    if (text === '') return 'unchanged';
    try {
      await this.#kernel.apply(text);
    } catch (error) {
      // either the target is bad, or somebody changed the table and the difference does not fit
      await this.#kernel.apply(fullText(this.#table, comment, target), true).catch(() => Promise.reject(error));
      return this.#takeOver(target);
    }
    this.#installed = target;
    return 'changed';
  }

  /** Whether the kernel would take `target`, changing nothing. */
  async check(target: Ruleset): Promise<void> {
    await this.#kernel.apply(fullText(this.#table, comment, target), true);
  }

  async #takeOver(target: Ruleset): Promise<Made> {
    const found = await this.#read();
    if (found !== null && this.#installed === null && setNames(found).has(configMark(target))) {
      this.#installed = target;
      return 'adopted';
    }
    const carried = found === null ? this.#remembered() : carriedFrom(countersOf(found), timedElementsOf(found));
    await this.#kernel.apply(fullText(this.#table, comment, target, carried));
    this.#installed = target;
    return 'replaced';
  }

  /** Counters and sets of the table; all of it as JSON takes nft 1.0.6 minutes where ranges are large. */
  async #read(): Promise<readonly NftObject[] | null> {
    const outline = await this.#outline();
    if (outline === null) return null;
    const sets = await this.#kernel.list('list', 'sets', 'table', 'inet', this.#table);
    return sets === null ? null : [...outline.filter(({ counter }) => counter !== undefined), ...sets];
  }

  /**
   * Our table without its elements; null while it is away. Of nft 1.0.6's listings only that of the whole ruleset leaves the
   * elements in the kernel when told to: one of a table, a chain or its counters reads all of them, seconds for a large range.
   */
  async #outline(): Promise<readonly NftObject[] | null> {
    const found = (await this.#kernel.list('-t', 'list', 'ruleset', 'inet')) ?? [];
    const mine = found.filter((object) => Object.values(object)[0]?.table === this.#table);
    return found.some(({ table }) => table?.name === this.#table) ? mine : null;
  }

  /** Whether the table is still there as it was made, by its mark, and looked at closely by how many rules its chains have. */
  async intact(closely = true): Promise<boolean> {
    if (this.#installed === null) return true;
    const mark = configMark(this.#installed);
    if (!closely) return (await this.#kernel.list('list', 'set', 'inet', this.#table, mark)) !== null;
    const outline = await this.#outline();
    if (outline === null || !setNames(outline).has(mark)) return false;
    const rules = Map.groupBy(outline, ({ rule }) => rule?.chain);
    return [...this.#installed.objects].every(
      ([name, { kind, rules: made = [] }]) => kind !== 'chain' || (rules.get(name)?.length ?? 0) === made.length,
    );
  }

  /** Makes the table again after somebody took it away, with the counters and owners last seen. */
  async remake(): Promise<void> {
    if (this.#installed === null) return;
    const found = await this.#read();
    const left = found === null ? new Map() : countersOf(found);
    const carried = left.size > 0 ? carriedFrom(left, timedElementsOf(found ?? [])) : this.#remembered();
    await this.#kernel.apply(fullText(this.#table, comment, this.#installed, carried));
  }

  #remembered() {
    const passed = performance.now() - this.#timedAt;
    const left = [...this.#timed].map(
      ([name, list]) =>
        [
          name,
          list
            .map((element) => ({ ...element, expiresMs: element.expiresMs - passed }))
            .filter(({ expiresMs }) => expiresMs > 0),
        ] as const,
    );
    return this.#installed === null ? nothingCarried : carriedFrom(this.#counters, new Map(left));
  }

  /** Counters as they stand; the last ones known while the table is away. */
  async counters(): Promise<ReadonlyMap<string, Count>> {
    if (this.#installed === null) return new Map();
    const found = await this.#outline();
    if (found !== null) this.#counters = countersOf(found);
    return this.#counters;
  }

  /** Sets whose elements expire; null while the table is away. */
  async timedSets(): Promise<ReadonlyMap<string, readonly TimedElement[]> | null> {
    if (this.#installed === null) return null;
    const found = await this.#kernel.list('list', 'sets', 'table', 'inet', this.#table);
    if (found === null || !setNames(found).has(configMark(this.#installed))) return null;
    this.#timed = timedElementsOf(found);
    this.#timedAt = performance.now();
    return this.#timed;
  }

  /** The value of a map that has one element; null where it is empty. */
  async mapValue(name: string): Promise<string | null> {
    const found = await this.#kernel.list('list', 'map', 'inet', this.#table, name);
    const elements = (found ?? []).flatMap(({ map }) => (map?.elem ?? []) as [unknown, unknown][]);
    const value = elements.at(-1)?.[1];
    return typeof value === 'string' ? value : null;
  }

  /** Changes elements of the table by hand, in one transaction. */
  async edit(text: string): Promise<void> {
    await this.#kernel.apply(text.replaceAll('inet TABLE', `inet ${this.#table}`));
  }

  /** Takes the table away, whoever made it; none is no error. */
  async remove(): Promise<boolean> {
    const tables = (await this.#kernel.list('-t', 'list', 'tables')) ?? [];
    const there = tables.some(({ table }) => table?.family === 'inet' && table.name === this.#table);
    if (there) await this.#kernel.apply(`add table inet ${this.#table}\ndelete table inet ${this.#table}\n`);
    this.#installed = null;
    this.#counters.clear();
    this.#timed.clear();
    return there;
  }
}
