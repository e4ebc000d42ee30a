import type { Command } from 'commander'
import { adminRequest } from '../admin/client.ts'
import type { AdminStatus } from '../admin/methods.ts'
import type { CommandContext } from '../context.ts'
import { dataFolderPath } from '../data-folder-path.ts'
import { type CommonOptions, withCommonOptions } from '../options.ts'
import { describeCar } from '../vehicle/describe-car.ts'

/** `motorpool status`: what the running car does. */
export function addStatus(program: Command, context: CommandContext): void {
  withCommonOptions(program.command('status').description('tell what the car that motorpool up started does'), 'motorpool status --json').action(
    async (options: CommonOptions) => {
      const status = await adminRequest(dataFolderPath(options.dataDir, context.environment), 'status', {}, { signal: context.signal })
      context.print(options.json === true ? JSON.stringify(status) : describeStatus(status))
    }
  )
}

/** A running peer's state in a few lines. */
export function describeStatus(status: AdminStatus): string {
  const { car, client } = status
  const lines = [
    `peer      ${status.peerId ?? 'none while the car is away'} (process ${status.pid})`,
    ...status.addresses.map(address => `address   ${address}`),
    `connected to ${status.connections} peers, ${status.links} of them linked`
  ]
  if (car !== null) lines.push(...describeCar(car))
  lines.push(`asked     ${client.submitted} tasks: ${client.done} done, ${client.failed} failed, ${client.moved} moved`)
  return lines.join('\n')
}
