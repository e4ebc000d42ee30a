// Runs the measures in bench/measures, prints a table and writes bench/results.json. Run: npm run bench [-- [--quick] NAME…]
// With --quick every measure that can takes one short round, and nothing is written.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { arch, cpus, loadavg, platform, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { keepsGoal, type Measure, type Row } from './measure.ts'

interface Result extends Row {
  readonly ok: boolean
}

const folder = new URL('measures/', import.meta.url)
const resultsFile = new URL('results.json', import.meta.url)
const {
  positionals: only,
  values: { quick }
} = parseArgs({ allowPositionals: true, options: { quick: { type: 'boolean', default: false } } })
// So that what measures have started ends with the bench.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

/** The installed version of a dependency. */
function versionOf(name: string): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : '?'
}

const goalText = ({ goal }: Row) =>
  goal === null ? '' : [goal.atLeast !== undefined && `≥ ${goal.atLeast}`, goal.atMost !== undefined && `≤ ${goal.atMost}`].filter(Boolean).join(', ')
const load = () => loadavg()[0]!.toFixed(2)

const names = readdirSync(folder)
  .filter(file => file.endsWith('.ts'))
  .map(file => file.slice(0, -'.ts'.length))
const unknown = only.filter(name => !names.includes(name))
if (unknown.length > 0) {
  process.stderr.write(`no measure is called ${unknown.join(', ')}; there are ${names.join(', ')}\n`)
  process.exit(2)
}

const machine = {
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: cpus().length,
  memoryGib: Math.round(totalmem() / 2 ** 30),
  system: `${platform()} ${arch()}`,
  node: process.version,
  libp2p: versionOf('libp2p'),
  onnxruntime: versionOf('onnxruntime-node')
}
process.stdout.write(
  `${machine.cores} × ${machine.cpu}, ${machine.memoryGib} GiB, ${machine.system}; Node ${machine.node}, libp2p ${machine.libp2p}, ONNX Runtime ${machine.onnxruntime}; load ${load()}\n`
)

const tell = (line: string): void => void process.stderr.write(`${line}\n`)
const results: Result[] = []
for (const name of names.filter(name => only.length === 0 || only.includes(name))) {
  const { measure } = (await import(new URL(`${name}.ts`, folder).href)) as { measure: Measure }
  tell(`${name} …`)
  for (const row of await measure.run({ quick, tell })) results.push({ ...row, ok: keepsGoal(row) })
}

const cells = results.map(row => [
  row.measure,
  `${Number(row.value.toPrecision(3))} ${row.unit}`,
  goalText(row),
  row.goal === null ? '' : row.ok ? 'ok' : 'MISSED',
  `${row.rounds}`,
  row.note ?? ''
])
const table = [['measure', 'value', 'goal', '', 'rounds', 'note'], ...cells]
const widths = table[0]!.map((_, column) => Math.max(...table.map(row => row[column]!.length)))
for (const row of table)
  process.stdout.write(
    `${row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()}\n`
  )
process.stdout.write(`load at the end ${load()}\n`)

if (!quick) {
  /** A run of single measures replaces only their rows. */
  const earlier: Result[] = only.length > 0 && existsSync(resultsFile) ? (JSON.parse(readFileSync(resultsFile, 'utf8')) as { rows: Result[] }).rows : []
  const kept = earlier.filter(row => !results.some(result => result.measure === row.measure))
  writeFileSync(resultsFile, `${JSON.stringify({ machine, rows: [...kept, ...results] }, null, 2)}\n`)
}
process.exitCode = results.every(row => row.ok) ? 0 : 1
