import { writeFile } from 'node:fs/promises'
import { type Command, Option } from 'commander'
import type { StoredModel } from '../../models/model.ts'
import { openModelStore } from '../../models/model-store.ts'
import { isMotorpoolError } from '../../protocol/errors.ts'
import type { ParameterValue } from '../../protocol/tensor.ts'
import type { CommandContext } from '../context.ts'
import { findMesh, type MeshOptions, openClient, withMeshOptions } from '../join-mesh.ts'
import { collectParameter, collectReduction, priceCeiling, secondsToMs, withCommonOptions } from '../options.ts'
import { readInputFile, taskInput } from '../task-input.ts'
import { resultJson, textOf } from '../task-output.ts'

interface RunCommandOptions extends MeshOptions {
  readonly input: string
  readonly receipt?: string
  readonly deadline?: number
  readonly param?: Record<string, ParameterValue>
  readonly outputs?: string
  readonly reduce?: Record<string, string>
  readonly travel?: 'float16'
  readonly pay?: ReturnType<typeof priceCeiling>
}

/** `motorpool run MODEL`: one task on some car of the mesh. */
export function addRun(program: Command, context: CommandContext): void {
  const command = program.command('run').description('run one task on a car and print what comes back').argument('<model>', 'a model’s name or CID')
  withMeshOptions(withCommonOptions(command, 'motorpool run ocr --input page.png\nmotorpool run my-model --input tensors.json --receipt task.receipt'))
    .option('--input <file>', 'an image, or JSON tensors as the Open Inference Protocol has them; - reads standard input', '-')
    .option('--receipt <file>', 'where to leave the receipt')
    .option('--deadline <seconds>', 'give up after this long (default: 60)', secondsToMs)
    .option('--pay <price>', 'most to pay for a task, such as 0.001EUR (default: nothing)', priceCeiling)
    .option('--param <key=value>', 'a parameter that goes with the input; may be repeated', collectParameter)
    .option('--outputs <names>', 'return only these outputs, with commas between')
    .option(
      '--reduce <output=steps>',
      'let the car shrink an output: argmax, top-k(N), mean-pool(MASK), l2-normalize, softmax, several with spaces between; may be repeated',
      collectReduction
    )
    .addOption(new Option('--travel <type>', 'send and return float32 tensors in half the bytes, with 11 instead of 24 significant bits').choices(['float16']))
    .action((model: string, options: RunCommandOptions) => run(model, options, context))
}

async function run(name: string, options: RunCommandOptions, context: CommandContext): Promise<void> {
  const mesh = await findMesh(options, context)
  const model = await findModel(mesh.modelFolder, name)
  const bytes = await readInputFile(options.input, model?.manifest.task)
  const input = taskInput(bytes, model?.manifest.task, options.input === '-' ? 'standard input' : options.input)
  const peer = await openClient(mesh, context)
  try {
    const result = await peer.run(model?.cid ?? name, input.inputs, {
      signal: context.signal,
      deadlineMs: options.deadline,
      parameters: parametersOf(options),
      ...options.pay
    })
    if (options.receipt !== undefined) await writeFile(options.receipt, result.receipt)
    const text = model?.manifest.task === 'tensors' || options.json === true ? undefined : textOf(result)
    context.print(text ?? JSON.stringify(resultJson(result, input, model)))
  } finally {
    await peer.stop()
  }
}

/** What goes with the input: parameters as given, and those that shape the result. */
function parametersOf({ param, outputs, reduce, travel }: RunCommandOptions): Record<string, ParameterValue> {
  return { ...param, ...reduce, ...(outputs === undefined ? {} : { outputs }), ...(travel === undefined ? {} : { travel }) }
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
