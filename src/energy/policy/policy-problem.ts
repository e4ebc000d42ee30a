import { closest, distance } from 'fastest-levenshtein'
import { isMap, isScalar, LineCounter, type ParsedNode, parseDocument } from 'yaml'
import type { z } from 'zod'
import { MotorpoolError } from '../../protocol/errors.ts'

export type PolicyPath = readonly (string | number)[]

/** Something wrong at a key; `at` tells where in the file, when there is one. */
export interface PolicyProblem {
  readonly path: PolicyPath
  readonly text: string
}

/** Where a key stands in the file, 1-based; undefined when it isn't there. */
export type LineOf = (path: PolicyPath) => number | undefined

/** Reads YAML 1.2 without anchors' excesses; throws `ERR_BAD_POLICY` naming the line. An empty file is an empty policy. */
export function readYaml(text: string): { readonly value: unknown; readonly lineOf: LineOf } {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true })
  const [first] = [...document.errors, ...document.warnings]
  if (first !== undefined)
    throw badPolicy(`line ${lines.linePos(first.pos[0]).line}: ${first.message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? 'not YAML'}`)
  const lineOf: LineOf = path => {
    const position = positionOf(document.contents, path)
    return position === undefined ? undefined : lines.linePos(position).line
  }
  try {
    return { value: document.toJS({ maxAliasCount: 20 }) ?? {}, lineOf }
  } catch (error) {
    throw badPolicy(error instanceof Error ? error.message : 'its anchors cannot be resolved')
  }
}

/** The key's own position, not its value's, which may stand lines below. */
function positionOf(contents: ParsedNode | null, path: PolicyPath): number | undefined {
  let node: unknown = contents
  let position: number | undefined
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => (isScalar(key) ? key.value : key) === step)
      if (pair === undefined) return position
      position = isScalar(pair.key) ? pair.key.range?.[0] : position
      node = pair.value
    } else if (typeof node === 'object' && node !== null && 'items' in node && Array.isArray(node.items)) {
      node = node.items[Number(step)]
      position = isScalar(node) ? (node.range?.[0] ?? position) : position
    } else return position
  }
  return position
}

/** A schema's findings in words; unknown keys come with the one that was probably meant. */
export function problemsOf(error: z.ZodError, keysAt: (path: PolicyPath) => readonly string[]): PolicyProblem[] {
  return error.issues.flatMap((issue): PolicyProblem[] => {
    const path = issue.path.map(step => (typeof step === 'symbol' ? String(step) : step))
    if (issue.code !== 'unrecognized_keys')
      return [
        {
          path,
          text: issue.message.endsWith('received undefined')
            ? `${nameOf(path)} is missing`
            : `${nameOf(path)}: ${issue.message.replace(/^Invalid input: /, '')}`
        }
      ]
    return issue.keys.map(key => ({ path: [...path, key], text: `there is no key ${nameOf([...path, key])}${suggestion(key, keysAt(path))}` }))
  })
}

function suggestion(key: string, known: readonly string[]): string {
  if (known.length === 0) return ''
  const nearest = closest(
    key.toLowerCase(),
    known.map(each => each.toLowerCase())
  )
  const meant = known.find(each => each.toLowerCase() === nearest)!
  const isNear = distance(key.toLowerCase(), nearest) <= Math.max(2, Math.floor(nearest.length / 3))
  return isNear ? `, did you mean ${meant}?` : `, there are ${known.join(', ')}`
}

export function nameOf(path: PolicyPath): string {
  return path.length === 0 ? 'the policy' : path.join('.')
}

/** One line of every problem that was found, up to a few. */
export function policyError(problems: readonly PolicyProblem[], lineOf: LineOf): MotorpoolError {
  const told = problems.slice(0, 3).map(({ path, text }) => {
    const line = lineOf(path)
    return line === undefined ? text : `line ${line}: ${text}`
  })
  return badPolicy(`${told.join(', and ')}${problems.length > 3 ? ` and ${problems.length - 3} more` : ''}`)
}

export function badPolicy(what: string): MotorpoolError {
  return new MotorpoolError('ERR_BAD_POLICY', `the policy is wrong: ${what.replaceAll(';', ',')}; correct it, docs/policy.md lists every key`)
}
