import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MotorpoolError } from '../../protocol/errors.ts'

/** A page image and the text that is really on it. */
export interface DemoPage {
  readonly key: string
  readonly image: Uint8Array
  readonly truth: string
}

/** Reads the pages that come with motorpool, each with its true text beside it. */
export async function readDemoPages(folder: string = fileURLToPath(new URL('../../../examples/pages', import.meta.url))): Promise<DemoPage[]> {
  const names = (await readdir(folder).catch(() => [])).filter(name => name.endsWith('.png')).sort()
  if (names.length === 0) throw new MotorpoolError('ERR_INVALID_OPTION', `no pages in ${folder}; run the demo from a checkout of motorpool`)
  return Promise.all(
    names.map(async name => {
      const key = name.slice(0, -'.png'.length)
      return { key, image: await readFile(join(folder, name)), truth: await readFile(join(folder, `${key}.txt`), 'utf8') }
    })
  )
}
