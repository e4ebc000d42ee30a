import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative, sep } from 'node:path'

/** A source file: its path below `src` with forward slashes, and its text. */
export interface Module {
  readonly path: string
  readonly source: string
}

export interface Import {
  /** What stands between the quotes. */
  readonly specifier: string
  /** Path below `src` of the file it names; undefined for packages and Node's own modules. */
  readonly target: string | undefined
  /** `import type` or `export type`: gone when it runs. */
  readonly typeOnly: boolean
  /** Names it takes, before any `as`; `*` for a namespace, none for a dynamic or bare import. */
  readonly names: readonly string[]
}

/** All TypeScript files below a folder; throws when there are none, so that no rule holds merely because nothing was read. */
export function readModules(folder: string): Module[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(file => /\.[cm]?tsx?$/.test(file))
  if (files.length === 0) throw new Error(`no sources below ${folder}; the rules would hold for nothing`)
  return files.map(file => ({ path: relative(folder, join(folder, file)).split(sep).join('/'), source: readFileSync(join(folder, file), 'utf8') }))
}

/** The source without comments; strings stay. A regular expression that holds a quote or `//` would confuse it. */
export function withoutComments(source: string): string {
  return source.replace(
    /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (_, text: string | undefined) => text ?? ' '
  )
}

/** The source without comments and without what stands in quotes. */
export function withoutText(source: string): string {
  return withoutComments(source).replace(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g, "''")
}

const statement =
  /(?<![\w.$])(?:import|export)\s+(type\s+(?!from\b|,))?((?:[\w$]+\s*,\s*)?(?:\{[^}]*\}|\*(?:\s+as\s+[\w$]+)?|[\w$]+)\s+from\s*)?['"]([^'"\n]+)['"]/g
const call = /(?<![\w.$])(?:import|require|createRequire\([^)]*\))\s*\(\s*['"`]([^'"`\n]+)['"`]/g
const typeQuery = /(?<![\w.$])typeof\s+$/

/** Every import and re-export of a module, dynamic ones too. */
export function importsOf(module: Module): Import[] {
  const code = withoutComments(module.source)
  const target = (specifier: string) => (specifier.startsWith('.') ? posix.join(posix.dirname(module.path), specifier) : undefined)
  const found: Import[] = []
  for (const [, type, clause, specifier] of code.matchAll(statement)) {
    found.push({ specifier: specifier!, target: target(specifier!), typeOnly: type !== undefined, names: namesIn(clause ?? '') })
  }
  for (const match of code.matchAll(call)) {
    found.push({ specifier: match[1]!, target: target(match[1]!), typeOnly: typeQuery.test(code.slice(0, match.index)), names: [] })
  }
  return found
}

function namesIn(clause: string): string[] {
  const inBraces = /\{([^}]*)\}/.exec(clause)?.[1]
  const outside = clause.replace(/\{[^}]*\}/, '').replace(/\bfrom\s*$/, '')
  const defaults = outside.split(',').map(part => part.trim())
  const named = (inBraces ?? '').split(',').map(part =>
    part
      .trim()
      .replace(/^type\s+/, '')
      .replace(/\s+as\s+.*$/, '')
  )
  return [...defaults.map(name => (name.startsWith('*') ? '*' : name)), ...named].filter(name => name !== '')
}
