import { join } from 'node:path'
import type { Command } from 'commander'
import { localDay } from '../../energy/local-time.ts'
import { DAYS_KEPT, NO_DAYS, ownerDaysSchema, REPORT_FILE } from '../../energy/report/owner-day.ts'
import { ownerReport } from '../../energy/report/owner-report.ts'
import { openPrivateJson } from '../../ledger/store/private-json.ts'
import type { CommandContext } from '../context.ts'
import { dataFolderPath } from '../data-folder-path.ts'
import { type CommonOptions, wholeNumber, withCommonOptions } from '../options.ts'
import { policyPath, readPolicyFile } from '../policy/policy-file.ts'
import { describeReport } from './describe-report.ts'

interface ReportOptions extends CommonOptions {
  readonly days: number
  readonly policy?: string
}

const DAY_MS = 86_400_000

/** `motorpool report`: what the car did for its owner, from the data folder alone. */
export function addReport(program: Command, context: CommandContext): void {
  withCommonOptions(
    program.command('report').description('tell the owner what this car did, earned, cost and emitted; it needn’t run'),
    'motorpool report --days 7'
  )
    .option('--days <n>', `how many days, today included (at most ${DAYS_KEPT} are kept)`, wholeNumber(1, DAYS_KEPT), 31)
    .option('--policy <file>', 'whose prices and time zone to use (default: policy.yaml in the data folder)')
    .action((options: ReportOptions) => report(options, context))
}

function report(options: ReportOptions, context: CommandContext): void {
  const dataFolder = dataFolderPath(options.dataDir, context.environment)
  const policy = readPolicyFile(options.policy ?? policyPath(dataFolder))
  const { days } = openPrivateJson(join(dataFolder, REPORT_FILE.name), ownerDaysSchema, REPORT_FILE.holds).read() ?? NO_DAYS
  const to = localDay(Date.now(), policy.timeZone)
  const from = localDay(Date.parse(to) - (options.days - 1) * DAY_MS, null)
  const told = ownerReport({ days, from, to, policy })
  if (options.json === true) context.print(JSON.stringify(told))
  else if (days.length === 0) context.print(`nothing is recorded in ${dataFolder} yet; a car does while motorpool up runs, unless it plays a trace`)
  else context.print(describeReport(told))
}
