import { writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { StoredModel } from '../../models/model.ts'
import { openModelStore } from '../../models/model-store.ts'
import { isMotorpoolError } from '../../protocol/errors.ts'
import type { ParameterValue } from '../../protocol/tensor.ts'
import type { CommandContext } from '../context.ts'
import { findMesh, type MeshOptions, openClient, withMeshOptions } from '../join-mesh.ts'
import { collectParameter, secondsToMs, withCommonOptions } from '../options.ts'
import { readInputFile, taskInput } from '../task-input.ts'
import { resultJson, textOf } from '../task-output.ts'

interface RunCommandOptions extends MeshOptions {
  readonly input: string
  readonly receipt?: string
  readonly deadline?: number
  readonly param?: Record<string, ParameterValue>
}

/** `motorpool run MODEL`: one task on some car of the mesh. */
export function addRun(program: Command, context: CommandContext): void {
  const command = program.command('run').description('run one task on a car and print what comes back').argument('<model>', 'a model’s name or CID')
  withMeshOptions(withCommonOptions(command, 'motorpool run ocr --input page.png\nmotorpool run my-model --input tensors.json --receipt task.receipt'))
    .option('--input <file>', 'an image, or JSON tensors as the Open Inference Protocol has them; - reads standard input', '-')
    .option('--receipt <file>', 'where to leave the receipt')
    .option('--deadline <seconds>', 'give up after this long (default: 60)', secondsToMs)
    .option('--param <key=value>', 'a parameter that goes with the input; may be repeated', collectParameter)
    .action((model: string, options: RunCommandOptions) => run(model, options, context))
}

async function run(name: string, options: RunCommandOptions, context: CommandContext): Promise<void> {
  const mesh = await findMesh(options, context)
  const model = await findModel(mesh.modelFolder, name)
  const bytes = await readInputFile(options.input, model?.manifest.task)
  const input = taskInput(bytes, model?.manifest.task, options.input === '-' ? 'standard input' : options.input)
  const peer = await openClient(mesh, context)
  try {
    const result = await peer.run(model?.cid ?? name, input.inputs, { signal: context.signal, deadlineMs: options.deadline, parameters: options.param })
    if (options.receipt !== undefined) await writeFile(options.receipt, result.receipt)
    const text = model?.manifest.task === 'tensors' || options.json === true ? undefined : textOf(result)
    context.print(text ?? JSON.stringify(resultJson(result, input, model)))
  } finally {
    await peer.stop()
  }
}

/** The model as this machine's store knows it; undefined for a CID that only cars may have. */
export async function findModel(modelFolder: string, name: string): Promise<StoredModel | undefined> {
  try {
    return await (await openModelStore(modelFolder)).get(name)
  } catch (error) {
    if (isMotorpoolError(error, 'ERR_MODEL_UNKNOWN') && /^b[a-z2-7]{50,70}$/.test(name)) return undefined
    throw error
  }
}
