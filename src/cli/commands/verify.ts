import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { redactReceipt } from '../../ledger/receipt.ts'
import { type ReceiptReport, type ReceiptValues, verifyReceipt } from '../../ledger/verify-receipt.ts'
import { isMotorpoolError, MotorpoolError } from '../../protocol/errors.ts'
import { toHex } from '../../protocol/ids.ts'
import type { ParameterValue } from '../../protocol/tensor.ts'
import type { CommandContext } from '../context.ts'
import { type CommonOptions, collectParameter, withCommonOptions } from '../options.ts'
import { inputValue, outputValue } from '../receipt-values.ts'

interface VerifyOptions extends CommonOptions {
  readonly input?: string
  readonly output?: string
  readonly param?: Record<string, ParameterValue>
  readonly redact?: string
}

type Verdict = { readonly file: string; readonly report: ReceiptReport } | { readonly file: string; readonly error: MotorpoolError }

/** `motorpool verify RECEIPT...`: what receipts prove, with nothing but the files. */
export function addVerify(program: Command, context: CommandContext): void {
  const command = program
    .command('verify')
    .description('check receipts offline, and tell what they prove and what the car only declared')
    .argument('<receipt...>', 'receipt files, or folders of *.receipt')
  withCommonOptions(command, 'motorpool verify task.receipt --input page.png')
    .option('--input <file>', 'the input that the receipt should be about: an image or JSON tensors')
    .option('--output <file>', 'the output that it should be about: what motorpool run --json printed')
    .option('--param <key=value>', 'a parameter that went with the input; may be repeated', collectParameter)
    .option('--redact <file>', 'also write a copy without the salt, from which nobody can test guesses of input or output')
    .action((paths: string[], options: VerifyOptions) => verify(paths, options, context))
}

async function verify(paths: readonly string[], options: VerifyOptions, context: CommandContext): Promise<void> {
  const files = (await Promise.all(paths.map(receiptFiles))).flat()
  if (files.length === 0) throw new MotorpoolError('ERR_BAD_RECEIPT', `no receipts in ${paths.join(', ')}; name a receipt file`)
  const single = options.input !== undefined || options.output !== undefined || options.redact !== undefined
  if (single && files.length > 1) throw new MotorpoolError('ERR_INVALID_OPTION', '--input, --output and --redact are about one receipt; name one')
  const values: ReceiptValues = {
    input: options.input === undefined ? undefined : await inputValue(options.input, options.param),
    output: options.output === undefined ? undefined : await outputValue(options.output)
  }
  const verdicts: Verdict[] = []
  for (const file of files) verdicts.push(await verdictOf(file, values))
  const wrong = verdicts.filter(verdict => 'error' in verdict)
  if (options.json === true) context.print(jsonOf(verdicts))
  else for (const line of describe(verdicts)) context.print(line)
  const first = wrong[0]
  if (first !== undefined)
    throw new MotorpoolError(
      'ERR_BAD_RECEIPT',
      `${wrong.length > 1 ? `${wrong.length} of ${files.length} receipts do not verify, the first: ` : ''}${first.file}: ${first.error.message}`
    )
  if (options.redact !== undefined) await writeFile(options.redact, redactReceipt(await readFile(files[0] ?? '')))
}

async function receiptFiles(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path]
  return (await readdir(path))
    .filter(name => name.endsWith('.receipt'))
    .sort()
    .map(name => join(path, name))
}

async function verdictOf(file: string, values: ReceiptValues): Promise<Verdict> {
  const bytes = await readFile(file)
  try {
    return { file, report: verifyReceipt(bytes, values) }
  } catch (error) {
    if (!isMotorpoolError(error)) throw error
    return { file, error }
  }
}

function describe(verdicts: readonly Verdict[]): string[] {
  const reports = verdicts.flatMap(verdict => ('report' in verdict ? [verdict] : []))
  if (verdicts.length === 1)
    return reports.flatMap(({ file, report }) => [
      `${file}: valid`,
      ...report.proved.map(line => `  proved    ${line}`),
      ...declared(report).map(line => `  declared  ${line}`)
    ])
  const lines = verdicts.map(verdict => ('report' in verdict ? `valid  ${verdict.file}` : `WRONG  ${verdict.file}`))
  const cars = new Set(reports.map(({ report }) => report.carAccount))
  return [
    ...lines,
    `${reports.length} of ${verdicts.length} receipts are valid, signed by ${cars.size} car accounts; times, energy and hardware class are only declared`
  ]
}

/** The car's word, which nothing in the file proves. */
function declared({ declared: { class: numerics, times, energy, price, units } }: ReceiptReport): string[] {
  return [
    `ran ${times.ranUs} µs after waiting ${times.queuedUs} µs, in the minute ${new Date(times.at * 1000).toISOString().slice(0, 16)}Z`,
    `on ${numerics.ep} (${numerics.device}, ${numerics.arch}, ${numerics.isa}), onnxruntime ${numerics.ort}, ${numerics.threads} threads, optimization ${numerics.opt}`,
    `${units.items} items, energy ${energy.marginalMj} mJ by ${energy.by}, price ${price.amount} × 10⁻⁶ ${price.unit}`
  ]
}

function jsonOf(verdicts: readonly Verdict[]): string {
  const receipts = verdicts.map(verdict =>
    'report' in verdict
      ? { file: verdict.file, valid: true, ...verdict.report }
      : { file: verdict.file, valid: false, error: { code: verdict.error.code, message: verdict.error.message } }
  )
  return JSON.stringify({ valid: verdicts.every(verdict => 'report' in verdict), receipts }, (_key, value: unknown) =>
    value instanceof Uint8Array ? toHex(value) : value
  )
}
