import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addModel, identityModel, noopModel } from '../fixtures/models/make.ts'
import { type Finished, openSandbox, type Sandbox } from './command.ts'

const PAGES = fileURLToPath(new URL('../../examples/pages/', import.meta.url))
const page = readFileSync(join(PAGES, readdirSync(PAGES).find(name => name.endsWith('.png')) ?? ''))
const tensor = (name: string, datatype: string, shape: readonly number[], data: readonly unknown[]) => ({ name, shape, datatype, data })
const request = (...inputs: readonly unknown[]) => JSON.stringify({ inputs })
const GOOD = request(tensor('a', 'FP32', [2], [1, 2]), tensor('b', 'FP32', [2], [3, 4]))

let sandbox: Sandbox
let testnet: string
const path = (name: string): string => join(sandbox.folder, name)
const put = (name: string, content: string | Uint8Array): string => {
  writeFileSync(path(name), content)
  return path(name)
}
/** One line, with the code and what to do, and the exit code. */
const expectRefusal = ({ code, stdout, stderr }: Finished, errorCode: string, exitCode = 1): void => {
  expect(stderr).toMatch(new RegExp(`^motorpool: [^\\n]+; [^\\n]+ \\(${errorCode}\\)\\n$`))
  expect(stdout).toBe('')
  expect(code).toBe(exitCode)
}

beforeAll(async () => {
  sandbox = openSandbox()
  testnet = path('testnet')
  const models = [put('add.onnx', addModel()), put('int64.onnx', identityModel('int64', ['n']))]
  const up = await sandbox.run('testnet', 'up', '-n', '2', ...models.flatMap(model => ['--model', model]), '--dir', testnet, '--detach', '--json')
  expect(up.code, up.stderr).toBe(0)
})
afterAll(async () => {
  await sandbox.run('testnet', 'down', '--dir', testnet)
  const left = sandbox.left()
  sandbox.close()
  expect(left).toEqual([])
})

describe('a task with a bad input is refused, and the next good one runs', () => {
  test.each([
    ['a file that is no image', 'ocr', () => 'Dear diary', 'ERR_BAD_IMAGE'],
    ['an empty image', 'ocr', () => '', 'ERR_BAD_IMAGE'],
    ['a truncated image', 'ocr', () => page.subarray(0, 2000), 'ERR_BAD_IMAGE'],
    ['an image of garbage behind the right first bytes', 'ocr', () => Buffer.concat([page.subarray(0, 8), Buffer.alloc(4096, 7)]), 'ERR_BAD_IMAGE'],
    ['no JSON', 'add', () => '{"inputs":[', 'ERR_INVALID_INPUT'],
    ['nothing', 'add', () => '', 'ERR_INVALID_INPUT'],
    ['a wrong name', 'add', () => request(tensor('x', 'FP32', [2], [1, 2]), tensor('b', 'FP32', [2], [3, 4])), 'ERR_INVALID_INPUT'],
    ['a missing tensor', 'add', () => request(tensor('a', 'FP32', [2], [1, 2])), 'ERR_INVALID_INPUT'],
    [
      'a tensor too many',
      'add',
      () => request(tensor('a', 'FP32', [2], [1, 2]), tensor('b', 'FP32', [2], [3, 4]), tensor('c', 'FP32', [1], [1])),
      'ERR_INVALID_INPUT'
    ],
    ['a wrong type', 'add', () => request(tensor('a', 'INT32', [2], [1, 2]), tensor('b', 'FP32', [2], [3, 4])), 'ERR_INVALID_INPUT'],
    ['a wrong shape', 'add', () => request(tensor('a', 'FP32', [3], [1, 2, 3]), tensor('b', 'FP32', [2], [3, 4])), 'ERR_INVALID_INPUT'],
    ['a wrong rank', 'add', () => request(tensor('a', 'FP32', [1, 2], [1, 2]), tensor('b', 'FP32', [2], [3, 4])), 'ERR_INVALID_INPUT'],
    ['a wrong length', 'add', () => request(tensor('a', 'FP32', [2], [1]), tensor('b', 'FP32', [2], [3, 4])), 'ERR_INVALID_INPUT'],
    ['an output that the model lacks', 'add', () => GOOD.replace('{"inputs"', '{"outputs":[{"name":"nothing"}],"inputs"'), 'ERR_INVALID_INPUT'],
    ['an unknown model', 'nothing-of-that-name', () => GOOD, 'ERR_MODEL_UNKNOWN']
  ])('%s', async (_what, model, content, code) => {
    expectRefusal(await sandbox.run('run', model, '--input', put('input', content()), '--dir', testnet), code)
  })

  test('more than a task may hold', async () => {
    const large = put('large.png', page)
    truncateSync(large, 65 * 1024 * 1024)
    expectRefusal(await sandbox.run('run', 'ocr', '--input', large, '--dir', testnet), 'ERR_INPUT_TOO_LARGE')
  })

  test('a file that is not there', async () => {
    expectRefusal(await sandbox.run('run', 'ocr', '--input', path('nothing.png'), '--dir', testnet), 'ENOENT')
  })

  test('a model that no car has: told within the deadline, with what it looked for', async () => {
    const models = path('other-models')
    const added = await sandbox.run('model', 'add', put('noop.onnx', noopModel()), '--models', models, '--json')
    expect(added.code, added.stderr).toBe(0)
    const began = performance.now()
    const refused = await sandbox.run(
      'run',
      'noop',
      '--models',
      models,
      '--input',
      put('input', request(tensor('x', 'UINT8', [1], [1]))),
      '--dir',
      testnet,
      '--deadline',
      '4'
    )
    expectRefusal(refused, 'ERR_NO_CAR')
    expect(refused.stderr).toMatch(/noop|bafk/)
    expect(performance.now() - began).toBeLessThan(30_000)
  })

  test('afterwards a good task runs, with a 64-bit integer that a float would lose', async () => {
    const run = await sandbox.run('run', 'add', '--input', put('input', GOOD), '--dir', testnet)
    expect(run.code, run.stderr).toBe(0)
    expect(JSON.parse(run.stdout)).toMatchObject({ model_name: 'add', outputs: [{ name: 'sum', datatype: 'FP32', shape: [2], data: [4, 6] }] })
    const big = '{"inputs":[{"name":"x","shape":[2],"datatype":"INT64","data":[9007199254740993,-9223372036854775808]}]}'
    const exact = await sandbox.run('run', 'int64', '--input', put('input', big), '--dir', testnet)
    expect(exact.stdout).toContain('"data":[9007199254740993,-9223372036854775808]')
  })
})

