import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openCarJournal } from '../../../src/ledger/store/car-journal.ts'
import { openClientJournal } from '../../../src/ledger/store/client-journal.ts'
import { openDataFolder } from '../../../src/ledger/store/data-folder.ts'
import { sha256 } from '../../../src/protocol/ids.ts'
import { expectRefused } from '../../fixtures/wire/golden.ts'

const child = fileURLToPath(new URL('./child.ts', import.meta.url))
const id = (name: string): Uint8Array => sha256(Buffer.from(name))
let path = ''
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'motorpool-crash-'))
})
afterEach(() => rmSync(path, { recursive: true, force: true }))

describe('a data folder', () => {
  it('is held against other processes, and free when they are killed', async () => {
    const holder = spawn(process.execPath, [child, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    const exited = once(holder, 'exit')
    const lines = createInterface({ input: holder.stdout })
    await once(lines, 'line')
    for (const role of ['car', 'client'] as const) expectRefused(() => openDataFolder(path, role), 'ERR_DATA_FOLDER_LOCKED')
    holder.kill('SIGKILL')
    await exited
    for (const role of ['car', 'client'] as const) openDataFolder(path, role).close()
  })
})

describe('kill -9', () => {
  it('loses no record that was acknowledged, gives no number twice, and frees the lock', async () => {
    let expected = 0
    const sequences: number[] = []
    for (let round = 0; round < 20; round++) {
      const writer = spawn(process.execPath, [child, path, String(expected)], { stdio: ['ignore', 'pipe', 'inherit'] })
      const exited = once(writer, 'exit')
      const killAfter = 1 + ((round * 7) % 40)
      let heard = 0
      for await (const line of createInterface({ input: writer.stdout })) {
        if (line === 'ready') continue
        const [number, seq] = line.split(' ').map(Number)
        expect(number).toBe(expected)
        expected++
        sequences.push(seq ?? -1)
        if (++heard === killAfter) writer.kill('SIGKILL')
      }
      writer.kill('SIGKILL')
      const [, signal] = await exited
      expect(signal).toBe('SIGKILL')
      // The record after the last acknowledged one may be there or not: the next writer begins after whatever is.
      const journal = openClientJournal({ path })
      if (journal.taskOf(id(`task ${expected}`).subarray(0, 16)) !== undefined) expected++
      journal.close()
    }
    const folder = openDataFolder(path, 'car')
    const car = openCarJournal(folder)
    const client = openClientJournal({ path })
    for (let number = 0; number < expected - 1; number++) {
      const record = id(`task ${number}`).subarray(0, 16)
      const text = new Uint8Array(Buffer.from(`leaf ${number}`))
      if (Buffer.compare(car.leafOf(new Uint8Array(32).fill(1), record, 0, 1) ?? new Uint8Array(), text) !== 0) expect.fail(`leaf ${number} is gone`)
      if (client.taskOf(record) === undefined) expect.fail(`task ${number} is gone`)
    }
    expect(new Set(sequences).size).toBe(sequences.length)
    car.close()
    client.close()
    folder.close()
  })
})

describe('a full disk', () => {
  it('is an error that names the journal; what was acknowledged stays, and writing goes on when there is room', async () => {
    const limited = spawn('sh', ['-c', 'ulimit -f 600; exec "$0" "$@"', process.execPath, child, path], { stdio: ['ignore', 'pipe', 'pipe'] })
    const errors = text(limited.stderr)
    const lines = (await text(limited.stdout)).trim().split('\n')
    expect(await errors).toMatch(/ERR_DATA_FOLDER/)
    expect(await errors).toMatch(/journal\.sqlite (cannot grow|cannot be read or written)/)
    const acknowledged = lines.length - 1
    expect(acknowledged).toBeGreaterThan(10)
    const car = openCarJournal({ path })
    for (let number = 0; number < acknowledged; number++) {
      if (car.leafOf(new Uint8Array(32).fill(1), id(`task ${number}`).subarray(0, 16), 0, 1) === undefined) expect.fail(`leaf ${number} is gone`)
    }
    car.recordLeaf(id('account'), id('task').subarray(0, 16), 0, 1, id('leaf'))
    car.close()
  })
})
