/**
 * Records that hold one value for each group, alert or run, and are changed one key at a time (decision 0015). PURE.
 *
 * A state is a value: whoever changes one key makes a new record and leaves the old one as it was. Copying an object of a
 * thousand keys costs a tenth of a millisecond; so a record that has grown lies in drawers, and a change copies one
 * drawer. It reads like any object (`record[key]`, `Object.entries`, JSON), and refuses to be written to in place. Keys of
 * a grown record come in no order that means anything.
 */
export type Keyed<T> = Record<string, T>;

const DRAWERS = 256;
/** Up to here an object is copied whole: a microsecond, and its keys stay in the order they came. */
const COPIED_WHOLE = 100;
/** Fewer changes than this are made one by one. */
const FEW = 4;

/** A map and no object: with keys that nobody has seen before, an object of its own shape would be made each time. */
type Drawer<T> = ReadonlyMap<string, T>;
const NOTHING: Drawer<never> = new Map<string, never>();

/** FNV-1a over the UTF-16 units; equal on every machine, so that a replay lays things into the same drawers. */
function drawerOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  return (hash ^ (hash >>> 15)) & (DRAWERS - 1);
}

const refuse = (): never => {
  throw new TypeError('a state is a value: make a new record with withKey');
};

/** What stands behind the object that readers hold. */
class Cabinet<T> implements ProxyHandler<Keyed<T>> {
  readonly drawers: readonly Drawer<T>[];
  readonly size: number;
  constructor(drawers: readonly Drawer<T>[], size: number) {
    this.drawers = drawers;
    this.size = size;
  }
  #drawer(key: string | symbol): Drawer<T> {
    return typeof key === 'string' ? (this.drawers[drawerOf(key)] ?? NOTHING) : NOTHING;
  }
  get(target: Keyed<T>, key: string | symbol): unknown {
    const drawer = this.#drawer(key);
    return drawer.has(key as string) ? drawer.get(key as string) : Reflect.get(target, key);
  }
  has(target: Keyed<T>, key: string | symbol): boolean {
    return this.#drawer(key).has(key as string) || Reflect.has(target, key);
  }
  ownKeys(): string[] {
    return this.drawers.flatMap((drawer) => [...drawer.keys()]);
  }
  getOwnPropertyDescriptor(_target: Keyed<T>, key: string | symbol): PropertyDescriptor | undefined {
    const drawer = this.#drawer(key);
    if (!drawer.has(key as string)) return undefined;
    return { value: drawer.get(key as string), enumerable: true, configurable: true, writable: true };
  }
  set(): never {
    return refuse();
  }
  deleteProperty(): never {
    return refuse();
  }
  defineProperty(): never {
    return refuse();
  }
}

const cabinets = new WeakMap<object, Cabinet<unknown>>();
const cabinetOf = <T>(record: Keyed<T>): Cabinet<T> | undefined => cabinets.get(record) as Cabinet<T> | undefined;

/** The object is empty: everything is read through its handler. */
function faced<T>(cabinet: Cabinet<T>): Keyed<T> {
  const record = new Proxy<Keyed<T>>({}, cabinet);
  cabinets.set(record, cabinet);
  return record;
}

/** An object of its own keys alone, also where one is called `__proto__`. */
const objectOf = <T>(entries: Iterable<readonly [string, T]>): Record<string, T> => Object.fromEntries(entries);

function grown<T>(record: Readonly<Record<string, T>>): Cabinet<T> {
  const drawers: Drawer<T>[] = new Array(DRAWERS).fill(NOTHING);
  const entries = Object.entries(record);
  for (const [index, own] of Map.groupBy(entries, ([key]) => drawerOf(key))) drawers[index] = new Map(own);
  return new Cabinet(drawers, entries.length);
}

/** The record with `value` for `key`; the one before is left as it was. */
export function withKey<T>(record: Keyed<T>, key: string, value: NoInfer<T>): Keyed<T> {
  let cabinet = cabinetOf(record);
  if (cabinet === undefined) {
    const copy = { ...record, [key]: value };
    if (!isOverCopying(copy)) return copy;
    cabinet = grown(copy);
    return faced(cabinet);
  }
  const index = drawerOf(key);
  const drawer = cabinet.drawers[index] ?? NOTHING;
  const copy = new Map(drawer).set(key, value);
  return faced(new Cabinet(cabinet.drawers.with(index, copy), cabinet.size + copy.size - drawer.size));
}

