import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { MOST_YOUNG_BYTES } from '../../../src/mesh/host/small-heap.ts'

/** Makes much garbage of which some lives for a while, so that V8 wants a larger young generation; tells the largest that it had. */
const PROGRAM = `
  import { getHeapSpaceStatistics } from 'node:v8'
  const [file, isBounded] = process.argv.slice(1)
  const { leaveSmallHeapAlone } = await import(file)
  if (isBounded === 'true') leaveSmallHeapAlone()
  let [living, most] = [[], 0]
  for (let turn = 0; turn < 400; turn++) {
    for (let count = 0; count < 20_000; count++) {
      living.push({ count })
      if (living.length > 200_000) living = []
    }
    await new Promise(setImmediate)
    most = Math.max(most, getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size)
  }
  console.log(most)`

async function mostYoungBytes(isBounded: boolean): Promise<number> {
  const file = new URL('../../../src/mesh/host/small-heap.ts', import.meta.url).href
  const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', '--input-type=module', '--eval', PROGRAM, file, String(isBounded)])
  return Number(stdout)
}

it('keeps the young generation within its limit, above which V8 would go', async () => {
  expect(await mostYoungBytes(true)).toBeLessThanOrEqual(MOST_YOUNG_BYTES)
  expect(await mostYoungBytes(false)).toBeGreaterThan(MOST_YOUNG_BYTES)
}, 60_000)
