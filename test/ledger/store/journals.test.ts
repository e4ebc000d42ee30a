import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decodeReceipt, encodeReceipt, type Receipt } from '../../../src/ledger/receipt.ts'
import { openCarJournal } from '../../../src/ledger/store/car-journal.ts'
import { openClientJournal } from '../../../src/ledger/store/client-journal.ts'
import { sha256 } from '../../../src/protocol/ids.ts'
import { expectRefused, refusalOf } from '../../fixtures/wire/golden.ts'

const id = (name: string): Uint8Array => sha256(Buffer.from(name))
const task = id('task').subarray(0, 16)
const leaf = Buffer.from('a leaf')
const receiptOf = (text: string, path: readonly string[] = []): Receipt => ({
  flush: id(`flush ${text}`),
  leaf: id(`leaf ${text}`),
  proof: { index: path.length, path: path.map(id) },
  binding: id('binding'),
  opening: { salt: id(`salt ${text}`) }
})
const receipt = receiptOf('a')
let path = ''
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'motorpool-ledger-'))
})
afterEach(() => rmSync(path, { recursive: true, force: true }))

describe("the car's journal", () => {
  it('takes one leaf for an account, task, part and attempt, and the same again', () => {
    const journal = openCarJournal({ path })
    journal.recordLeaf(id('account'), task, 0, 1, leaf)
    journal.recordLeaf(id('account'), task, 0, 1, leaf)
    expectRefused(() => journal.recordLeaf(id('account'), task, 0, 1, Buffer.from('another')), 'ERR_ATTEMPT_USED')
    journal.recordLeaf(id('account'), task, 1, 1, Buffer.from('part'))
    journal.recordLeaf(id('account'), task, 0, 2, Buffer.from('attempt'))
    journal.recordLeaf(id('other'), task, 0, 1, Buffer.from('account'))
    expect(Buffer.from(journal.leafOf(id('account'), task, 0, 1) ?? [])).toEqual(leaf)
    expect(journal.leafOf(id('account'), task, 2, 1)).toBeUndefined()
    journal.close()
  })

  it('remembers after a restart', () => {
    const before = openCarJournal({ path })
    before.recordLeaf(id('account'), task, 0, 1, leaf)
    before.close()
    const after = openCarJournal({ path })
    expectRefused(() => after.recordLeaf(id('account'), task, 0, 1, Buffer.from('another')), 'ERR_ATTEMPT_USED')
    after.close()
  })

  it('takes many leaves or none', () => {
    const journal = openCarJournal({ path })
    const record = (part: number, text: string) => ({ account: id('account'), task, part, attempt: 1, leaf: Buffer.from(text) })
    journal.recordLeaves([record(0, 'a'), record(1, 'b')])
    expectRefused(() => journal.recordLeaves([record(2, 'c'), record(1, 'changed')]), 'ERR_ATTEMPT_USED')
    expect(journal.leafOf(id('account'), task, 1, 1)).toEqual(new Uint8Array(Buffer.from('b')))
    expect(journal.leafOf(id('account'), task, 2, 1)).toBeUndefined()
    journal.recordLeaf(id('account'), task, 2, 1, leaf)
    journal.close()
  })

  it('numbers a lease from 0 without gaps, and never a number twice after a restart', () => {
    const journal = openCarJournal({ path })
    expect(Array.from({ length: 200 }, () => journal.nextSeq(id('lease')))).toEqual(Array.from({ length: 200 }, (_, index) => index))
    expect(journal.nextSeq(id('other lease'))).toBe(0)
    journal.close()
    const after = openCarJournal({ path })
    expect(after.nextSeq(id('lease'))).toBeGreaterThanOrEqual(200)
    after.close()
  })

  it('forgets leases that were not used for long, and goes on above their numbers', () => {
    const journal = openCarJournal({ path })
    const numbers = [journal.nextSeq(id('lease')), journal.nextSeq(id('lease'))]
    for (let other = 0; other < 100; other++) journal.nextSeq(id(`lease ${other}`))
    numbers.push(journal.nextSeq(id('lease')), journal.nextSeq(id('lease')))
    expect(numbers).toEqual([0, 1, 64, 65])
    journal.close()
  })

  it.each([1, 63, 64, 65, 128, 129])('gives no number twice when it is opened again after every %i', count => {
    const numbers: number[] = []
    for (let start = 0; start < 3; start++) {
      const journal = openCarJournal({ path })
      for (let n = 0; n < count; n++) numbers.push(journal.nextSeq(id('lease')))
      journal.close()
    }
    expect(numbers).toEqual([...new Set(numbers)].sort((left, right) => left - right))
  })
})

