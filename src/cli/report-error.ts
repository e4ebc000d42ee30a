import { CommanderError } from 'commander'
import { isMotorpoolError } from '../protocol/errors.ts'

const FAILED = 1
const USAGE = 2

/** One line for people, and the exit code: 0 for help, 1 when something failed, 2 when the command was wrong. */
export function describeError(error: unknown): { readonly line: string | undefined; readonly exitCode: number } {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return { line: undefined, exitCode: 0 }
    if (error.code === 'commander.help') return { line: 'motorpool: which command is missing; see motorpool --help (ERR_INVALID_OPTION)', exitCode: USAGE }
    return { line: `motorpool: ${usage(error.message)} (ERR_INVALID_OPTION)`, exitCode: USAGE }
  }
  if (isMotorpoolError(error))
    return { line: `motorpool: ${oneLine(error.message)} (${error.code})`, exitCode: error.code === 'ERR_INVALID_OPTION' ? USAGE : FAILED }
  const system = error as NodeJS.ErrnoException
  const what = error instanceof Error ? error.message : String(error)
  return { line: `motorpool: ${oneLine(what)}${advice(system.code)} (${system.code ?? 'ERR_UNEXPECTED'})`, exitCode: FAILED }
}

/** Commander's own messages, in our form: what was wrong, then what to do. */
function usage(message: string): string {
  const text = oneLine(message.replace(/^error: /, ''))
  const suggestion = /\(Did you mean (.*)\?\)/.exec(text)
  if (suggestion !== null) return `${text.slice(0, suggestion.index).trimEnd()}; did you mean ${suggestion[1]}?`
  return text.includes(';') ? text : `${text.replace(/\.$/, '')}; see motorpool --help`
}

function advice(code: string | undefined): string {
  if (code === 'ENOENT') return '; give a path that exists'
  if (code === 'EISDIR' || code === 'ENOTDIR') return '; give the right kind of path'
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return '; choose a path that you may use'
  if (code === 'ENOSPC') return '; free some disk space and try again'
  return code === undefined ? '; this is a bug in motorpool, please report it' : '; try again'
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*[\r\n]+\s*/g, ' ').trim()
}