describe('receipts', () => {
  test('verify tells a good one from one with a flipped byte anywhere near', async () => {
    const receipt = path('task.receipt')
    const input = put('input', GOOD)
    const run = await sandbox.run('run', 'add', '--input', input, '--receipt', receipt, '--dir', testnet, '--json')
    expect(run.code, run.stderr).toBe(0)
    const good = await sandbox.run('verify', receipt, '--input', input, '--output', put('output.json', run.stdout))
    expect(good.code, good.stderr).toBe(0)
    expect(good.stdout).toContain('declared')
    const other = put('other', GOOD.replace('[1,2]', '[1,3]'))
    expect((await sandbox.run('verify', receipt, '--input', other)).stderr).toContain('input')
    const bytes = readFileSync(receipt)
    for (const at of [10, bytes.length >> 1, bytes.length - 3]) {
      const flipped = Buffer.from(bytes)
      flipped.writeUInt8((flipped[at] ?? 0) ^ 1, at)
      const verdict = await sandbox.run('verify', put('flipped.receipt', flipped))
      expect(verdict.code).toBe(1)
      expect(verdict.stderr).toMatch(/\(ERR_BAD_RECEIPT\)\n$/)
    }
    const redacted = path('redacted.receipt')
    expect((await sandbox.run('verify', receipt, '--redact', redacted)).code).toBe(0)
    expect((await sandbox.run('verify', redacted)).code).toBe(0)
    expectRefusal(await sandbox.run('verify', redacted, '--input', input), 'ERR_BAD_RECEIPT')
  })
})

describe('a model that is none is refused, and the store stays as it was', () => {
  test.each([
    ['text', () => 'Dear diary', /ERR_(NOT_ONNX|BAD_MODEL)/],
    ['nothing', () => '', /ERR_(NOT_ONNX|BAD_MODEL)/],
    ['half of a model', () => addModel().subarray(0, 60), /ERR_(NOT_ONNX|BAD_MODEL)/]
  ])('%s', async (_what, content, code) => {
    const before = await sandbox.run('model', 'ls', '--json')
    const added = await sandbox.run('model', 'add', put('model.onnx', content()))
    expect(added.code).toBe(1)
    expect(added.stderr).toMatch(code)
    expect(added.stderr.split('\n')).toHaveLength(2)
    expect((await sandbox.run('model', 'ls', '--json')).stdout).toBe(before.stdout)
  })
})