describe("the client's journal", () => {
  it('knows the current attempt, and a result once', () => {
    const journal = openClientJournal({ path })
    expect(journal.isCurrent(task, 1)).toBe(false)
    journal.recordAttempt(task, 1, 'a')
    expect(journal.isCurrent(task, 1)).toBe(true)
    journal.recordAttempt(task, 2, 'b')
    expect([1, 2, 3].map(attempt => journal.isCurrent(task, attempt))).toEqual([false, true, false])
    for (const attempt of [1, 2]) expectRefused(() => journal.recordAttempt(task, attempt, 'c'), 'ERR_ATTEMPT_USED')
    for (const attempt of [1, 3]) expectRefused(() => journal.recordResult({ task, attempt, receipt, car: 'b' }), 'ERR_ATTEMPT_USED')
    journal.recordResult({ task, attempt: 2, receipt, car: 'b' })
    expect(journal.isCurrent(task, 2)).toBe(false)
    expectRefused(() => journal.recordResult({ task, attempt: 2, receipt, car: 'b' }), 'ERR_ATTEMPT_USED')
    expectRefused(() => journal.recordAttempt(task, 3, 'c'), 'ERR_ATTEMPT_USED')
    expect(journal.taskOf(task)).toEqual({ attempt: 2, car: 'b', receipt: encodeReceipt(receipt) })
    expect(journal.taskOf(id('other').subarray(0, 16))).toBeUndefined()
    journal.close()
  })

  it('knows first attempts under reserved ids, and reserves no id twice', () => {
    const journal = openClientJournal({ path })
    const start = task.subarray(0, 15)
    const [first, second, third] = [0, 1, 2].map(last => Uint8Array.of(...start, last)) as [Uint8Array, Uint8Array, Uint8Array]
    journal.reserve(start, 2)
    expect([first, second, third].map(reserved => journal.isCurrent(reserved, 1))).toEqual([true, true, false])
    expectRefused(() => journal.reserve(start, 3), 'ERR_ATTEMPT_USED')
    expect(journal.taskOf(third)).toBeUndefined()
    expectRefused(() => journal.recordResult({ task: third, attempt: 1, receipt, car: 'a' }), 'ERR_ATTEMPT_USED')
    expectRefused(() => journal.recordAttempt(first, 1, 'a'), 'ERR_ATTEMPT_USED')
    journal.recordResult({ task: first, attempt: 1, receipt, car: 'a' })
    journal.recordAttempt(second, 2, 'b')
    expectRefused(() => journal.recordResult({ task: second, attempt: 1, receipt, car: 'a' }), 'ERR_ATTEMPT_USED')
    expect(journal.taskOf(first)).toEqual({ attempt: 1, car: 'a', receipt: encodeReceipt(receipt) })
    expect(journal.taskOf(second)).toEqual({ attempt: 2, car: 'b', receipt: undefined })
    journal.recordAttempt(third, 1, 'c')
    expect(journal.isCurrent(third, 1)).toBe(true)
    journal.recordAttempt(id('alone').subarray(0, 16), 1, 'c')
    expectRefused(() => journal.reserve(id('alone').subarray(0, 15), 2), 'ERR_ATTEMPT_USED')
    journal.close()
  })

  it('gives back the receipts of results that share a flush, and of those that do not, after a restart too', () => {
    const before = openClientJournal({ path })
    before.reserve(task.subarray(0, 15), 64)
    const shared = receiptOf('shared', ['left', 'right'])
    const records = Array.from({ length: 9 }, (_, last) => ({
      task: Uint8Array.of(...task.subarray(0, 15), last),
      attempt: 1,
      car: last === 7 ? 'b' : 'a',
      receipt:
        last === 8
          ? { ...receiptOf('alone'), opening: null }
          : { ...receiptOf(`${last}`, ['left', `${last}`]), flush: shared.flush, binding: last === 6 ? id('other') : shared.binding }
    }))
    const expectAll = (journal: ReturnType<typeof openClientJournal>): void => {
      for (const { task, car, receipt } of records) expect(journal.taskOf(task)).toEqual({ attempt: 1, car, receipt: encodeReceipt(receipt) })
    }
    before.recordResults(records.slice(0, 3))
    before.recordResults(records.slice(3))
    expectAll(before)
    before.close()
    const after = openClientJournal({ path })
    expectAll(after)
    after.close()
  })

  it('takes many attempts or results or none, and what it took back leaves nothing behind', () => {
    const journal = openClientJournal({ path })
    const [known, other, fresh] = ['known', 'other', 'fresh'].map(name => id(name).subarray(0, 16)) as [Uint8Array, Uint8Array, Uint8Array]
    journal.recordAttempt(known, 2, 'a')
    const attempt = (task: Uint8Array, attempt: number) => ({ task, attempt, car: 'a' })
    expectRefused(() => journal.recordAttempts([attempt(fresh, 1), attempt(fresh, 2), attempt(known, 2)]), 'ERR_ATTEMPT_USED')
    expect(journal.taskOf(fresh)).toBeUndefined()
    journal.recordAttempts([attempt(other, 1), attempt(fresh, 1)])
    const result = (task: Uint8Array, attempt: number, text: string) => ({ task, attempt, receipt: receiptOf(text), car: 'a' })
    expectRefused(() => journal.recordResults([result(other, 1, 'x'), result(known, 1, 'y')]), 'ERR_ATTEMPT_USED')
    expect([other, fresh].map(task => journal.isCurrent(task, 1))).toEqual([true, true])
    journal.recordResults([result(fresh, 1, 'f'), result(other, 1, 'o'), result(known, 2, 'k')])
    const receipts = [fresh, other, known].map(task => journal.taskOf(task)?.receipt)
    expect(receipts).toEqual(['f', 'o', 'k'].map(text => encodeReceipt(receiptOf(text))))
    journal.close()
  })

  it('remembers after a restart', () => {
    const before = openClientJournal({ path })
    before.recordAttempt(task, 4, 'a')
    before.close()
    const after = openClientJournal({ path })
    expect(after.isCurrent(task, 4)).toBe(true)
    after.recordResult({ task, attempt: 4, receipt, car: 'a' })
    after.close()
  })
})

