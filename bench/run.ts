// Runs the measures in bench/measures, prints a table and writes bench/results.json; docs/bench.md tells how to read it.
// Run: npm run bench [-- [--quick] [--workload TEXT] [--tasks N] MEASURE…]
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { arch, cpus, loadavg, platform, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { createScratch } from './child-processes.ts'
import { keepsGoal, type Measure, type Row } from './measure.ts'

/** A line of bench/results.json. */
interface Result extends Row {
  readonly ok: boolean
  /** The measure that it comes from; a run of single measures replaces only their rows. */
  readonly by: string
  /** The processor, where it is another than the file's. */
  readonly cpu?: string
}

const folder = new URL('measures/', import.meta.url)
const resultsFile = new URL('results.json', import.meta.url)
const { positionals, values: flags } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, workload: { type: 'string', default: '' }, tasks: { type: 'string' } }
})
// So that what measures have started ends with the bench, and peers in this process leave no folder either.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))
process.env.TMPDIR = createScratch().folder

/** The installed version of a dependency. */
function versionOf(name: string): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : '?'
}

/** A missed goal says why, as far as its measure saw it. */
function resultOf(by: string, { why, note, ...row }: Row): Result {
  const ok = keepsGoal(row)
  const text = [note, ok ? undefined : `missed: ${why ?? 'this measure does not see why'}; docs/bench.md tells what stands in the way`]
    .filter(Boolean)
    .join('; ')
  return { by, ...row, ok, ...(text === '' ? {} : { note: text }) }
}

/** Rows of an earlier run, each with its processor where that was another. */
function rowsOf(file: { readonly machine: { readonly cpu: string }; readonly rows: readonly Result[] }): readonly Result[] {
  return file.rows.map(({ cpu = file.machine.cpu, ...row }) => (cpu === machine.cpu ? row : { ...row, cpu }))
}

const goalText = ({ goal }: Row) =>
  goal === null ? '' : [goal.atLeast !== undefined && `≥ ${goal.atLeast}`, goal.atMost !== undefined && `≤ ${goal.atMost}`].filter(Boolean).join(', ')
const load = () => loadavg()[0]!.toFixed(2)
const tell = (line: string): void => void process.stderr.write(`${line}\n`)
const giveUp = (line: string): never => {
  tell(line)
  process.exit(2)
}

const names = readdirSync(folder)
  .filter(file => file.endsWith('.ts'))
  .map(file => file.slice(0, -'.ts'.length))
const unknown = positionals.filter(name => !names.includes(name))
if (unknown.length > 0) giveUp(`no measure is called ${unknown.join(', ')}; there are ${names.join(', ')}`)
const tasks = flags.tasks === undefined ? undefined : Number(flags.tasks)
if (tasks !== undefined && !(Number.isSafeInteger(tasks) && tasks > 0)) giveUp(`--tasks is ${flags.tasks}; give a whole number ≥ 1`)

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

const results: Result[] = []
const broken: string[] = []
const ran = names.filter(name => positionals.length === 0 || positionals.includes(name))
for (const name of ran) {
  const startedMs = performance.now()
  const { measure } = (await import(new URL(`${name}.ts`, folder).href)) as { measure: Measure }
  tell(`${name} …`)
  try {
    for (const row of await measure.run({ quick: flags.quick, workload: flags.workload, tasks, tell })) {
      if (Number.isFinite(row.value)) results.push(resultOf(name, row))
      else tell(`  left out, as nothing ended within its windows: ${row.measure}`)
    }
  } catch (error) {
    // The others are still worth their minutes.
    broken.push(name)
    tell(`  ${name} broke: ${error instanceof Error ? error.stack : error}`)
  }
  tell(`${name}: ${Math.round((performance.now() - startedMs) / 1000)} s, load ${load()}`)
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

if (!flags.quick && tasks === undefined) {
  const whole = flags.workload === ''
  const isPart = positionals.length > 0 || !whole || broken.length > 0
  const earlier = isPart && existsSync(resultsFile) ? rowsOf(JSON.parse(readFileSync(resultsFile, 'utf8'))) : []
  const isReplaced = (row: Result): boolean => results.some(({ by, measure }) => (whole && by === row.by) || measure === row.measure)
  writeFileSync(resultsFile, `${JSON.stringify({ machine, rows: [...earlier.filter(row => !isReplaced(row)), ...results] }, null, 2)}\n`)
}
if (broken.length > 0) tell(`broke: ${broken.join(', ')}`)
process.exitCode = broken.length === 0 && results.every(row => row.ok) ? 0 : 1
