import { beforeAll, describe, expect, it } from 'vitest'
import { bytesSource } from '../../../src/models/onnx/byte-source.ts'
import { lintOnnx, NEWEST_IR, NEWEST_OPSETS } from '../../../src/models/onnx/lint-onnx.ts'
import { MODEL_LIMITS } from '../../../src/models/onnx/lint-state.ts'
import { knownOperators } from '../../../src/models/onnx/operators.ts'
import { crasherModel } from '../../fixtures/models/make.ts'
import { graphAttribute, graphProto, modelProto, node, tensorInfo } from '../../fixtures/models/onnx-writer.ts'
import { message, repeated } from '../../fixtures/models/protobuf.ts'

// ORT reads this when it is loaded, and keeps telemetry on otherwise.
process.env.ORT_DISABLE_TELEMETRY = '1'
let ort: typeof import('onnxruntime-node')
beforeAll(async () => {
  ort = await import('onnxruntime-node')
})

function model(operator: string, domain: string, opsets: readonly (readonly [string, number])[], ir = 10): Uint8Array {
  const graph = graphProto({
    nodes: [node(operator, ['x'], ['y'], [], domain)],
    inputs: [tensorInfo('x', 'float32', [1])],
    outputs: [tensorInfo('y', 'float32', [1])]
  })
  return message(
    [1, ir],
    [7, graph],
    ...repeated(
      8,
      opsets.map(([name, version]) => message([1, name], [2, version]))
    )
  )
}

/** ORT's complaint about a model; empty when it loads. */
async function complaint(bytes: Uint8Array): Promise<string> {
  try {
    const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 4 })
    await session.release()
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const UNKNOWN = /is not a registered function|No Op registered/

describe('the linter knows what the installed ONNX Runtime knows', () => {
  it('has every operator that is listed, in some version', async () => {
    const unknown: string[] = []
    for (const [domain, operators] of knownOperators()) {
      const newest = NEWEST_OPSETS[domain] ?? 1
      for (const operator of operators) {
        let found = false
        for (let version = newest; version >= 1 && !found; version--) {
          const opsets: [string, number][] =
            domain === ''
              ? [['', version]]
              : [
                  ['', 21],
                  [domain, version]
                ]
          found = !UNKNOWN.test(await complaint(model(operator, domain, opsets)))
        }
        if (!found) unknown.push(`${domain}:${operator}`)
      }
    }
    expect(unknown).toEqual([])
    expect(await complaint(model('Explode', '', [['', 21]]))).toMatch(UNKNOWN)
  })

  it.each(Object.entries(NEWEST_OPSETS))('reads %s up to operator set %i and no further', async (domain, newest) => {
    const operator = domain === '' ? 'Identity' : domain === 'ai.onnx.ml' ? 'Binarizer' : 'Gelu'
    const at = (version: number) =>
      complaint(
        model(
          operator,
          domain,
          domain === ''
            ? [['', version]]
            : [
                ['', 21],
                [domain, version]
              ]
        )
      )
    expect(await at(newest)).toBe('')
    expect(await at(newest + 1)).toMatch(/opset/i)
  })

  it('reads file versions up to the one that the linter takes', async () => {
    expect(await complaint(model('Identity', '', [['', 21]], NEWEST_IR))).toBe('')
    expect(await complaint(model('Identity', '', [['', 21]], NEWEST_IR + 1))).toMatch(/IR version/i)
  })
})

describe('what the linter lets pass does not crash ONNX Runtime', () => {
  /** If in If, `depth` graphs deep. */
  function nestedModel(depth: number): Uint8Array {
    let inner = node('Identity', ['x'], ['y1'])
    for (let at = 2; at <= depth; at++) {
      const branch = (nodes: Uint8Array[], output: string) => graphProto({ nodes, inputs: [], outputs: [tensorInfo(output, 'float32', [1])] })
      const otherwise = branch([node('Identity', ['x'], [`z${at}`])], `z${at}`)
      inner = node('If', ['c'], [`y${at}`], [graphAttribute('then_branch', branch([inner], `y${at - 1}`)), graphAttribute('else_branch', otherwise)])
    }
    return modelProto({
      nodes: [inner],
      inputs: [tensorInfo('x', 'float32', [1]), tensorInfo('c', 'bool', [])],
      outputs: [tensorInfo(`y${depth}`, 'float32', [1])]
    })
  }

  it.each<[string, (depth: number) => Uint8Array, number]>([
    ['graphs in graphs', nestedModel, MODEL_LIMITS.graphDepth],
    ['functions that call functions', crasherModel, MODEL_LIMITS.functionDepth]
  ])('%s, as deep as it allows', async (_name, make, depth) => {
    await lintOnnx(bytesSource(make(depth)))
    expect(await complaint(make(depth))).toBe('')
    await expect(lintOnnx(bytesSource(make(depth + 1)))).rejects.toMatchObject({ code: 'ERR_BAD_MODEL' })
  })
})
