/** How much CO2 a grid emits for a kWh at one time. Average and marginal figures answer different questions and are never mixed. */
export interface GridIntensity {
  readonly gramsPerKwh: number
  readonly kind: 'average' | 'marginal'
  /** The time that the figure holds for, ms since 1970 UTC. */
  readonly atUnixMs: number
  /** Whether it is a forecast or a model's estimate instead of a measured figure. */
  readonly isEstimated: boolean
}
