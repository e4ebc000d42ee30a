// A task load on a real client, car and worker, each profiled once it is warm: leaves .cpuprofile files (as --cpu-prof does,
// for Chrome and VS Code) and a flame graph of each, and prints the stages of a task and the largest self times.
// Run: npm run profile [-- --workload "no-op 1 KiB" --seconds 5 --out FOLDER]
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { Profiler } from 'node:inspector/promises'
import { loadavg } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { startCarFleet } from './car-fleet.ts'
import { ask, createScratch, forkReady, stopChild } from './child-processes.ts'
import { flameGraph } from './flame-graph.ts'
import { median } from './measure.ts'
import type { ClientStages, ProfiledClientInit } from './processes/profiled-client.ts'
import { startForeignProfile, topSelfTimes } from './profiler.ts'
import { throughputWorkloads } from './workloads.ts'

const COLD_TASKS = 5
const WARM_UP_MS = 3000
const TOP = 15
const MODEL = 'profiled'

const { values } = parseArgs({
  options: { workload: { type: 'string', default: 'no-op 1 KiB' }, seconds: { type: 'string', default: '5' }, out: { type: 'string' } }
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))
const print = (line = ''): void => void process.stdout.write(`${line}\n`)

const scratch = createScratch()
const { workloads } = await throughputWorkloads(scratch.folder)
const workload = workloads.find(({ name }) => name === values.workload)
if (workload === undefined) {
  process.stderr.write(`no workload is called ${values.workload}; there are ${workloads.map(({ name }) => name).join(', ')}\n`)
  process.exit(2)
}
const out = resolve(values.out ?? join(import.meta.dirname, 'profiles', workload.name.replaceAll(/[^A-Za-z0-9]+/g, '-')))
mkdirSync(out, { recursive: true })
const fileOf = (process: string): string => join(out, `${process}.cpuprofile`)
process.env.TMPDIR = scratch.folder

const fleet = await startCarFleet(1, { [MODEL]: workload })
const init: ProfiledClientInit = {
  workload,
  model: MODEL,
  modelFolder: fleet.modelFolder,
  join: fleet.cars.flatMap(car => car.addresses.slice(0, 1)),
  coldTasks: COLD_TASKS,
  warmUpMs: WARM_UP_MS,
  profiledMs: Number(values.seconds) * 1000
}
const client = await forkReady<object>('profiled-client', init, { scratch: scratch.folder })
const car = fleet.cars[0]!.child
await ask(client.child, 'warm-up')
// What came before counts no more.
const [before] = await fleet.report()
const stopWorkerProfile = await startForeignProfile(before!.workerPids[0]!, fileOf('worker'))
await ask(car, { startProfile: fileOf('car') })
const stages = await ask<ClientStages>(client.child, { profileFile: fileOf('client') })
await ask(car, 'stop-profile')
await stopWorkerProfile?.()
const [after] = await fleet.report()
await stopChild(client.child)
await fleet.stop()
scratch.remove()

const { readUs, proveUs } = after!
const of = (stage: keyof ClientStages, scale = 1): number => median(stages[stage]) * scale
const known = of('sendUs') + readUs + of('queuedUs') + of('ranUs') + proveUs + of('checkUs')
const table: readonly (readonly [stage: string, us: number])[] = [
  ['announce: find the shard, publish (cold)', of('announceMs', 1000)],
  ['offer: until the first one (cold)', of('offerMs', 1000)],
  ['award: wait for better ones, choose, until granted (cold)', of('awardMs', 1000)],
  ['upload: the client journals, hashes, hands over', of('sendUs')],
  ['upload: the car reads and checks the input', readUs],
  ['queue: until the run begins', of('queuedUs')],
  ['run: in the worker', of('ranUs')],
  ['sign: the car journals, signs, hands over', proveUs],
  ['check: the client checks the result', of('checkUs')],
  ['upload, download: wire, event loops, and waiting for a slot (the rest)', of('totalUs') - known],
  ['a task over an open lease, submission → result', of('totalUs')]
]
print(`${workload.name}, ${stages.totalUs.length} tasks in ${values.seconds} s with ${workload.inFlight} in flight, medians; load ${loadavg()[0]!.toFixed(2)}`)
for (const [stage, us] of table) print(`${stage.padEnd(75)} ${Math.round(us).toString().padStart(8)} µs`)
for (const name of ['client', 'car', ...(stopWorkerProfile === undefined ? [] : ['worker'])]) {
  const profile = JSON.parse(readFileSync(fileOf(name), 'utf8')) as Profiler.Profile
  writeFileSync(join(out, `${name}.svg`), flameGraph(`${name}, ${workload.name}`, profile))
  print(`\n${name}: self time, share of its busy time (${name}.cpuprofile, ${name}.svg)`)
  for (const { where, share } of topSelfTimes(profile, TOP)) print(`${`${(share * 100).toFixed(1)} %`.padStart(8)}  ${where}`)
}
if (stopWorkerProfile === undefined) process.stderr.write('the worker was not profiled: another process has the inspector port 9229\n')
print(`\nprofiles: ${out}`)