/** A journal as the tests of damage use it: records go by a number, and hold `leaf <number>`. */
interface Records {
  readonly write: (number: number) => void
  readonly read: (number: number) => Uint8Array | undefined
  readonly close: () => void
}

function openCarRecords(): Records {
  const { recordLeaf, leafOf, close } = openCarJournal({ path })
  const at = (number: number) => [id('account'), id(`${number}`).subarray(0, 16), 0, 1] as const
  return { write: number => recordLeaf(...at(number), id(`leaf ${number}`)), read: number => leafOf(...at(number)), close }
}

function openClientRecords(): Records {
  const { recordAttempt, recordResult, taskOf, close } = openClientJournal({ path })
  const at = (number: number): Uint8Array => id(`${number}`).subarray(0, 16)
  const write = (number: number): void => {
    recordAttempt(at(number), 1, 'a')
    recordResult({ task: at(number), attempt: 1, receipt: receiptOf(`${number}`, ['left', 'right']), car: 'a' })
  }
  const read = (number: number): Uint8Array | undefined => {
    const file = taskOf(at(number))?.receipt
    return file === undefined ? undefined : decodeReceipt(file).leaf
  }
  return { write, read, close }
}

describe.each([
  ['car-journal.sqlite', openCarRecords],
  ['client-journal.sqlite', openClientRecords]
] as const)('a damaged %s', (name, open) => {
  const numbers = Array.from({ length: 40 }, (_, number) => number)
  beforeEach(() => {
    const journal = open()
    for (const number of numbers) journal.write(number)
    journal.close()
  })
  const file = (): string => join(path, name)
  const useAll = (): void => {
    const journal = open()
    try {
      for (const number of numbers) {
        if (Buffer.compare(journal.read(number) ?? new Uint8Array(), id(`leaf ${number}`)) !== 0) expect.fail(`leaf ${number} is not as it was written`)
      }
    } finally {
      journal.close()
    }
  }
  const expectDamage = (): void => {
    const refusal = refusalOf(useAll)
    expect(refusal?.code).toBe('ERR_DATA_FOLDER')
    expect(refusal?.message).toContain(file())
  }

  it('is whole to begin with', useAll)

  it('is named when it is empty, cut off, or something else', () => {
    const size = statSync(file()).size
    for (const length of [size - 4096, Math.floor(size / 2), 100, 10, 0]) {
      truncateSync(file(), length)
      expectDamage()
    }
    writeFileSync(file(), Buffer.alloc(size, 'not a database '))
    expectDamage()
  })

  it('never gives out a record with a flipped bit', () => {
    const whole = readFileSync(file())
    for (const number of numbers) {
      const flipped = Buffer.from(whole)
      const record = Buffer.from(id(`leaf ${number}`))
      // A page that was parted holds old copies too, which nobody reads.
      for (let at = whole.indexOf(record); at >= 0; at = whole.indexOf(record, at + 1))
        flipped.writeUInt8(whole.readUInt8(at + (number % 32)) ^ 0x10, at + (number % 32))
      writeFileSync(file(), flipped)
      expectDamage()
    }
  })

  it('is named, or gives every record right, when random bytes of it are overwritten', () => {
    const whole = readFileSync(file())
    for (let at = 0; at < whole.length; at += 331) {
      const flipped = Buffer.from(whole)
      flipped[at] = (flipped[at] ?? 0) ^ 0xff
      writeFileSync(file(), flipped)
      const refusal = refusalOf(useAll)
      if (refusal !== undefined && refusal.code !== 'ERR_DATA_FOLDER') expect.fail(`byte ${at}: ${refusal.message}`)
    }
  })

  it('of a later version is refused', () => {
    const later = join(path, 'later.sqlite')
    const bytes = readFileSync(file())
    bytes.writeUInt32BE(4, 60)
    writeFileSync(later, bytes)
    copyFileSync(later, file())
    expect(refusalOf(useAll)?.message).toMatch(/version 4/)
  })
})

describe("a journal that can't be made", () => {
  it('is named', () => {
    const absent = join(path, 'absent')
    expect(refusalOf(() => openCarJournal({ path: absent }))?.message).toContain(absent)
    expectRefused(() => openClientJournal({ path: absent }), 'ERR_DATA_FOLDER')
  })
})
