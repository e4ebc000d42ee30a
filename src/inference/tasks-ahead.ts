/** Short work that may be in a worker ahead of time, microseconds: so several short tasks travel there at once, and their wait costs a newcomer little. */
const AHEAD_US = 1000
const MOST = 8

/** How many tasks that take `runUs` each may be in a worker, from 0 for long ones to 8. */
export function tasksAhead(runUs: number): number {
  return Math.min(MOST, Math.round(AHEAD_US / runUs))
}
