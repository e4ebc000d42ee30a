import type { GossipSub, TopicValidatorResult } from '@libp2p/gossipsub'
import { anySignal, MotorpoolError } from '../protocol/errors.ts'
import type { PeerId } from '../protocol/ids.ts'
import type { Host } from './host/host.ts'
import type { Mesh } from './mesh.ts'
import { withSignal } from './with-signal.ts'

export type TopicVerdict = 'accept' | 'reject' | 'ignore'

/** A gossiped message is an announcement or a beacon, never more. */
const MOST_MESSAGE_BYTES = 4 * 1024
/**
 * Who publishes without subscribing sends to a few peers that gossipsub picks again once a second: a car that joined since
 * would miss it, and the one picked may be leaving. So few known subscribers all get it from us.
 */
const FEW_SUBSCRIBERS = 6
/** Subscriptions of a peer arrive on its stream a moment before ours to it is open. */
const STREAM_WAIT_MS = 5

/** What `gossipsub()` gives can do this; its interface doesn't tell. */
interface FloodingGossip extends GossipSub {
  publish: (topic: string, message?: Uint8Array, options?: { readonly floodPublish?: boolean }) => ReturnType<GossipSub['publish']>
}

const VERDICTS: Record<TopicVerdict, TopicValidatorResult> = {
  accept: 'accept' as TopicValidatorResult.Accept,
  reject: 'reject' as TopicValidatorResult.Reject,
  ignore: 'ignore' as TopicValidatorResult.Ignore
}

export type Topics = Pick<Mesh, 'publish' | 'subscribers' | 'waitForSubscribers' | 'subscribe'>

/** Gossip on shard topics; `validate` decides what is heard and forwarded. */
export function openTopics(host: Host, validate: (topic: string, message: Uint8Array) => TopicVerdict, stopped: AbortSignal): Topics {
  const gossip = host.services.gossip as FloodingGossip
  const listeners = new Map<string, Set<(message: Uint8Array) => void>>()

  const check = (topic: string, message: Uint8Array): TopicVerdict => {
    if (message.byteLength > MOST_MESSAGE_BYTES) return 'reject'
    try {
      return validate(topic, message)
    } catch {
      return 'reject'
    }
  }
  /** A publication goes only to peers that we have a stream to; before that it would be lost and its bytes spent. */
  const isReachable = (peer: ReturnType<typeof gossip.getSubscribers>[number]) =>
    host
      .getConnections(peer)
      .some(connection =>
        connection.streams.some(stream => stream.direction === 'outbound' && stream.status === 'open' && gossip.protocols.includes(stream.protocol))
      )
  const reachable = (topic: string) => gossip.getSubscribers(topic).filter(isReachable)

  const onMessage = ({ detail }: { readonly detail: { readonly topic: string; readonly data: Uint8Array } }) => {
    for (const listener of listeners.get(detail.topic) ?? []) {
      try {
        listener(detail.data)
      } catch {
        // A message from anybody must not end the peer.
      }
    }
  }
  gossip.addEventListener('message', onMessage)
  stopped.addEventListener('abort', () => gossip.removeEventListener('message', onMessage), { once: true })

  return {
    publish: async (topic, message) => {
      if (stopped.aborted) throw new MotorpoolError('ERR_STOPPED', 'the mesh is stopped; start a new one')
      const hearers = reachable(topic).length
      if (hearers === 0) return 0
      try {
        const { recipients } = await gossip.publish(topic, message, { floodPublish: !listeners.has(topic) && hearers <= FEW_SUBSCRIBERS })
        return recipients.length
      } catch (error) {
        // Nobody subscribes (any more), or the same bytes went out before: either way they reach nobody now.
        if (error instanceof Error && error.message.startsWith('PublishError.')) return 0
        throw error
      }
    },
    subscribers: topic => reachable(topic).map(peer => peer.toString() as PeerId),
    waitForSubscribers: async (topic, count, options = {}) => {
      const enough = Promise.withResolvers<void>()
      let timer: NodeJS.Timeout | undefined
      const look = () => {
        clearTimeout(timer)
        const counted = gossip.getSubscribers(topic).filter(peer => options.besides?.has(peer.toString() as PeerId) !== true)
        if (counted.filter(isReachable).length >= count) enough.resolve()
        else if (counted.length >= count) timer = setTimeout(look, STREAM_WAIT_MS)
      }
      gossip.addEventListener('subscription-change', look)
      try {
        look()
        await withSignal(enough.promise, anySignal(options.signal, stopped))
      } finally {
        clearTimeout(timer)
        gossip.removeEventListener('subscription-change', look)
      }
    },
    subscribe: (topic, listener) => {
      const heard = listeners.get(topic) ?? new Set()
      // Each call ends by itself, even when two pass the same function.
      const own = (message: Uint8Array) => listener(message)
      heard.add(own)
      listeners.set(topic, heard)
      if (heard.size === 1) {
        gossip.topicValidators.set(topic, (_, message) => VERDICTS[check(topic, message.data)])
        gossip.subscribe(topic)
      }
      return () => {
        if (!heard.delete(own) || heard.size > 0) return
        listeners.delete(topic)
        if (stopped.aborted) return
        gossip.unsubscribe(topic)
        gossip.topicValidators.delete(topic)
      }
    }
  }
}
