import type { ModelManifest, TensorSpecification } from '../models/model.ts'
import { MotorpoolError } from '../protocol/errors.ts'
import { LIMITS } from '../protocol/limits.ts'
import { checkTensor, type Tensor, type Value } from '../protocol/tensor.ts'
import type { RunOptions, TaskInputs } from './client.ts'

/**
 * A task's input value, checked against what the model declares. Throws `ERR_INVALID_INPUT` for wrong names, types, shapes
 * or lengths and `ERR_INPUT_TOO_LARGE` above `LIMITS.transferPayload`.
 */
export function prepareInput(manifest: ModelManifest, inputs: TaskInputs, parameters: RunOptions['parameters'] = {}): Value {
  const tensors: Record<string, Tensor> = {}
  let byteLength = 0
  for (const [name, given] of Object.entries(inputs)) {
    const tensor: Tensor = given instanceof Uint8Array ? { type: 'uint8', dims: [given.byteLength], data: given } : given
    checkTensor(name, tensor)
    tensors[name] = tensor
    byteLength += tensor.data.byteLength
  }
  if (byteLength > LIMITS.transferPayload)
    throw new MotorpoolError(
      'ERR_INPUT_TOO_LARGE',
      `the inputs take ${byteLength} bytes, at most ${LIMITS.transferPayload} are allowed; split the task or shrink them`
    )
  if (manifest.task === 'ocr') checkImage(manifest, tensors)
  else checkSignature(manifest, tensors)
  return { kind: manifest.task, parameters, tensors }
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

function checkSignature(manifest: ModelManifest, tensors: Readonly<Record<string, Tensor>>): void {
  const wanted = manifest.inputs.map(input => `${input.name}: ${input.type} ${shapeOf(input)}`).join('; ')
  for (const name of Object.keys(tensors)) {
    if (!manifest.inputs.some(input => input.name === name))
      throw new MotorpoolError('ERR_INVALID_INPUT', `${manifest.name} has no input named ${name}; it takes ${wanted}`)
  }
  for (const specification of manifest.inputs) {
    const tensor = tensors[specification.name]
    if (tensor === undefined) throw new MotorpoolError('ERR_INVALID_INPUT', `input ${specification.name} is missing; ${manifest.name} takes ${wanted}`)
    if (tensor.type !== specification.type)
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
