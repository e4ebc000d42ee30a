/** What a client has seen of one car account; its own history is the only reputation. */
export interface Experience {
  readonly completed: number
  readonly failed: number
  /** When the counts were last faded, ms since 1970. */
  readonly fadedAtMs: number
}

export const NO_EXPERIENCE: Experience = { completed: 0, failed: 0, fadedAtMs: 0 }

/** Old deeds count half after this long. */
const HALF_LIFE_MS = 14 * 24 * 3_600_000

/** The experience with one more task, older ones faded by their 14-day half-life. */
export function recordOutcome(experience: Experience, outcome: 'completed' | 'failed', nowMs: number): Experience {
  const fade = experience.fadedAtMs === 0 ? 1 : 2 ** (-Math.max(0, nowMs - experience.fadedAtMs) / HALF_LIFE_MS)
  return {
    completed: experience.completed * fade + (outcome === 'completed' ? 1 : 0),
    failed: experience.failed * fade + (outcome === 'failed' ? 1 : 0),
    fadedAtMs: nowMs
  }
}

/** (completed + 1) / (completed + failed + 2): Laplace's rule of succession. */
export function completionRate({ completed, failed }: Experience): number {
  return (completed + 1) / (completed + failed + 2)
}
