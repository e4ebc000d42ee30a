import { expect, test } from 'vitest'
import { checkOutputPlan, readOutputPlan } from '../../../src/protocol/values/output-plan.ts'

const model = { inputs: [{ name: 'input_ids' }, { name: 'attention_mask' }], outputs: [{ name: 'logits' }, { name: 'hidden' }] }

test('reads reductions in their order, outputs and how tensors travel', () => {
  const plan = readOutputPlan({
    outputs: 'hidden, logits',
    'reduce.hidden': ' mean-pool(attention_mask)  l2-normalize',
    'reduce.logits': 'top-k(5)',
    travel: 'float16',
    page: 3
  })
  expect(plan).toEqual({
    outputs: ['hidden', 'logits'],
    reductions: new Map<string, unknown>([
      ['hidden', [{ name: 'mean-pool', mask: 'attention_mask' }, { name: 'l2-normalize' }]],
      ['logits', [{ name: 'top-k', count: 5 }]]
    ]),
    half: true
  })
  expect(() => checkOutputPlan(plan, model)).not.toThrow()
})

test.each([
  [{ 'reduce.logits': 'median' }, 'asks for "median"; use argmax'],
  [{ 'reduce.logits': 'argmax(float)' }, 'use argmax'],
  [{ 'reduce.logits': 'softmaxargmax' }, 'use argmax'],
  [{ 'reduce.logits': 'softmax,argmax' }, 'use argmax'],
  [{ 'reduce.logits': 'top-k' }, 'use argmax'],
  [{ 'reduce.logits': 'top-k(0)' }, 'use argmax'],
  [{ 'reduce.logits': '' }, 'use argmax'],
  [{ 'reduce.logits': 7 }, 'use argmax'],
  [{ 'reduce.logits': 'argmax softmax' }, 'a step after argmax'],
  [{ outputs: 'logits,' }, 'name outputs with commas between'],
  [{ outputs: true }, 'name outputs with commas between'],
  [{ travel: 'float8' }, 'leave it out or say float16'],
  [{ outputs: 'scores' }, 'no output "scores"; it gives logits, hidden'],
  [{ 'reduce.scores': 'argmax' }, 'no output "scores"; it gives logits, hidden'],
  [{ outputs: 'hidden', 'reduce.logits': 'argmax' }, 'not among outputs'],
  [{ 'reduce.hidden': 'mean-pool(mask)' }, 'it takes input_ids, attention_mask']
])('refuses %j in one line that says what to do', (parameters, message) => {
  const read = (): void => checkOutputPlan(readOutputPlan(parameters), model)
  expect(read).toThrow(message)
  expect(read).toThrow(expect.objectContaining({ code: 'ERR_INVALID_INPUT', message: expect.not.stringContaining('\n') }))
})
