import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it, onTestFinished } from 'vitest'
import { addModel } from './fixtures/models/make.ts'
import { temporaryFolder } from './models/temporary-folder.ts'

const examples = join(import.meta.dirname, '../examples')

/** Starts an example; its temporary files go to `folder`. */
function start(folder: string, name: string, ...options: readonly string[]) {
  const child = spawn(process.execPath, [join(examples, name), ...options], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, TMPDIR: folder } })
  const exit = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exit
  })
  return { child, exit, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
}

async function allLines(lines: AsyncIterator<string>): Promise<string[]> {
  const all: string[] = []
  for (let next = await lines.next(); next.done !== true; next = await lines.next()) all.push(next.value)
  return all
}

describe('the examples', () => {
  it('run a mesh of three peers in one process, each addition once, while a car leaves', async () => {
    const folder = await temporaryFolder()
    const { exit, lines } = start(folder, 'three-peers.ts')
    const printed = await allLines(lines)
    expect(await exit).toEqual([0, null])
    const sums = printed.map(line => line.split(', by ')[0]).toSorted()
    expect(sums).toEqual(Array.from({ length: 20 }, (_, at) => `${at} + ${at} = ${2 * at}`).toSorted())
    expect(await readdir(folder)).toEqual([])
  })

  it('read a page: a car offers text recognition, a client that knows an address asks', async () => {
    const folder = await temporaryFolder()
    const car = start(folder, 'car.ts')
    const [program, example = '', address = '', cid = ''] = String((await car.lines.next()).value).split(' ')
    expect([program, example]).toEqual(['node', 'examples/client.ts'])
    const client = start(folder, 'client.ts', address, cid)
    const read = (await allLines(client.lines)).join('\n')
    expect(await client.exit).toEqual([0, null])
    expect(read).toMatch(/^12D3Koo\w+ read: /)
    const words = (await readFile(join(examples, 'pages/01-pride.txt'), 'utf8')).split(/\s+/)
    const known = words.filter(word => read.includes(word))
    expect(known.length / words.length).toBeGreaterThan(0.8)

    car.child.kill('SIGINT')
    expect(await car.exit).toEqual([0, null])
    expect(await readdir(folder)).toEqual([])
  })

  it('play a recorded morning: the car joins, leaves when its driver comes, and joins again at work', async () => {
    const folder = await temporaryFolder()
    const { exit, lines } = start(folder, 'commuter.ts')
    const printed = await allLines(lines)
    expect(await exit).toEqual([0, null])
    expect(printed.map(line => line.slice('07:30 '.length)).slice(0, 3)).toEqual([
      'joined: parked and fit, plugged in, battery at 81 %',
      expect.stringMatching(/^left: (the driver’s door is unlocked|the charging cable isn’t connected)/),
      'joined: parked and fit, plugged in, battery at 76 %'
    ])
    expect(await readdir(folder)).toEqual([])
  })

  it('ship a model as small as its source in the tests', async () => {
    expect(existsSync(join(examples, 'add.onnx'))).toBe(true)
    expect(new Uint8Array(await readFile(join(examples, 'add.onnx')))).toEqual(addModel())
  })
})
