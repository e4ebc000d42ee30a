import { type Command, InvalidArgumentError } from 'commander'
import type { ParameterValue } from '../protocol/tensor.ts'

/** Options that every command has. */
export interface CommonOptions {
  readonly json?: boolean
  readonly dataDir?: string
}

/** Adds `--json`, `--data-dir` and an example to a command's help. */
export function withCommonOptions(command: Command, example: string): Command {
  return command
    .option('--json', 'print JSON for machines')
    .option('--data-dir <path>', 'where keys, journals and models live (default: $MOTORPOOL_HOME, or motorpool in the user’s data folder)')
    .addHelpText(
      'after',
      `\nExample:\n${example
        .split('\n')
        .map(line => `  $ ${line}`)
        .join('\n')}`
    )
}

/** Parses a whole number within bounds. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return text => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < least || value > most) throw new InvalidArgumentError(`give a whole number from ${least} to ${most}`)
    return value
  }
}

/** Parses a positive number of seconds into milliseconds. */
export function secondsToMs(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0 || value > 86_400) throw new InvalidArgumentError('give seconds above 0 and up to 86400')
  return Math.ceil(value * 1000)
}

/** Parses a price such as `0.001 EUR`. */
export function priceCeiling(text: string): { readonly priceCeiling: number; readonly unit: string } {
  const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,6})?) ?([A-Z]{3})$/.exec(text) ?? []
  if (amount === undefined || unit === undefined) throw new InvalidArgumentError('give an amount with up to 6 decimals and a currency, such as 0.001EUR')
  return { priceCeiling: Math.round(Number(amount) * 1e6), unit }
}

/** Gathers a repeatable option. */
export function collect(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), value]
}

/** Gathers `key=value` pairs; whole numbers, `true` and `false` become numbers and booleans. */
export function collectParameter(pair: string, previous: Record<string, ParameterValue> | undefined): Record<string, ParameterValue> {
  const at = pair.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('give key=value')
  const text = pair.slice(at + 1)
  const entries = Object.entries(previous ?? {})
  return Object.fromEntries([...entries, [pair.slice(0, at), parameterValue(text)]])
}

/** Gathers `output=steps` pairs as the parameters that ask for them. */
export function collectReduction(pair: string, previous: Record<string, string> | undefined): Record<string, string> {
  const at = pair.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('give output=steps, such as logits=argmax')
  return { ...previous, [`reduce.${pair.slice(0, at)}`]: pair.slice(at + 1) }
}

function parameterValue(text: string): ParameterValue {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^-?\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : text
}
