import { readFileSync } from 'node:fs'
import { env } from 'onnxruntime-node'
import type { NumericsClass } from '../runner.ts'
import { GRAPH_OPTIMIZATION } from './session.ts'

/** Widest first; `-vnni` and `-dotprod` are named apart, because 8-bit products saturate without them. */
const INSTRUCTION_SETS: Readonly<Record<string, readonly (readonly [flag: string, name: string])[]>> = {
  x64: [
    ['avx512_vnni', 'avx512-vnni'],
    ['avx512f', 'avx512'],
    ['avx_vnni', 'avx2-vnni'],
    ['avx2', 'avx2'],
    ['avx', 'avx']
  ],
  arm64: [
    ['sve', 'sve'],
    ['asimddp', 'neon-dotprod']
  ]
}
const NARROWEST: Readonly<Record<string, string>> = { x64: 'sse2', arm64: 'neon' }

/** The class of what this process computes with ONNX Runtime on the CPU. */
export function numericsClass(threads: number): NumericsClass {
  return {
    ep: 'cpu',
    ort: env.versions.node ?? env.versions.common,
    arch: process.arch,
    isa: instructionSet(),
    opt: GRAPH_OPTIMIZATION,
    device: 'cpu',
    threads
  }
}

/** The widest instruction set that ONNX Runtime's kernels would pick, from the flags in /proc/cpuinfo. */
export function instructionSet(arch: string = process.arch, cpuinfo: string = readCpuinfo()): string {
  const flags = new Set(/^(?:flags|Features)\s*:\s*(.*)$/m.exec(cpuinfo)?.[1]?.split(/\s+/))
  return INSTRUCTION_SETS[arch]?.find(([flag]) => flags.has(flag))?.[1] ?? NARROWEST[arch] ?? 'unknown'
}

function readCpuinfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8')
  } catch {
    return ''
  }
}
