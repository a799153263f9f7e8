/** Virtual time: a heap of things to happen, in order of their instant and then of their making. */
type Entry = { readonly atMs: number; readonly order: number; readonly run: () => void; cancelled: boolean };

export class Scheduler {
  nowMs = 0;
  #heap: Entry[] = [];
  #order = 0;

  at(atMs: number, run: () => void): () => void {
    const entry: Entry = { atMs: Math.max(atMs, this.nowMs), order: this.#order, run, cancelled: false };
    this.#order += 1;
    this.#push(entry);
    return () => {
      entry.cancelled = true;
    };
  }
  after(delayMs: number, run: () => void): () => void {
    return this.at(this.nowMs + Math.max(0, delayMs), run);
  }
  /** Calls now and then every `everyMs`, until `untilMs`. */
  every(everyMs: number, untilMs: number, run: () => void): void {
    this.after(everyMs, () => {
      run();
      if (this.nowMs < untilMs) this.every(everyMs, untilMs, run);
    });
  }
  /** Takes the next thing to happen and moves the clock to it; null when nothing is left. */
  next(): (() => void) | null {
    for (let entry = this.#pop(); entry !== null; entry = this.#pop()) {
      if (entry.cancelled) continue;
      this.nowMs = entry.atMs;
      return entry.run;
    }
    return null;
  }

  #before = (a: Entry, b: Entry): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  #push(entry: Entry): void {
    const heap = this.#heap;
    let child = heap.push(entry) - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !this.#before(entry, above)) break;
      heap[child] = above;
      child = parent;
    }
    heap[child] = entry;
  }
  #pop(): Entry | null {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined) return null;
    if (heap.length === 0) return top;
    let parent = 0;
    for (;;) {
      const left = 2 * parent + 1;
      const [l, r] = [heap[left], heap[left + 1]];
      if (l === undefined) break;
      const least = r !== undefined && this.#before(r, l) ? left + 1 : left;
      const below = heap[least];
      if (below === undefined || !this.#before(below, last)) break;
      heap[parent] = below;
      parent = least;
    }
    heap[parent] = last;
    return top;
  }
}
