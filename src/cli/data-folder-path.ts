import { join, resolve } from 'node:path'
import { MotorpoolError } from '../protocol/errors.ts'
import type { CommandContext } from './context.ts'

/**
 * Where this user's keys and journals live: `--data-dir`, else $MOTORPOOL_HOME, else `motorpool` in $XDG_DATA_HOME
 * or ~/.local/share (XDG base directory specification). Throws `ERR_DATA_FOLDER` when none is known.
 */
export function dataFolderPath(chosen: string | undefined, environment: CommandContext['environment']): string {
  if (chosen === '') throw new MotorpoolError('ERR_INVALID_OPTION', '--data-dir is empty; give a folder')
  const known = chosen ?? nonEmpty(environment.MOTORPOOL_HOME)
  if (known !== undefined) return resolve(known)
  const shared = nonEmpty(environment.XDG_DATA_HOME) ?? (nonEmpty(environment.HOME) === undefined ? undefined : join(environment.HOME ?? '', '.local', 'share'))
  if (shared === undefined) throw new MotorpoolError('ERR_DATA_FOLDER', 'there is no home folder to keep keys in; give --data-dir or set MOTORPOOL_HOME')
  return join(shared, 'motorpool')
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text
}
