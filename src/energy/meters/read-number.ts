import { readFileSync } from 'node:fs'

/** A sysfs file's one number, whole and not negative; null when it is missing, unreadable or holds anything else. */
export function readNumber(path: string): number | null {
  try {
    const text = readFileSync(path, 'utf8').trim()
    return /^\d{1,15}$/.test(text) ? Number(text) : null
  } catch {
    return null
  }
}
