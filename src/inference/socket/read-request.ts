import { createDescriptionReader, type Description, type WireDescription } from './description.ts'
import { HEAD, MESSAGE_TYPES } from './frame-format.ts'
import { type FrameBody, openFrame, readValue } from './frame-reader.ts'
import type { WorkerRequest } from './messages.ts'

/** A request as it reaches the worker, with what its value's description is known by. */
export type ReadRequest = (Extract<WorkerRequest, { type: 'run' }> & { readonly description: Description }) | Extract<WorkerRequest, { type: 'drop' }>

/** Reads requests out of frames. A worker believes its peer; what a task's input is worth is checked against its model. */
export function createRequestReader(): (body: FrameBody) => ReadRequest {
  const describe = createDescriptionReader(parsed => parsed as WireDescription)
  return body => {
    const { head, description: text } = openFrame(body)
    const id = head.getFloat64(HEAD.id, true)
    if (MESSAGE_TYPES[head.getUint8(HEAD.type)] === 'drop') return { type: 'drop', id }
    const description = describe(text)
    const value = readValue(body, text.byteLength, description)
    return { type: 'run', id, value, limitMs: head.getFloat64(HEAD.limitMs, true), alone: head.getUint8(HEAD.alone) === 1, description }
  }
}
