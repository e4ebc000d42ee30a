import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import type { CommandContext } from '../context.ts'
import { dataFolderPath } from '../data-folder-path.ts'
import { type CommonOptions, withCommonOptions } from '../options.ts'
import { describePolicy } from '../policy/describe-policy.ts'
import { policyPath, readPolicyFile, setInPolicyFile } from '../policy/policy-file.ts'

/** `motorpool policy show|set`: what this car's owner allows. */
export function addPolicy(program: Command, context: CommandContext): void {
  const policy = program
    .command('policy')
    .description('show and set what the owner of this car allows')
    .addHelpText('after', '\nExample:\n  $ motorpool policy set battery.floorPercent 40')
  withCommonOptions(policy.command('show'), 'motorpool policy show')
    .description('print the whole policy with its defaults and what each key means')
    .action((options: CommonOptions) => show(options, context))
  withCommonOptions(
    policy.command('set'),
    'motorpool policy set optedIn true\nmotorpool policy set timeZone Europe/Berlin\nmotorpool policy set contract \'{readyAt: "07:30", percent: 60}\''
  )
    .description('set one key; the file keeps its comments and is left as it is when the value is wrong')
    .argument('<key>', 'a key, with dots, as motorpool policy show names them')
    .argument('<value>', 'its value, in YAML')
    .action((key: string, value: string, options: CommonOptions) => set(key, value, options, context))
}

function show(options: CommonOptions, context: CommandContext): void {
  const path = policyPath(dataFolderPath(options.dataDir, context.environment))
  const policy = readPolicyFile(path)
  if (options.json === true) context.print(JSON.stringify(policy))
  else context.print(`# ${existsSync(path) ? path : `${path} isn’t there; all of this is defaults`}\n${describePolicy(policy)}`)
}

function set(key: string, value: string, options: CommonOptions, context: CommandContext): void {
  const path = policyPath(dataFolderPath(options.dataDir, context.environment))
  const policy = setInPolicyFile(path, key, value)
  context.print(options.json === true ? JSON.stringify(policy) : `set ${key} in ${path}`)
}
