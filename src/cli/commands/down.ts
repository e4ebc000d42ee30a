import type { Command } from 'commander'
import { MotorpoolError } from '../../protocol/errors.ts'
import { waitUntilGone } from '../../testnet/process-identity.ts'
import { adminRequest } from '../admin/client.ts'
import type { CommandContext } from '../context.ts'
import { dataFolderPath } from '../data-folder-path.ts'
import { type CommonOptions, withCommonOptions } from '../options.ts'

/** Workers stop within 2 s and peers say goodbye; well above both. */
const STOP_LIMIT_MS = 10_000

/** `motorpool down`: ends the car that `up` started, and returns when it is gone. */
export function addDown(program: Command, context: CommandContext): void {
  withCommonOptions(program.command('down').description('stop the car that motorpool up started'), 'motorpool down').action(async (options: CommonOptions) => {
    const dataFolder = dataFolderPath(options.dataDir, context.environment)
    const { peerId, pid } = await adminRequest(dataFolder, 'status', {}, { signal: context.signal })
    await adminRequest(dataFolder, 'stop', {}, { signal: context.signal })
    if (!(await waitUntilGone({ pid }, STOP_LIMIT_MS)))
      throw new MotorpoolError('ERR_DEADLINE', `process ${pid} did not stop within ${STOP_LIMIT_MS} ms; end it with kill -9 ${pid}`)
    context.print(options.json === true ? JSON.stringify({ stopped: peerId, pid }) : `stopped ${peerId}`)
  })
}
