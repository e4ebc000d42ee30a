import { describe, expect, test } from 'vitest'
import { inferenceResponse, readInferenceRequest, readInferenceResponse } from '../../src/models/open-inference.ts'
import { isMotorpoolError } from '../../src/protocol/errors.ts'

const request = (datatype: string, shape: readonly number[], data: string) =>
  `{"inputs":[{"name":"x","shape":${JSON.stringify(shape)},"datatype":"${datatype}","data":${data}}]}`
const roundTrip = (datatype: string, shape: readonly number[], data: string) =>
  JSON.stringify(inferenceResponse(readInferenceRequest(request(datatype, shape, data)).tensors, { model: 'm', version: '1', id: 'i' }))

describe('tensors as the Open Inference Protocol writes them', () => {
  test.each([
    ['BOOL', '[true,false]'],
    ['UINT8', '[0,255]'],
    ['UINT16', '[0,65535]'],
    ['UINT32', '[0,4294967295]'],
    ['UINT64', '[0,18446744073709551615]'],
    ['INT8', '[-128,127]'],
    ['INT16', '[-32768,32767]'],
    ['INT32', '[-2147483648,2147483647]'],
    ['INT64', '[-9223372036854775808,9223372036854775807]'],
    ['INT64', '[9007199254740993,-9007199254740993]'],
    ['FP16', '[0.5,-65504]'],
    ['FP32', '[0.1,-1.5]'],
    ['FP64', '[0.1,1e+300]'],
    ['FP32', '["NaN","-Infinity"]'],
    ['BYTES', '["","é\\n"]']
  ])('%s %s comes back digit by digit', (datatype, data) => {
    expect(roundTrip(datatype, [2], data)).toContain(`"datatype":"${datatype}","data":${data}`)
  })

  test('nested data and flat data are the same tensor', () => {
    const nested = readInferenceRequest(request('INT64', [2, 3], '[[1,2,3],[4,5,6]]'))
    expect(nested.tensors).toEqual(readInferenceRequest(request('INT64', [2, 3], '[1,2,3,4,5,6]')).tensors)
  })

  test('a scalar has one element and no shape', () => {
    expect(readInferenceRequest(request('FP32', [], '[2]')).tensors.x?.data).toEqual(new Uint8Array(new Float32Array([2]).buffer))
  })

  test('a response can be read back, as verify does', () => {
    const { tensors } = readInferenceRequest(request('INT64', [2], '[9007199254740993,1]'))
    const text = JSON.stringify(inferenceResponse(tensors, { model: 'm', version: '1', id: 'i', parameters: { kind: 'ocr' } }))
    expect(readInferenceResponse(text)).toEqual({ parameters: { kind: 'ocr' }, tensors })
  })

  test('a tensor may be called __proto__', () => {
    const text = '{"inputs":[{"name":"__proto__","shape":[1],"datatype":"INT8","data":[1]}]}'
    expect(Object.keys(readInferenceRequest(text).tensors)).toEqual(['__proto__'])
  })

  test.each([
    ['no JSON', '{"inputs":['],
    ['a cut number', '{"inputs":[1.'],
    ['no inputs', '{}'],
    ['inputs that are no list', '{"inputs":{}}'],
    ['an unknown datatype', request('FP8', [1], '[1]')],
    ['a negative dimension', request('INT8', [-1], '[1]')],
    ['a fractional dimension', request('INT8', [1.5], '[1]')],
    ['a shape that overflows', request('INT8', [2 ** 40, 2 ** 40], '[1]')],
    ['too many elements', request('INT8', [1], '[1,2]')],
    ['too few elements', request('INT8', [3], '[1,2]')],
    ['nesting other than the shape', request('INT8', [2, 2], '[[1,2,3],[4]]')],
    ['half-nested data', request('INT8', [2, 2], '[[1,2],3]')],
    ['nesting that goes too deep', request('INT8', [2], '[[1],[2]]')],
    ['no data', '{"inputs":[{"name":"x","shape":[1],"datatype":"INT8"}]}'],
    ['data that is no list', request('INT8', [1], '1')],
    ['a value out of range', request('UINT8', [1], '[256]')],
    ['an int64 out of range', request('INT64', [1], '[9223372036854775808]')],
    ['a fraction for an integer', request('INT32', [1], '[1.5]')],
    ['text for a number', request('FP32', [1], '["1"]')],
    ['a number for text', request('BYTES', [1], '[1]')],
    ['null', request('FP32', [1], '[null]')],
    ['one name twice', '{"inputs":[{"name":"x","shape":[1],"datatype":"INT8","data":[1]},{"name":"x","shape":[1],"datatype":"INT8","data":[1]}]}']
  ])('%s is refused in one line', (_what, text) => {
    let error: unknown
    try {
      readInferenceRequest(text)
    } catch (caught) {
      error = caught
    }
    expect(isMotorpoolError(error, 'ERR_INVALID_INPUT')).toBe(true)
    expect((error as Error).message).toMatch(/^[^\n]+; [^\n]+$/)
  })

  test('data nested a hundred thousand deep is refused', () => {
    const deep = `${'['.repeat(100_000)}1234567890123456789${']'.repeat(100_000)}`
    expect(() => readInferenceRequest(request('INT64', [1], deep))).toThrow(expect.objectContaining({ code: 'ERR_INVALID_INPUT' }))
  })

  test('an output that the model does not have is named', () => {
    expect(() => inferenceResponse({}, { model: 'm', version: '1', id: 'i', outputs: ['y'] })).toThrow('no output y')
  })
})
