import { beforeAll, describe, expect, it } from 'vitest'
import { NEWEST_IR, NEWEST_OPSETS } from '../../../src/models/onnx/lint-onnx.ts'
import { knownOperators } from '../../../src/models/onnx/operators.ts'
import { graphProto, node, tensorInfo } from '../../fixtures/models/onnx-writer.ts'
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
