import { defineConfig } from 'vitest/config'

/** Files that need a network, ONNX Runtime or whole processes say so in their name; everything else is a unit test. */
const slow = ['test/**/*.net.test.ts', 'test/**/*.ort.test.ts', 'test/**/*.e2e.test.ts']

/** Real sockets and processes on a small machine: one file at a time, after the unit tests, and patient. */
const project = (name: string, include: string, groupOrder: number, testTimeout: number) => ({
  test: { name, include: [include], testTimeout, hookTimeout: testTimeout, fileParallelism: false, maxWorkers: 1, sequence: { groupOrder } }
})

export default defineConfig({
  test: {
    reporters: ['default', './test/count-reporter.ts'],
    projects: [
      { test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: slow, testTimeout: 20_000, maxWorkers: 2, sequence: { groupOrder: 0 } } },
      project('net', 'test/**/*.net.test.ts', 1, 60_000),
      project('ort', 'test/**/*.ort.test.ts', 2, 90_000),
      project('e2e', 'test/**/*.e2e.test.ts', 3, 180_000)
    ]
  }
})
