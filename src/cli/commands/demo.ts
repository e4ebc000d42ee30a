import { relative } from 'node:path'
import type { Command } from 'commander'
import type { CommandContext } from '../context.ts'
import { describeSummary } from '../demo/demo-summary.ts'
import { runDemo } from '../demo/run-demo.ts'
import { type CommonOptions, wholeNumber, withCommonOptions } from '../options.ts'
import { OWN_COMMAND } from './testnet.ts'

interface DemoCommandOptions extends CommonOptions {
  readonly out?: string
  readonly seed: number
}

/** `motorpool demo`: what a newcomer sees first. */
export function addDemo(program: Command, context: CommandContext): void {
  withCommonOptions(
    program.command('demo').description('six cars read 24 pages while two are driven away, one comes back, and one is killed'),
    'motorpool demo'
  )
    .option('--out <folder>', 'where texts and receipts go (default: a new folder in the temporary one)')
    .option('--seed <n>', 'which fleet of commuters the cars are from', wholeNumber(0, 1_000_000), 1)
    .action(async (options: DemoCommandOptions) => {
      const began = performance.now()
      const summary = await runDemo({ command: OWN_COMMAND, seed: options.seed, output: options.out }, context)
      const script = relative(process.cwd(), OWN_COMMAND[1] ?? '')
      const verify = `node ${quoted(script)} verify ${quoted(`${summary.output}/receipts`)}`
      context.print(options.json === true ? JSON.stringify(summary) : describeSummary(summary, (performance.now() - began) / 1000, verify))
    })
}

/** As a shell needs it. */
function quoted(path: string): string {
  return /^[\w./+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}
