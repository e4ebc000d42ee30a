import { expect, test } from 'vitest'
import type { CommandContext } from '../../src/cli/context.ts'
import { createProgram } from '../../src/cli/program.ts'
import { describeError } from '../../src/cli/report-error.ts'

const silent: CommandContext = {
  signal: new AbortController().signal,
  environment: {},
  print: () => undefined,
  note: () => undefined,
  endWith: () => undefined
}

/** What a command line that doesn't reach its command ends with. */
async function outcomeOf(...argv: readonly string[]): Promise<ReturnType<typeof describeError>> {
  try {
    await createProgram(silent).parseAsync(argv, { from: 'user' })
  } catch (error) {
    return describeError(error)
  }
  throw new Error('it ran')
}

test.each([
  [[], 'which command is missing'],
  [['model'], 'which command is missing'],
  [['rn'], "unknown command 'rn'; did you mean run?"],
  [['run'], "missing required argument 'model'"],
  [['run', 'ocr', 'extra'], 'too many arguments'],
  [['run', 'ocr', '--jsn'], "unknown option '--jsn'; did you mean --json?"],
  [['run', 'ocr', '--input'], "option '--input <file>' argument missing"],
  [['run', 'ocr', '--deadline', 'soon'], 'give seconds above 0'],
  [['run', 'ocr', '--deadline', '0'], 'give seconds above 0'],
  [['run', 'ocr', '--param', 'novalue'], 'give key=value'],
  [['batch', 'ocr', '--in', 'x'], "required option '--out <file>' not specified"],
  [['up', '--slots', '3'], 'Allowed choices are 1, 2, 4, 8'],
  [['up', '--allow', 'ocr'], 'give a publisher key (64 hex digits) or a model CID'],
  [['up', '--data-dir', ''], '--data-dir is empty; give a folder'],
  [['model', 'add', 'x', '--task', 'magic'], 'Allowed choices are tensors, ocr'],
  [['testnet', 'up', '-n', '0'], 'give a whole number from 1 to 200'],
  [['testnet', 'up', '--scenario', 'comute'], 'there is no such scenario; did you mean commute?'],
  [['testnet', 'up', '--scenario', 'commute', '--speed', '0'], 'give how many times faster than real time, from 1 to 3600'],
  [['testnet', 'up', '--scenario', 'commute', '--speed', '5000'], 'from 1 to 3600'],
  [['testnet', 'up', '--scenario', 'commute', '--speed', 'fast'], 'from 1 to 3600'],
  [['testnet', 'up', '--scenario', 'commute', '--seed', '-1'], 'give a whole number'],
  [['testnet', 'up', '--scenario', 'commute', '--from', '25:00'], 'give a time of the day such as 06:30'],
  [['testnet', 'up', '--speed', '600'], '--speed is about a scenario; add --scenario commute'],
  [['demo', '--seed', 'one'], 'give a whole number'],
  [['testnet', 'kil', 'car-1'], "unknown command 'kil'; did you mean kill?"],
  [['verify'], "missing required argument 'receipt'"]
])('%j is wrong usage, told in one line', async (argv, text) => {
  const { line, exitCode } = await outcomeOf(...argv)
  expect(exitCode).toBe(2)
  expect(line).toContain(text)
  expect(line).toMatch(/^motorpool: [^\n]+; [^\n]+ \(ERR_INVALID_OPTION\)$/)
})

test('every command has --json, --data-dir and an example in its help', async () => {
  const helps = new Map<string, string>()
  const visit = (command: ReturnType<typeof createProgram>, path: string): void => {
    if (command.commands.length > 0) for (const each of command.commands) visit(each as typeof command, `${path} ${each.name()}`)
    else {
      let help = ''
      command.configureOutput({ writeOut: text => (help += text) }).outputHelp()
      helps.set(path, help)
    }
  }
  visit(createProgram(silent), 'motorpool')
  expect(helps.size).toBeGreaterThan(15)
  for (const [path, help] of helps) {
    expect.soft(help, path).toContain('--json')
    expect.soft(help, path).toContain('--data-dir')
    expect.soft(help, path).toContain(`$ ${path}`)
  }
})
