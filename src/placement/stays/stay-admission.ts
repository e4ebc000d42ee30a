/** What a car takes on when it may be needed before the work is done. */
export interface AdmissionSettings {
  /** No task is taken whose odds of being finished are less. @default 0.86: what is told as 0.9 and more */
  readonly leastOdds: number
  /** Of all tasks taken in a stay, so many may be interrupted by the departure, as expected. @default 0.008 */
  readonly interruptedShare: number
}

export const ADMISSION_DEFAULTS: AdmissionSettings = { leastOdds: 0.86, interruptedShare: 0.008 }

/** What a car may risk beyond the share of one task: safe tasks add to it, risky ones use it up. */
export interface RiskBudget {
  readonly left: number
}

export const NO_RISK: RiskBudget = { left: 0 }

/** A long safe stay earns at most this, in expected interruptions: else its end would be all risk. */
const MOST_LEFT = 0.5

/** Whether a task that is finished with these odds may be taken. */
export function mayAdmit({ left }: RiskBudget, odds: number, settings: AdmissionSettings = ADMISSION_DEFAULTS): boolean {
  return odds >= settings.leastOdds && 1 - odds <= settings.interruptedShare + left
}

/** The budget after such a task was taken. */
export function takeRisk({ left }: RiskBudget, odds: number, settings: AdmissionSettings = ADMISSION_DEFAULTS): RiskBudget {
  return { left: Math.min(MOST_LEFT, Math.max(0, left + settings.interruptedShare - (1 - odds))) }
}
