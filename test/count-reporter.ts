import type { Reporter, TestModule } from 'vitest/node'

/** Ends a run with `N passed, N failed` on a line of its own, for machines; a file or hook that broke counts as a failure. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    let passed = 0
    let failed = unhandled.length
    for (const module of modules) {
      let failedHere = 0
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed++
        if (state === 'failed') failedHere++
      }
      failed += module.state() === 'failed' ? Math.max(failedHere, 1) : failedHere
    }
    process.once('exit', () => process.stdout.write(`${passed} passed, ${failed} failed\n`))
  }
}
