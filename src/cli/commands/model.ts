import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Command, Option } from 'commander'
import { BATCHINGS, type Batching, MODEL_TASKS, type ModelTask, type StoredModel } from '../../models/model.ts'
import { openModelStore } from '../../models/model-store.ts'
import { toHex } from '../../protocol/ids.ts'
import type { CommandContext } from '../context.ts'
import { dataFolderPath } from '../data-folder-path.ts'
import { publisherSigner } from '../model-policy.ts'
import { type CommonOptions, wholeNumber, withCommonOptions } from '../options.ts'
import { formatTable } from '../table.ts'

interface ModelOptions extends CommonOptions {
  readonly models?: string
}

interface AddOptions extends ModelOptions {
  readonly name?: string
  readonly task?: ModelTask
  readonly version?: number
  readonly licence?: string
  readonly batching?: Batching
}

/** `motorpool model add|ls|show|rm`: the models in a store. */
export function addModel(program: Command, context: CommandContext): void {
  const model = program
    .command('model')
    .description('publish, list and remove models in the store')
    .addHelpText('after', '\nExample:\n  $ motorpool model add classifier.onnx --name my-model')
  const subcommand = (name: string, example: string) =>
    withCommonOptions(model.command(name), example).option('--models <folder>', 'the model store (default: models in the data folder)')
  subcommand('add', 'motorpool model add classifier.onnx --name my-model')
    .description('put an .onnx file or a folder into the store, signed with this data folder’s publisher key')
    .argument('<path>', 'an .onnx file or a folder')
    .option('--name <name>', 'what to call it (default: after the file)')
    .addOption(new Option('--task <task>', 'what its tensors are').choices(MODEL_TASKS))
    .option('--version <n>', 'rises with every publication of one name (default: 1 above the last)', wholeNumber(1, 2 ** 31))
    .option('--licence <spdx>', 'its licence as an SPDX expression')
    .addOption(
      new Option('--batching <kind>', 'rows: cars may run tasks together, because no row’s result depends on the others (default: none)').choices(BATCHINGS)
    )
    .action((path: string, options: AddOptions) => add(path, options, context))
  subcommand('ls', 'motorpool model ls')
    .description('list the models in the store')
    .action((options: ModelOptions) => list(options, context))
  subcommand('show', 'motorpool model show my-model')
    .description('show a model’s manifest')
    .argument('<model>', 'a model’s name or CID')
    .action((name: string, options: ModelOptions) => show(name, options, context))
  subcommand('rm', 'motorpool model rm my-model')
    .description('remove a model from the store')
    .argument('<model>', 'a model’s name or CID')
    .action((name: string, options: ModelOptions) => remove(name, options, context))
}

async function openStore(options: ModelOptions, context: CommandContext) {
  return openModelStore(options.models ?? join(dataFolderPath(options.dataDir, context.environment), 'models'))
}

async function add(path: string, options: AddOptions, context: CommandContext): Promise<void> {
  const dataFolder = dataFolderPath(options.dataDir, context.environment)
  await mkdir(dataFolder, { recursive: true, mode: 0o700 })
  const { name, task, version, licence, batching } = options
  const stored = await (await openStore(options, context)).add(path, { name, task, version, licence, batching, publisher: publisherSigner(dataFolder) })
  context.print(options.json === true ? JSON.stringify(summary(stored)) : `added ${stored.manifest.name} version ${stored.manifest.version} as ${stored.cid}`)
}

async function list(options: ModelOptions, context: CommandContext): Promise<void> {
  const models = await (await openStore(options, context)).list()
  if (options.json === true) context.print(JSON.stringify(models.map(summary)))
  else if (models.length === 0) context.print('no models; add one with motorpool model add PATH')
  else
    context.print(
      formatTable(
        ['name', 'version', 'task', 'bytes', 'cid'],
        models.map(summary).map(model => [model.name, model.version, model.task, model.bytes, model.cid])
      )
    )
}

async function show(name: string, options: ModelOptions, context: CommandContext): Promise<void> {
  const stored = await (await openStore(options, context)).get(name)
  const { manifest } = stored
  if (options.json === true) {
    context.print(
      JSON.stringify({ cid: stored.cid, folder: stored.folder, manifest }, (_key, value: unknown) => (value instanceof Uint8Array ? toHex(value) : value))
    )
    return
  }
  const { bytes } = summary(stored)
  const tensors = (label: string, list: typeof manifest.inputs) =>
    list.map(
      ({ name: tensor, type, dims }) =>
        `${label.padEnd(10)} ${tensor}: ${type} ${dims === null ? 'of any shape' : `[${dims.map(dim => (dim === -1 ? '?' : dim)).join(', ')}]`}`
    )
  const lines = [
    `name       ${manifest.name}`,
    `version    ${manifest.version}`,
    `cid        ${stored.cid}`,
    `task       ${manifest.task}`,
    `batching   ${manifest.batching ?? 'none'}`,
    `licence    ${manifest.licence === '' ? 'not told' : manifest.licence}`,
    `publisher  ${toHex(manifest.publisher)}`,
    `size       ${bytes} bytes`
  ]
  for (const line of [
    ...lines,
    ...tensors('input', manifest.inputs),
    ...tensors('output', manifest.outputs),
    ...manifest.files.map(file => `file       ${file.path} (${file.size} bytes)`)
  ])
    context.print(line)
}

async function remove(name: string, options: ModelOptions, context: CommandContext): Promise<void> {
  const store = await openStore(options, context)
  const { cid, manifest } = await store.get(name)
  await store.remove(cid)
  context.print(options.json === true ? JSON.stringify({ removed: cid, name: manifest.name }) : `removed ${manifest.name} (${cid})`)
}

function summary({ cid, manifest }: StoredModel) {
  const { name, version, task, licence, publisher } = manifest
  return { name, version, task, licence, publisher: toHex(publisher), cid, bytes: manifest.files.reduce((sum, file) => sum + file.size, 0) }
}
