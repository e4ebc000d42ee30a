import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isMap, isScalar, parseDocument } from 'yaml'
import { type OwnerPolicy, parsePolicy } from '../../energy/owner-policy.ts'
import { isMotorpoolError, MotorpoolError } from '../../protocol/errors.ts'

/** Where an owner's policy lies in a data folder. */
export function policyPath(dataFolder: string): string {
  return join(dataFolder, 'policy.yaml')
}

/** The policy in a file, with defaults; without a file all of it is defaults. Throws `ERR_BAD_POLICY` naming the file. */
export function readPolicyFile(path: string): OwnerPolicy {
  return parseNaming(path, readText(path))
}

/**
 * Sets one key, given with dots, to a value, given as YAML, and keeps the file's comments. Nothing is written when the
 * result would be wrong; the file is replaced as a whole, private to the user. Throws `ERR_BAD_POLICY`.
 */
export function setInPolicyFile(path: string, key: string, value: string): OwnerPolicy {
  const before = readText(path)
  // What is wrong already is told as such, not as a fault of the new value.
  parseNaming(path, before)
  const keys = key.split('.')
  if (keys.some(each => each === '')) throw new MotorpoolError('ERR_INVALID_OPTION', `${key} is no key; give one such as battery.floorPercent`)
  const given = parseDocument(value)
  if (given.errors[0] !== undefined) throw new MotorpoolError('ERR_INVALID_OPTION', `${value} is no YAML value; put texts in double quotes`)
  const document = parseDocument(before)
  for (let depth = 1; depth < keys.length; depth++) {
    const above = document.getIn(keys.slice(0, depth), true)
    // A key that was null or a bare text gives way to keys below it.
    if (isScalar(above) || (above !== undefined && !isMap(above))) document.deleteIn(keys.slice(0, depth))
  }
  document.setIn(keys, given.toJS())
  const after = document.toString()
  const policy = parsePolicy(after)
  writePrivately(path, after)
  return policy
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

function parseNaming(path: string, text: string): OwnerPolicy {
  try {
    return parsePolicy(text)
  } catch (error) {
    if (!isMotorpoolError(error, 'ERR_BAD_POLICY')) throw error
    throw new MotorpoolError('ERR_BAD_POLICY', `${path}: ${error.message}`, { cause: error })
  }
}

function writePrivately(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const fresh = `${path}.${process.pid}.new`
  try {
    writeFileSync(fresh, text, { mode: 0o600, flush: true })
    chmodSync(fresh, 0o600)
    renameSync(fresh, path)
  } catch (error) {
    rmSync(fresh, { force: true })
    throw error
  }
}
