import { generateKeyPair } from '@libp2p/crypto/keys'
import { expect, test } from 'vitest'
import { createHostCertificate } from '../../../src/mesh/transport/host-certificate.ts'

const HOUR_MS = 60 * 60 * 1000

test('a host makes one certificate a day, and another when its clock was set back', async () => {
  let now = 1_700_000_000_000
  const certificate = createHostCertificate(await generateKeyPair('Ed25519'), () => now)
  const [first, same] = await Promise.all([certificate(), certificate()])
  expect(same).toBe(first)
  now += 23 * HOUR_MS
  expect(await certificate()).toBe(first)
  now += 2 * HOUR_MS
  const second = await certificate()
  expect(second).not.toBe(first)
  now -= HOUR_MS
  expect(await certificate()).not.toBe(second)
})
