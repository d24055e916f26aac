// Byte and flow counts of one forward, written by one worker and read by the control thread. 64-bit floats, because
// an aligned 8-byte store is whole on every platform Node runs on, counts stay exact to 2^53, and no BigInt is made
// for each chunk. One writer: no atomics needed.

const slots = { rx: 0, tx: 1, flows: 2, flowsTotal: 3, refused: 4 } as const;
export type CounterName = keyof typeof slots;

export const counterBytes = Object.keys(slots).length * Float64Array.BYTES_PER_ELEMENT;

/** The writing side. */
export class CounterCell {
  private readonly cells: Float64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.cells = new Float64Array(buffer);
  }

  add(name: CounterName, amount: number): void {
    this.cells[slots[name]] = (this.cells[slots[name]] as number) + amount;
  }

  get(name: CounterName): number {
    return this.cells[slots[name]] as number;
  }
}

export type CounterValues = Readonly<Record<CounterName, number>>;

export function readCounters(buffer: SharedArrayBuffer): CounterValues {
  const cells = new Float64Array(buffer);
  return {
    rx: cells[slots.rx] as number,
    tx: cells[slots.tx] as number,
    flows: cells[slots.flows] as number,
    flowsTotal: cells[slots.flowsTotal] as number,
    refused: cells[slots.refused] as number,
  };
}
