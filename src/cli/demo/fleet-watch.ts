import { setTimeout as delay } from 'node:timers/promises'
import { anySignal } from '../../protocol/errors.ts'
import type { TestnetCar } from '../../testnet/testnet-state.ts'
import type { AdminStatus, CarStory } from '../admin/methods.ts'
import { statusOf } from '../join-mesh.ts'

/** A car came or went. */
export interface CarTurn {
  readonly name: string
  readonly type: 'joined' | 'left'
  readonly reason: string
  readonly atUnixMs: number
}

/** Looks at the cars of a testnet again and again. */
export interface FleetWatch {
  /** A car's last word. */
  readonly now: (name: string) => AdminStatus | undefined
  /** How often a car was seen to join. */
  readonly joins: (name: string) => number
  /** Resolves with whether something came true in time; asked after each look. */
  readonly until: (isTrue: () => boolean, limitMs: number) => Promise<boolean>
  readonly stop: () => Promise<void>
}

/** People notice no delay, and six cars answer in a few milliseconds. */
const LOOK_EVERY_MS = 250

export function watchFleet(
  cars: readonly TestnetCar[],
  listen: { readonly onTurn: (turn: CarTurn) => void; readonly onPeer: (name: string, peer: string) => void },
  signal: AbortSignal
): FleetWatch {
  const last = new Map<string, AdminStatus>()
  const stories = new Map<string, CarStory>()
  const stopping = new AbortController()
  const ended = anySignal(signal, stopping.signal)

  async function look({ name, dataFolder }: TestnetCar): Promise<void> {
    const status = await statusOf(dataFolder, ended)
    if (status === undefined || ended.aborted) return
    if (status.peerId !== null) listen.onPeer(name, status.peerId)
    const before = stories.get(name)
    const turns = (['joined', 'left'] as const).flatMap((type): CarTurn[] => {
      const turn = status.story[type]
      return turn === null || turn.atUnixMs === before?.[type]?.atUnixMs ? [] : [{ name, type, ...turn }]
    })
    last.set(name, status)
    stories.set(name, status.story)
    for (const turn of turns.sort((left, right) => left.atUnixMs - right.atUnixMs)) listen.onTurn(turn)
  }

  async function lookAgainAndAgain(): Promise<void> {
    while (!ended.aborted) {
      await Promise.all(cars.map(look))
      await delay(LOOK_EVERY_MS, undefined, { signal: ended }).catch(() => undefined)
    }
  }
  const looking = lookAgainAndAgain()

  return {
    now: name => last.get(name),
    joins: name => last.get(name)?.car?.joins ?? 0,
    until: async (isTrue, limitMs) => {
      const end = performance.now() + limitMs
      while (!isTrue() && performance.now() < end && !ended.aborted) await delay(LOOK_EVERY_MS, undefined, { signal: ended }).catch(() => undefined)
      return isTrue()
    },
    stop: async () => {
      stopping.abort()
      await looking
    }
  }
}
