import type { Command } from 'commander'
import { adminRequest } from '../admin/client.ts'
import type { CommandContext } from '../context.ts'
import { dataFolderPath } from '../data-folder-path.ts'
import { type CommonOptions, withCommonOptions } from '../options.ts'
import { describeStatus } from './status.ts'

interface DriveOptions extends CommonOptions {
  readonly reason?: string
}

/** `motorpool drive|park`: the word of the person at this machine's car. */
export function addDrive(program: Command, context: CommandContext): void {
  withCommonOptions(program.command('drive').description('take the car: it leaves the mesh at once and stays away until motorpool park'), 'motorpool drive')
    .option('--reason <text>', 'what to note as the reason; other peers aren’t told')
    .action(async ({ reason, ...options }: DriveOptions) => {
      const folder = dataFolderPath(options.dataDir, context.environment)
      const status = await adminRequest(folder, 'drive', reason === undefined ? {} : { reason }, { signal: context.signal })
      context.print(options.json === true ? JSON.stringify(status) : describeStatus(status))
    })
  withCommonOptions(program.command('park').description('give the car back: it joins as soon as it is fit'), 'motorpool park').action(
    async (options: CommonOptions) => {
      const status = await adminRequest(dataFolderPath(options.dataDir, context.environment), 'park', {}, { signal: context.signal })
      context.print(options.json === true ? JSON.stringify(status) : describeStatus(status))
    }
  )
}
