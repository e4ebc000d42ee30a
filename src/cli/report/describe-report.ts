import type { CarbonReport, OwnerReport } from '../../energy/report/owner-report.ts'

/** The owner's report in lines of a name and what is to say of it. */
export function describeReport(report: OwnerReport): string {
  const { tasks, energy, costs, carbon, unknown } = report
  const lines: [string, string][] = [
    ['days', `${report.from} to ${report.to}, on ${report.daysPresent} of them on the mesh`],
    ['on the mesh', `${amount(report.hours)} h in ${report.stays} ${report.stays === 1 ? 'stay' : 'stays'}`],
    ['tasks', `${tasks.done} done, ${tasks.failed} failed, ${tasks.handedBack} handed back`],
    ...energyLines(energy),
    ['earned', `${earnings(report.earned, costs.unit)}; by signed receipts, nobody has paid yet`],
    ['electricity', money(costs.electricity, costs.unit)],
    ['wear', money(costs.wear, costs.unit)],
    ['net', money(costs.net, costs.unit)],
    ...carbon.flatMap(carbonLines),
    ...unknown.map((what): [string, string] => ['unknown', what])
  ]
  const width = Math.max(...lines.map(([name]) => name.length))
  return lines.map(([name, text]) => `${name.padEnd(width)}  ${text}`).join('\n')
}

function energyLines({ by, runs, marginalKwh, attributedKwh, idleKwh }: OwnerReport['energy']): [string, string][] {
  if (by === null) return [['energy', 'nothing ran']]
  const counts = (['measured', 'estimated', 'unknown'] as const).filter(each => runs[each] > 0).map(each => `${runs[each]} ${each}`)
  return [
    ['energy', `${by}; of runs ${counts.join(', ')}`],
    ['', `marginal ${amount(marginalKwh)} kWh, attributed ${amount(attributedKwh)} kWh, while idle ${idleKwh === null ? 'unknown' : `${amount(idleKwh)} kWh`}`]
  ]
}

function carbonLines({ kind, grams, ofKwh, tasks, forecastTasks, operationalGramsPerTask, sciGramsPerTask }: CarbonReport): [string, string][] {
  const forecast = forecastTasks === 0 ? '' : `, ${forecastTasks} by forecasts`
  const sci =
    sciGramsPerTask === null
      ? `unknown (E × I alone: ${operationalGramsPerTask === null ? 'unknown' : `${amount(operationalGramsPerTask)} g`})`
      : `${amount(sciGramsPerTask)} g`
  return [
    [`gCO₂e, ${kind}`, `${amount(grams)} g for ${amount(ofKwh)} kWh`],
    [`SCI, ${kind}`, `${sci} a task, over ${tasks} ${tasks === 1 ? 'task' : 'tasks'}${forecast}`]
  ]
}

function earnings(earned: OwnerReport['earned'], unit: string): string {
  const all = Object.entries(earned)
  return all.length === 0 ? `0 ${unit}` : all.map(([each, value]) => `${amount(value)} ${each}`).join(', ')
}

function money(value: number | null, unit: string): string {
  return value === null ? 'unknown' : `${amount(value)} ${unit}`
}

/** Three digits that count: a task's figures and a month's lie far apart. */
function amount(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)))
}
