/** Places in front that may be empty before the rest moves up. */
const MOST_EMPTY = 64

/** Items in their order, which an array would copy for each one that is taken from its front. */
export class Queue<Item extends object> implements Iterable<Item> {
  #items: (Item | undefined)[] = []
  /** Where the first one is; what was before it is taken. */
  #first = 0

  get length(): number {
    return this.#items.length - this.#first
  }

  push(item: Item): void {
    this.#items.push(item)
  }

  /** Takes the first one. */
  shift(): Item | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#first]
    this.#items[this.#first++] = undefined
    if (this.#first > MOST_EMPTY && this.#first > this.length) {
      this.#items = this.#items.slice(this.#first)
      this.#first = 0
    }
    return item
  }

  /** Puts items in front of all others, in the order given. */
  unshift(items: readonly Item[]): void {
    if (items.length > 0) this.#replace([...items, ...this])
  }

  /** Takes out all that match, and returns them. */
  remove(matches: (item: Item) => boolean): readonly Item[] {
    const { taken = [], left = [] } = Object.groupBy(this, item => (matches(item) ? 'taken' : 'left'))
    if (taken.length > 0) this.#replace(left)
    return taken
  }

  *[Symbol.iterator](): Generator<Item, void, undefined> {
    for (let at = this.#first; at < this.#items.length; at++) {
      const item = this.#items[at]
      if (item !== undefined) yield item
    }
  }

  #replace(items: Item[]): void {
    this.#items = items
    this.#first = 0
  }
}
