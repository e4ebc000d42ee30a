/**
 * A map for large values that come and go. V8 keeps the table of a `Map` that it has outgrown, dead but with all that was in it,
 * until its next full collection, and then the values of the next table too; here a value is let go when it is deleted.
 */
export class ReleasingMap<Key, Value extends object> {
  readonly #holders = new Map<Key, { value: Value | undefined }>()

  get size(): number {
    return this.#holders.size
  }

  get(key: Key): Value | undefined {
    return this.#holders.get(key)?.value
  }

  has(key: Key): boolean {
    return this.#holders.has(key)
  }

  set(key: Key, value: Value): void {
    const holder = this.#holders.get(key)
    if (holder === undefined) this.#holders.set(key, { value })
    else holder.value = value
  }

  delete(key: Key): boolean {
    const holder = this.#holders.get(key)
    if (holder === undefined) return false
    holder.value = undefined
    return this.#holders.delete(key)
  }

  keys(): IterableIterator<Key> {
    return this.#holders.keys()
  }

  *values(): Generator<Value, void> {
    for (const { value } of this.#holders.values()) if (value !== undefined) yield value
  }
}
