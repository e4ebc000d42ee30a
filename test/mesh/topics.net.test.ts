import { afterEach, expect, test } from 'vitest'
import { startPeer, stopAll, type TestPeer, until } from './peers.ts'

const peers: TestPeer[] = []
const start = async (...init: Parameters<typeof startPeer>) => {
  const peer = await startPeer(...init)
  peers.push(peer)
  return peer
}
afterEach(() => stopAll(peers.splice(0)))

const topic = '/motorpool/1/model/'
const text = (message: Uint8Array) => new TextDecoder().decode(message)
const bytes = (message: string) => new TextEncoder().encode(message)
function listen(peer: TestPeer): string[] {
  const heard: string[] = []
  peer.subscribe(topic, message => heard.push(text(message)))
  return heard
}

test('a fresh dialler publishes without subscribing, and every subscriber hears it once', async () => {
  const cars = await Promise.all(Array.from({ length: 6 }, () => start()))
  const heard = cars.map(listen)
  await Promise.all(cars.slice(1).map(car => car.connect(cars[0]?.addresses()[0] ?? '')))
  for (let round = 0; round < 5; round++) {
    const client = await start({ listen: [] })
    await Promise.all(cars.slice(0, 3).map(car => client.connect(car.addresses()[0] ?? '')))
    await client.waitForSubscribers(topic, 3, { signal: AbortSignal.timeout(60_000) })
    expect(client.subscribers(topic).length).toBe(3)
    expect(await client.publish(topic, bytes(`round ${round}`))).toBeGreaterThan(0)
    await until(() => heard.every(messages => messages.includes(`round ${round}`)), 'every car heard')
  }
  for (const messages of heard) expect(messages.toSorted()).toEqual([0, 1, 2, 3, 4].map(round => `round ${round}`))
})

test('a car that has just joined hears the next announcement, though the publisher chose whom to tell before', async () => {
  const [first, client] = await Promise.all([start(), start()])
  const heardFirst = listen(first)
  await client.connect(first.addresses()[0] ?? '')
  await client.waitForSubscribers(topic, 1)
  expect(await client.publish(topic, bytes('before'))).toBe(1)
  for (const turn of [1, 2, 3]) {
    // Not connected to the others, so that nobody forwards it.
    const newcomer = await start()
    const heard = listen(newcomer)
    const known = new Set(client.subscribers(topic))
    await client.connect(newcomer.addresses()[0] ?? '')
    await client.waitForSubscribers(topic, 1, { besides: known })
    expect(client.subscribers(topic)).toContain(newcomer.peerId)
    expect(await client.publish(topic, bytes(`turn ${turn}`))).toBe(turn + 1)
    await until(() => heard.includes(`turn ${turn}`), 'the newcomer hears it')
  }
  expect(heardFirst).toContain('before')
})

test('publishing to nobody says so and spends nothing', async () => {
  const [car, client] = await Promise.all([start(), start()])
  expect(await client.publish(topic, bytes('x'))).toBe(0)
  await client.connect(car.addresses()[0] ?? '')
  const heard = listen(car)
  await client.waitForSubscribers(topic, 1)
  expect(await client.publish(topic, bytes('x'))).toBe(1)
  await until(() => heard.length === 1, 'it is heard')
  expect(await client.publish(topic, bytes('x'))).toBe(0)
})

test('what the validator refuses is neither heard nor forwarded', async () => {
  const validate: Parameters<typeof startPeer>[0] = {
    validate: (_, message) => {
      if (text(message) === 'throws') throw new Error('validator failed')
      return text(message) === 'good' ? 'accept' : text(message) === 'old' ? 'ignore' : 'reject'
    }
  }
  // In a row, so that the last hears only what the middle forwards.
  const [client, middle, last] = await Promise.all([start(), start(validate), start()])
  const [heard, heardLast] = [listen(middle), listen(last)]
  await middle.connect(last.addresses()[0] ?? '')
  await client.connect(middle.addresses()[0] ?? '')
  await client.waitForSubscribers(topic, 1)
  await middle.waitForSubscribers(topic, 1)
  for (const message of ['bad', 'old', 'throws', 'x'.repeat(5000), 'good']) await client.publish(topic, bytes(message))
  await until(() => heardLast.length === 1, 'the good one went all the way')
  expect([heard, heardLast]).toEqual([['good'], ['good']])
})

test('who unsubscribes hears no more, and counts no more', async () => {
  const [car, client] = await Promise.all([start(), start()])
  const heard: string[] = []
  const stopHearing = car.subscribe(topic, message => heard.push(text(message)))
  await client.connect(car.addresses()[0] ?? '')
  await client.waitForSubscribers(topic, 1)
  stopHearing()
  stopHearing()
  await until(() => client.subscribers(topic).length === 0, 'the client knows')
  expect(await client.publish(topic, bytes('x'))).toBe(0)
  expect(heard).toEqual([])
})

test('waiting for subscribers ends with the signal', async () => {
  const client = await start()
  await expect(client.waitForSubscribers(topic, 1, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  const waiting = client.waitForSubscribers(topic, 1)
  const ended = expect(waiting).rejects.toMatchObject({ code: 'ERR_STOPPED' })
  await client.stop()
  await ended
})

test('a burst of announcements reaches a car whose mesh was not ready', async () => {
  const cars = await Promise.all(Array.from({ length: 4 }, () => start()))
  const heard = cars.map(listen)
  await Promise.all(cars.slice(1).map(car => car.connect(cars[0]?.addresses()[0] ?? '')))
  const client = await start({ listen: [] })
  await client.connect(cars[0]?.addresses()[0] ?? '')
  await client.waitForSubscribers(topic, 1)
  for (let number = 0; number < 60; number++) await client.publish(topic, bytes(`${number} ${'x'.repeat(400)}`))
  await until(() => heard.every(messages => messages.length === 60), 'all 60 are everywhere')
})
