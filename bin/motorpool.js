#!/usr/bin/env node
// Plain JavaScript that even an old Node parses, so that it can hand over to a newer one or say which is needed.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import module from 'node:module'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
// Node doesn't strip types below node_modules, so an installed package runs its build; a checkout runs its sources, which no build can be behind.
const installed = root.includes(`${sep}node_modules${sep}`)
const entry = installed || !existsSync(join(root, 'src')) ? '../dist/cli/main.js' : '../src/cli/main.ts'
// libp2p needs 22.12; sources run without a flag from 22.18.
const [neededMajor, neededMinor] = entry.endsWith('.ts') ? [22, 18] : [22, 12]
const [major, minor] = process.versions.node.split('.').map(Number)

if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) {
  keepCompiledCode()
  const { main } = await import(entry)
  await main(process.argv.slice(2))
} else {
  const newer = join(root, 'node_modules', '.bin', 'node')
  if (existsSync(newer)) handOver(newer)
  else {
    process.stderr.write(
      `motorpool: Node ${process.versions.node} is too old; use Node ${neededMajor}.${neededMinor} or newer, or run npm ci here (ERR_INVALID_OPTION)\n`
    )
    process.exitCode = 2
  }
}

/** Halves the CPU time of a start, for this process and those it starts. Beside the code and no less protected; where nobody can write there, nothing is kept. */
function keepCompiledCode() {
  const { directory } = module.enableCompileCache(join(root, 'node_modules', '.cache', 'motorpool'))
  if (directory !== undefined) process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules', '.cache', 'motorpool')
}

/** Runs the same command in another Node and ends as it ends. */
function handOver(node) {
  const child = spawn(node, process.argv.slice(1), { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', error => {
    process.stderr.write(`motorpool: ${node} does not start (${error.message}); use Node ${neededMajor}.${neededMinor} or newer (ERR_INVALID_OPTION)\n`)
    process.exitCode = 2
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}
