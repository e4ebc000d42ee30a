import { MotorpoolError } from '../../protocol/errors.ts'
import type { ByteSource } from './byte-source.ts'
import { ProtobufReader } from './protobuf-reader.ts'

/** What a model may hold at most. Real models stay well below each; what kills a process lies above. */
export const MODEL_LIMITS = {
  /** A protobuf message can't be larger. */
  fileBytes: 2 ** 31 - 1,
  /** The largest exported graphs have some ten thousand. */
  nodes: 2 ** 16,
  /** Nodes that putting every function in place of its calls adds; this many already take ONNX Runtime most of a minute. */
  unfoldedNodes: 2 ** 15,
  functions: 4096,
  /** Different ones, of the model and its functions. */
  operatorSets: 256,
  /** Subgraphs within subgraphs (If, Loop, Scan). */
  graphDepth: 16,
  /** Functions that call functions; a chain of some thousand crashes ONNX Runtime. */
  functionDepth: 32,
  /** Elements of a tensor that a constant shape asks for: 1 GiB of float32. */
  constantElements: 2 ** 28,
  /** One name, bytes. */
  nameBytes: 4096,
  /** All names of nodes' inputs and outputs and of initializers, bytes. */
  namesBytes: 64 * 1024 * 1024
} as const

/** Fields read between two turns of the event loop: well under a millisecond each. */
const FIELDS_PER_TURN = 16_384

/** The reader with the counts of a walk over one model. */
export class LintState {
  readonly reader: ProtobufReader
  nodes = 0
  #fields = 0
  #namesBytes = 0

  constructor(source: ByteSource) {
    this.reader = new ProtobufReader(source)
  }

  /** Counts a field; true when the event loop is due its turn. */
  tick(): boolean {
    this.#fields++
    return this.#fields % FIELDS_PER_TURN === 0
  }

  /** Throws `ERR_NOT_ONNX` when a known field comes with another wire type than onnx.proto gives it. */
  expect(wire: number, field: string): void {
    if (this.reader.wire !== wire) throw this.reader.broken(`${field} has wire type ${this.reader.wire}`)
  }

  /** Parsers merge a message that comes twice, so that neither half shows what the whole is. */
  once(seen: boolean, field: string): void {
    if (seen) throw badModel(`has ${field} twice in one place`, 'export it again')
  }

  name(): string {
    const name = this.reader.text(MODEL_LIMITS.nameBytes)
    this.#namesBytes += this.reader.to - this.reader.from + 16
    if (this.#namesBytes > MODEL_LIMITS.namesBytes) throw badModel('has more names than any real model', 'simplify it')
    return name
  }

  countNode(): void {
    this.nodes++
    if (this.nodes > MODEL_LIMITS.nodes) throw badModel(`has more than ${MODEL_LIMITS.nodes} nodes`, 'simplify it')
  }
}

/** `ERR_BAD_MODEL` as a line: what the model does, and what to do. */
export function badModel(what: string, remedy: string): MotorpoolError {
  return new MotorpoolError('ERR_BAD_MODEL', `the model ${what}; ${remedy}`)
}