describe('a car that cannot start says why', () => {
  const up = (...args: readonly string[]) => sandbox.run('up', '--data-dir', path('own'), ...args)

  test('on a data folder whose key is open to others, broken, or that is open itself', async () => {
    const running = sandbox.start('up', '--json', '--data-dir', path('own'))
    await running.firstLine
    running.process.kill('SIGTERM')
    expect((await running.finished).code).toBe(0)
    const key =
      readdirSync(path('own'))
        .map(name => join(path('own'), name))
        .find(file => readFileSync(file, 'utf8').startsWith('motorpool seed')) ?? ''
    copyFileSync(key, path('kept-key'))
    chmodSync(key, 0o644)
    expectRefusal(await up(), 'ERR_ACCOUNT_KEY')
    chmodSync(key, 0o600)
    writeFileSync(key, 'nonsense')
    expectRefusal(await up(), 'ERR_ACCOUNT_KEY')
    expect(readFileSync(key, 'utf8')).toBe('nonsense')
    copyFileSync(path('kept-key'), key)
    chmodSync(path('own'), 0o755)
    expectRefusal(await up(), 'ERR_DATA_FOLDER')
    chmodSync(path('own'), 0o700)
  })

  test('on a port that is taken', async () => {
    const server = createServer()
    const port = await new Promise<number>(resolve => server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)))
    expectRefusal(await up('--listen', `/ip4/127.0.0.1/tcp/${port}`), 'ERR_ADDRESS_IN_USE')
    await new Promise(resolve => server.close(resolve))
  })

  test('on an address that is none', async () => {
    expectRefusal(await up('--listen', 'nonsense'), 'ERR_INVALID_OPTION', 2)
    expectRefusal(await up('--join', 'nonsense'), 'ERR_INVALID_OPTION', 2)
  })

  test('with a model that its owner does not allow, or that is not there', async () => {
    const added = await sandbox.run('model', 'add', put('noop.onnx', noopModel()), '--data-dir', path('own'))
    expect(added.code, added.stderr).toBe(0)
    expectRefusal(await up('--model', 'noop', '--allow', 'ab'.repeat(32)), 'ERR_MODEL_NOT_ALLOWED')
    expectRefusal(await up('--model', 'nothing'), 'ERR_MODEL_UNKNOWN')
  })

  test('as a second instance on one data folder, and the first goes on', async () => {
    const first = sandbox.start('up', '--json', '--data-dir', path('own'))
    const { peerId } = JSON.parse(await first.firstLine) as { peerId: string }
    expectRefusal(await up(), 'ERR_DATA_FOLDER_LOCKED')
    const status = await sandbox.run('status', '--json', '--data-dir', path('own'))
    expect(JSON.parse(status.stdout)).toMatchObject({ peerId })
    const down = await sandbox.run('down', '--data-dir', path('own'))
    expect(down.code, down.stderr).toBe(0)
    expect((await first.finished).code).toBe(0)
    expectRefusal(await sandbox.run('status', '--data-dir', path('own')), 'ERR_STOPPED')
  })

  test('without a home folder', async () => {
    const homeless = openSandbox({ MOTORPOOL_HOME: '', HOME: '', XDG_DATA_HOME: '' })
    expectRefusal(await homeless.run('up'), 'ERR_DATA_FOLDER')
    homeless.close()
  })
})

describe('testnets', () => {
  test('a folder with something else in it is left alone', async () => {
    mkdirSync(path('mine'))
    put('mine/diary.txt', 'Dear diary')
    expectRefusal(await sandbox.run('testnet', 'up', '-n', '1', '--no-ocr', '--json', '--dir', path('mine')), 'ERR_DATA_FOLDER')
    expectRefusal(await sandbox.run('testnet', 'down', '--dir', path('mine')), 'ERR_NO_TESTNET')
    expect(readdirSync(path('mine'))).toEqual(['diary.txt'])
  })

  test('a second one in the same folder is refused, and so is a car that is not there', async () => {
    expectRefusal(await sandbox.run('testnet', 'up', '-n', '1', '--json', '--dir', testnet), 'ERR_DATA_FOLDER_LOCKED')
    expectRefusal(await sandbox.run('testnet', 'kill', 'car-9', '--dir', testnet), 'ERR_INVALID_OPTION', 2)
  })
})

test('a reader that goes away ends a command without a word', async () => {
  const command = sandbox.start('model', 'show', 'ocr', '--models', join(testnet, 'models'))
  command.process.stdout?.destroy()
  expect(await command.finished).toEqual({ code: 0, stdout: '', stderr: '' })
})