/** The record with many values changed at once, each part of it copied once; null = without that key. */
export function withKeys<T>(record: Keyed<T>, changes: ReadonlyMap<string, NoInfer<T> | null>): Keyed<T> {
  const cabinet = cabinetOf(record);
  if (changes.size <= FEW)
    return [...changes].reduce(
      (changed, [key, value]) => (value === null ? withoutKey(changed, key) : withKey(changed, key, value)),
      record,
    );
  if (cabinet === undefined) return withKeysOfFew(record, changes);
  const drawers = [...cabinet.drawers];
  let { size } = cabinet;
  const copies: (Map<string, T> | undefined)[] = new Array(DRAWERS).fill(undefined);
  for (const [key, value] of changes) {
    const index = drawerOf(key);
    const known = copies[index];
    const drawer = known ?? cabinet.drawers[index] ?? NOTHING;
    const had = drawer.has(key);
    if (value === null && !had) continue;
    const copy = known ?? new Map(drawer);
    copies[index] = copy;
    drawers[index] = copy;
    if (value === null) copy.delete(key);
    else copy.set(key, value);
    size += (value === null ? 0 : 1) - (had ? 1 : 0);
  }
  if (!copies.some((copy) => copy !== undefined)) return record;
  return settled(drawers, size);
}

/** Copied once, however many keys change. */
function withKeysOfFew<T>(record: Keyed<T>, changes: ReadonlyMap<string, T | null>): Keyed<T> {
  const copy = new Map(Object.entries(record));
  let isChanged = false;
  for (const [key, value] of changes) {
    if (value !== null) copy.set(key, value);
    else if (!copy.delete(key)) continue;
    isChanged = true;
  }
  if (!isChanged) return record;
  const changed = objectOf(copy);
  return copy.size > COPIED_WHOLE ? faced(grown(changed)) : changed;
}

/** A record of few keys is a plain object again. */
const settled = <T>(drawers: readonly Drawer<T>[], size: number): Keyed<T> =>
  size < COPIED_WHOLE / 2 ? objectOf(drawers.flatMap((drawer) => [...drawer])) : faced(new Cabinet(drawers, size));

/** The record without `key`; the same one where it had none. */
export function withoutKey<T>(record: Keyed<T>, key: string): Keyed<T> {
  if (!Object.hasOwn(record, key)) return record;
  const cabinet = cabinetOf(record);
  if (cabinet === undefined) {
    const { [key]: _gone, ...rest } = record;
    return rest;
  }
  const index = drawerOf(key);
  const copy = new Map(cabinet.drawers[index]);
  copy.delete(key);
  return settled(cabinet.drawers.with(index, copy), cabinet.size - 1);
}

function isOverCopying(record: object): boolean {
  return Object.keys(record).length > COPIED_WHOLE;
}

/** How many keys there are, without looking at each. */
export const sizeOf = (record: Keyed<unknown>): number => cabinetOf(record)?.size ?? Object.keys(record).length;

/**
 * What `look` finds in each part of a record, kept for as long as the part is not changed: asked again after a change
 * of one key, it looks through one drawer and not through everything. `look` must be pure.
 */
export function byPart<T, R>(look: (part: ReadonlyMap<string, T>) => R): (record: Keyed<T>) => readonly R[] {
  const found = new WeakMap<object, R>();
  const whole = new WeakMap<object, readonly R[]>();
  const inPart = (part: Drawer<T>): R => {
    const known = found.get(part);
    if (known !== undefined) return known;
    const made = look(part);
    found.set(part, made);
    return made;
  };
  return (record) => {
    const known = whole.get(record);
    if (known !== undefined) return known;
    const made = cabinetOf(record)?.drawers.map(inPart) ?? [look(new Map(Object.entries(record)))];
    whole.set(record, made);
    return made;
  };
}

/**
 * The same over two records whose values belong together key by key: asked again after a change of one key in either, it
 * looks through that key's drawer of both. Parts go by the keys of `first`.
 */
export function byPartOfTwo<A, B, R>(
  look: (first: ReadonlyMap<string, A>, second: ReadonlyMap<string, B>) => R,
): (first: Keyed<A>, second: Keyed<B>) => readonly R[] {
  const found = new WeakMap<object, { readonly beside: object; readonly made: R }>();
  const whole = new WeakMap<object, { readonly beside: object; readonly made: readonly R[] }>();
  const inParts = (first: Drawer<A>, second: Drawer<B>): R => {
    const known = found.get(first);
    if (known?.beside === second) return known.made;
    const made = look(first, second);
    found.set(first, { beside: second, made });
    return made;
  };
  return (first, second) => {
    const known = whole.get(first);
    if (known?.beside === second) return known.made;
    const drawers = cabinetOf(first)?.drawers;
    const besides = drawers === undefined ? undefined : (cabinetOf(second) ?? grown(second)).drawers;
    const made = drawers?.map((drawer, index) =>
      drawer.size === 0 ? inParts(NOTHING, NOTHING) : inParts(drawer, besides?.[index] ?? NOTHING),
    ) ?? [look(new Map(Object.entries(first)), new Map(Object.entries(second)))];
    whole.set(first, { beside: second, made });
    return made;
  };
}
