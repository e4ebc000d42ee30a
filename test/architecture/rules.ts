import { type Import, importsOf, type Module, withoutText } from './read-modules.ts'

const PURE = ['protocol', 'placement', 'trust', 'ledger', 'energy']
const EDGES = ['mesh', 'vehicle', 'inference', 'models', 'ledger/store', 'energy/meters']
const ROLES = ['car', 'client']
const FACES = ['gateway', 'dashboard', 'testnet', 'simulator']
const TOP_FILES = ['index.ts', 'peer.ts']
/** Where all parts come together. */
const TOP = [...TOP_FILES, 'peer']
const FOLDERS = new Set([...PURE, ...EDGES, ...ROLES, ...FACES, 'peer', 'cli'].map(part => part.split('/')[0]!))

const MOST_FILES_IN_FOLDER = 12
const DEEPEST_FOLDER = 2

/** Packages that neither read nor write anything outside of their arguments. */
const PURE_PACKAGES = /^(zod|@ipld\/dag-cbor|cborg|multiformats(\/.*)?|uint8arraylist|@multiformats\/multiaddr|yaml|luxon|fastest-levenshtein)$/
/** What of `node:crypto` only computes on given bytes. */
const PURE_CRYPTO = new Set(['createHash', 'createPrivateKey', 'createPublicKey', 'hash', 'hkdfSync', 'KeyObject', 'sign', 'timingSafeEqual', 'verify'])
const IMPURE_WORDS: readonly [RegExp, string][] = [
  [/\bDate\.now\b/, 'Date.now'],
  [/\bnew Date\(\s*\)/, 'new Date()'],
  [/\bperformance\b/, 'performance'],
  [/\bMath\.random\b/, 'Math.random'],
  [/\b(getRandomValues|randomUUID|randomBytes|randomInt)\b/, 'randomness'],
  [/\b(setTimeout|setInterval|setImmediate)\b/, 'a timer'],
  [/\bprocess\b\s*[.[]/, 'process'],
  [/\bconsole\./, 'console'],
  [/(?<!\.)\bfetch\(/, 'fetch'],
  [/\bglobalThis\b/, 'globalThis']
]

/** The part a file belongs to: its folder, with edges that live beside their pure part counted for themselves. */
function partOf(path: string): string {
  if (!path.includes('/')) return path
  return EDGES.find(edge => path.startsWith(`${edge}/`)) ?? path.split('/')[0]!
}

const isOne = (of: readonly string[], part: string) => of.includes(part)

/** Whether one part may import another, as docs/architecture.md says. */
function mayImport(from: string, to: string, typeOnly: boolean): boolean {
  if (from === to) return true
  if (isOne(PURE, from)) return to === 'protocol'
  if (from === 'ledger/store') return isOne(['ledger', 'protocol'], to)
  if (from === 'energy/meters') return isOne(['energy', 'protocol'], to)
  if (isOne(EDGES, from)) return to === 'protocol'
  if (isOne(ROLES, from)) return isOne(PURE, to) || (typeOnly && isOne(EDGES, to))
  if (isOne(TOP, from)) return !isOne(FACES, to) && to !== 'cli'
  if (from === 'gateway' && to === 'dashboard') return true
  if (isOne(FACES, from)) return !isOne(FACES, to) && to !== 'cli'
  return from === 'cli'
}

function importViolations(module: Module, imports: readonly Import[]): string[] {
  const from = partOf(module.path)
  const found: string[] = []
  for (const { target, specifier, typeOnly, names } of imports) {
    if (target !== undefined) {
      if (target.startsWith('..')) found.push(`${module.path} imports ${specifier}, which lies outside of src`)
      else if (!mayImport(from, partOf(target), typeOnly))
        found.push(`${module.path} (${from}) may not import ${target} (${partOf(target)})${typeOnly ? '' : ' as a value'}`)
    } else if (isOne(PURE, from) && !typeOnly) {
      const isPure = specifier === 'node:crypto' ? names.length > 0 && names.every(name => PURE_CRYPTO.has(name)) : PURE_PACKAGES.test(specifier)
      if (!isPure) found.push(`${module.path} is pure and may not import ${names.join(', ')} from ${specifier}`)
    }
  }
  return found
}

function impureWords(module: Module): string[] {
  if (!isOne(PURE, partOf(module.path))) return []
  const code = withoutText(module.source)
  return IMPURE_WORDS.filter(([pattern]) => pattern.test(code)).map(([, word]) => `${module.path} is pure and may not use ${word}; take it as an argument`)
}

function placeViolations(modules: readonly Module[]): string[] {
  const found: string[] = []
  const inFolder = new Map<string, number>()
  for (const { path } of modules) {
    const folders = path.split('/').slice(0, -1)
    const name = path.split('/').at(-1)!
    inFolder.set(folders.join('/'), (inFolder.get(folders.join('/')) ?? 0) + 1)
    if (folders.length === 0 && !TOP_FILES.includes(name)) found.push(`${path} lies at the top of src, where only ${TOP_FILES.join(' and ')} may`)
    if (folders.length > 0 && !FOLDERS.has(folders[0]!)) found.push(`${path} lies in a folder that docs/architecture.md does not know`)
    if (folders.length > DEEPEST_FOLDER) found.push(`${path} lies deeper than ${DEEPEST_FOLDER} folders below src`)
    if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.d)?\.ts$/.test(name) || name === 'utils.ts') found.push(`${path} is not named in kebab-case after what it exports`)
  }
  for (const [folder, files] of inFolder) if (files > MOST_FILES_IN_FOLDER) found.push(`src/${folder} holds ${files} files, more than ${MOST_FILES_IN_FOLDER}`)
  return found
}

function cycleViolations(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>()
  const found: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0) found.push(`import cycle: ${[...trail.slice(start), path].join(' → ')}`)
    if (start >= 0 || done.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return found
}

/** Every way in which the modules break the rules of docs/architecture.md, one line each. */
export function violationsIn(modules: readonly Module[]): string[] {
  const known = new Set(modules.map(({ path }) => path))
  const graph = new Map<string, readonly string[]>()
  const found = placeViolations(modules)
  for (const module of modules) {
    const imports = importsOf(module)
    const targets = imports.flatMap(({ target }) => target ?? [])
    graph.set(module.path, targets)
    found.push(...importViolations(module, imports), ...impureWords(module))
    for (const target of targets) if (!target.startsWith('..') && !known.has(target)) found.push(`${module.path} imports ${target}, which does not exist`)
  }
  return [...found, ...cycleViolations(graph)]
}
