import mqtt from 'mqtt'
import { MotorpoolError } from '../../protocol/errors.ts'
import type { BackOff } from '../back-off.ts'
import { keepConnected } from '../keep-connected.ts'
import { createSignalBoard } from '../signal-board.ts'
import { REFRESH_MS, SYSTEM_SURROUNDINGS, type VehicleSource } from '../vehicle-source.ts'
import { type TeslaMessage, teslaStep, UNHEARD, VIN_FORM } from './tesla-session.ts'

export interface TeslaOptions {
  /** `mqtt://HOST:PORT` or `mqtts://HOST:PORT`. */
  readonly url: string
  /** The topic base of the telemetry's MQTT dispatcher, such as `telemetry`. */
  readonly base: string
  /** The vehicle's; without it the base must carry one vehicle only. It stays in here. */
  readonly vin?: string
  readonly username?: string
  readonly password?: string
  /** Who signed the broker's certificate, PEM; without it the system's authorities. */
  readonly ca?: Buffer
  /** A car that tells nothing for so long counts as lost, ms: its word that it disconnected may have been lost. @default 300000 */
  readonly silenceMs?: number
  readonly refreshMs?: number
  readonly backOff?: BackOff
}

/** A broker that is gone without a word is noticed after one and a half of these. */
const KEEP_ALIVE_S = 2
const CONNECT_TIMEOUT_MS = 5000
/** CONNACK of MQTT 3.1.1 §3.2.2.3, and the refusals of MQTT 5. */
const REFUSED = new Set([4, 5, 134, 135])

/**
 * Signals of Tesla's fleet telemetry, from its MQTT dispatcher: `<base>/<VIN>/v/<Field>` and `<base>/<VIN>/connectivity`. Values come on
 * change only; they count as fresh while the car is connected and was heard within `silenceMs`. Retained messages are of
 * unknown age and are passed over. After the broker or the car was lost only what is told anew counts. Speed, motion, park
 * lock and power aren't told in known units, so they are missing. No VIN is in signals, errors or trouble.
 * Throws `ERR_INVALID_OPTION` for a malformed URL, base or VIN; a broker that isn't there is no error: the state is `lost`.
 */
export function openTesla(options: TeslaOptions, surroundings = SYSTEM_SURROUNDINGS): VehicleSource {
  const { url, base, vin, silenceMs = 300_000, refreshMs = REFRESH_MS, backOff } = options
  checkOptions(options)
  const { clock } = surroundings
  const board = createSignalBoard(clock, { state: 'lost', why: 'not yet connected to the MQTT broker' })
  const topics = [`${base}/${vin ?? '+'}/v/+`, `${base}/${vin ?? '+'}/connectivity`]
  let session = UNHEARD
  let heardMs = clock.monotonicMs()
  let onlyVin = vin
  let isAmbiguous = false

  const step = (message: TeslaMessage): void => {
    const [next, effect] = teslaStep(session, message)
    session = next
    if (effect.type === 'tell') board.tell(effect.told, { fresh: effect.isFresh, state: 'live' })
    else if (effect.type === 'lose') board.become('lost', effect.why)
  }
  const receive = (topic: string, payload: string): void => {
    const [heardVin, kind, field] = topic.slice(base.length + 1).split('/')
    onlyVin ??= heardVin
    if (heardVin !== onlyVin) {
      isAmbiguous = true
      session = UNHEARD
      board.become('lost', 'several vehicles tell their state under this topic base; name the VIN, as mqtt://HOST/BASE/VIN')
    }
    if (isAmbiguous) return
    heardMs = clock.monotonicMs()
    step(kind === 'v' ? { type: 'field', field: field ?? '', payload } : { type: 'connectivity', payload })
  }

  const connect = async (signal: AbortSignal, onLive: () => void): Promise<string> => {
    const { promise, resolve } = Promise.withResolvers<string>()
    const client = mqtt.connect(url, {
      username: options.username,
      password: options.password,
      ca: options.ca,
      keepalive: KEEP_ALIVE_S,
      connectTimeout: CONNECT_TIMEOUT_MS,
      // Connecting again, with back-off, is done here for all sources alike.
      reconnectPeriod: 0,
      resubscribe: false,
      clean: true
    })
    client.on('error', error => resolve(inWords(error)))
    client.on('close', () => resolve('the broker ended the connection or cannot be reached'))
    client.on('message', (topic, payload, { retain }) => {
      if (!retain && !signal.aborted) receive(topic, payload.toString('utf8'))
    })
    client.on('connect', () => {
      client.subscribe(topics, { qos: 0 }, (error, granted = []) => {
        if (error !== null || granted.some(({ qos }) => qos > 2)) return resolve('the broker does not allow reading the vehicle’s topics')
        onLive()
        if (!isAmbiguous && board.face.state() !== 'live') board.become('lost', 'connected to the MQTT broker; the car has told nothing yet')
      })
    })
    const onAbort = () => resolve('stopped')
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    const why = await promise
    signal.removeEventListener('abort', onAbort)
    await client.endAsync(true)
    return why
  }

  const onLost = (why: string): void => {
    session = UNHEARD
    board.become('lost', `MQTT: ${why}`)
  }
  const connection = keepConnected({ connect, onLost, backOff }, surroundings)
  const refreshing = setInterval(() => {
    if (!session.isConnected) return
    if (clock.monotonicMs() - heardMs >= silenceMs) step({ type: 'silence' })
    else board.confirm()
  }, refreshMs)
  return {
    name: 'tesla',
    ...board.face,
    stop: async () => {
      clearInterval(refreshing)
      board.close()
      await connection.stop()
    }
  }
}

/** Texts never repeat the URL or the VIN: they may be logged. */
function checkOptions({ url, base, vin }: TeslaOptions): void {
  if (!/^mqtts?:\/\/[^/\s]+\/?$/.test(url) || !URL.canParse(url))
    throw new MotorpoolError('ERR_INVALID_OPTION', 'the MQTT broker is not a URL; give mqtt://HOST[:PORT] or mqtts://HOST[:PORT]')
  if (!/^[^+#\s/]+(\/[^+#\s/]+)*$/.test(base))
    throw new MotorpoolError(
      'ERR_INVALID_OPTION',
      'the topic base is empty or has a wildcard, space or empty level; give the one of the telemetry’s dispatcher'
    )
  if (vin !== undefined && !VIN_FORM.test(vin))
    throw new MotorpoolError('ERR_INVALID_OPTION', 'the VIN is none; give its 17 capital letters and digits, without I, O and Q')
}

/** Never the library's own text, which may show a URL, a topic or a user. */
function inWords(error: Error): string {
  const code = 'code' in error ? error.code : undefined
  if (typeof code === 'number' && REFUSED.has(code)) return 'the broker refuses user or password'
  return `the broker cannot be reached or sends junk${code === undefined ? '' : ` (${code})`}`
}
