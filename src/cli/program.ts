import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { addBatch } from './commands/batch.ts'
import { addDemo } from './commands/demo.ts'
import { addDown } from './commands/down.ts'
import { addDrive } from './commands/drive.ts'
import { addModel } from './commands/model.ts'
import { addPeer } from './commands/peer.ts'
import { addPolicy } from './commands/policy.ts'
import { addRun } from './commands/run.ts'
import { addStatus } from './commands/status.ts'
import { addTestnet } from './commands/testnet.ts'
import { addUp } from './commands/up.ts'
import { addVerify } from './commands/verify.ts'
import type { CommandContext } from './context.ts'
import { addReport } from './report/report-command.ts'

/** The whole command line, ready to parse. Wrong usage throws commander's error instead of printing and exiting. */
export function createProgram(context: CommandContext): Command {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  const program = new Command('motorpool')
    .description('A peer-to-peer mesh in which parked cars run AI inference.')
    .version(version, '-V, --version')
    .exitOverride()
    .configureOutput({ outputError: () => undefined, writeErr: () => undefined })
    .addHelpText('after', '\nExample:\n  $ motorpool testnet up -n 6 --detach\n  $ motorpool run ocr --input page.png')
  for (const add of [addUp, addDown, addStatus, addReport, addDrive, addRun, addBatch, addVerify, addModel, addPolicy, addPeer, addTestnet, addDemo])
    add(program, context)
  return program
}
