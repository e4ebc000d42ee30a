import { expect, test } from 'vitest'
import { instructionSet } from '../../src/inference/worker/numerics.ts'

test.each([
  ['x64', 'flags\t\t: fpu sse2 avx avx2 avx512f avx512_vnni', 'avx512-vnni'],
  ['x64', 'flags\t\t: fpu sse2 avx avx2 avx512f', 'avx512'],
  ['x64', 'flags\t\t: fpu sse2 avx avx2', 'avx2'],
  ['x64', 'flags\t\t: fpu sse2', 'sse2'],
  ['arm64', 'Features\t: fp asimd asimddp', 'neon-dotprod'],
  ['arm64', '', 'neon'],
  ['riscv64', 'isa : rv64', 'unknown']
])('on %s with "%s" the instruction set is %s', (arch, cpuinfo, isa) => {
  expect(instructionSet(arch, cpuinfo)).toBe(isa)
})
