import type { ModelManifest, TensorSpecification } from '../../models/model.ts'
import { MotorpoolError } from '../../protocol/errors.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { checkTensor, type Tensor, type Value } from '../../protocol/tensor.ts'
import { halvesOfFloats } from '../../protocol/values/half-float.ts'
import { checkOutputPlan, readOutputPlan } from '../../protocol/values/output-plan.ts'
import type { RunOptions, TaskInputs } from '../client.ts'

/**
 * A task's input value, checked against what the model declares; float32 tensors become float16 when the parameters say that
 * they travel so. Throws `ERR_INVALID_INPUT` for wrong names, types, shapes or lengths, and for reductions and outputs that the
 * model doesn't have (`readOutputPlan` tells what a task may ask for); `ERR_INPUT_TOO_LARGE` above `LIMITS.transferPayload`.
 */
export function prepareInput(manifest: ModelManifest, inputs: TaskInputs, parameters: RunOptions['parameters'] = {}): Value {
  const plan = readOutputPlan(parameters)
  checkOutputPlan(plan, manifest)
  const tensors: Record<string, Tensor> = {}
  let byteLength = 0
  for (const [name, given] of Object.entries(inputs)) {
    const whole: Tensor = given instanceof Uint8Array ? { type: 'uint8', dims: [given.byteLength], data: given } : given
    checkTensor(name, whole)
    const tensor = plan.half && whole.type === 'float32' ? narrowed(whole) : whole
    tensors[name] = tensor
    byteLength += tensor.data.byteLength
  }
  if (byteLength > LIMITS.transferPayload)
    throw new MotorpoolError(
      'ERR_INPUT_TOO_LARGE',
      `the inputs take ${byteLength} bytes, at most ${LIMITS.transferPayload} are allowed; split the task or shrink them`
    )
  if (manifest.task === 'ocr') checkImage(manifest, tensors)
  else checkSignature(manifest, tensors, plan.half)
  return { kind: manifest.task, parameters, tensors }
}

function narrowed({ dims, data }: Tensor): Tensor {
  const { buffer, byteOffset, byteLength } = data.byteOffset % 4 === 0 ? data : new Uint8Array(data)
  const floats = new Float32Array(buffer, byteOffset, byteLength / 4)
  return { type: 'float16', dims, data: new Uint8Array(halvesOfFloats(floats).buffer) }
}

function checkImage(manifest: ModelManifest, tensors: Readonly<Record<string, Tensor>>): void {
  const names = Object.keys(tensors)
  if (names.length !== 1 || names[0] !== 'image')
    throw new MotorpoolError(
      'ERR_INVALID_INPUT',
      `${manifest.name} takes one input named image, not ${names.join(', ') || 'nothing'}; give the bytes of a PNG, JPEG or WebP file`
    )
  if (tensors.image?.data.byteLength === 0) throw new MotorpoolError('ERR_BAD_IMAGE', 'the image is empty; give the bytes of a PNG, JPEG or WebP file')
}

function checkSignature(manifest: ModelManifest, tensors: Readonly<Record<string, Tensor>>, half: boolean): void {
  const wanted = (): string => manifest.inputs.map(input => `${input.name}: ${input.type} ${shapeOf(input)}`).join('; ')
  for (const name of Object.keys(tensors)) {
    if (!manifest.inputs.some(input => input.name === name))
      throw new MotorpoolError('ERR_INVALID_INPUT', `${manifest.name} has no input named ${name}; it takes ${wanted()}`)
  }
  for (const specification of manifest.inputs) {
    const tensor = tensors[specification.name]
    if (tensor === undefined) throw new MotorpoolError('ERR_INVALID_INPUT', `input ${specification.name} is missing; ${manifest.name} takes ${wanted()}`)
    const widens = half && tensor.type === 'float16' && specification.type === 'float32'
    if (tensor.type !== specification.type && !widens)
      throw new MotorpoolError(
        'ERR_INVALID_INPUT',
        `input ${specification.name} is ${tensor.type} where ${manifest.name} takes ${specification.type}; convert it`
      )
    if (!fitsShape(tensor, specification))
      throw new MotorpoolError(
        'ERR_INVALID_INPUT',
        `input ${specification.name} has shape [${tensor.dims.join(', ')}] where ${manifest.name} takes ${shapeOf(specification)}; reshape it`
      )
  }
}

function fitsShape(tensor: Tensor, { dims }: TensorSpecification): boolean {
  return dims === null || (tensor.dims.length === dims.length && dims.every((dim, index) => typeof dim === 'string' || dim < 0 || dim === tensor.dims[index]))
}

function shapeOf({ dims }: TensorSpecification): string {
  return dims === null ? 'of any shape' : `[${dims.join(', ')}]`
}
