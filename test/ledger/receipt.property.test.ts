import { describe, expect, it } from 'vitest'
import { sealBinding } from '../../src/ledger/binding.ts'
import { signFlush } from '../../src/ledger/flush.ts'
import { decodeReceipt, encodeReceipt, type Receipt, redactReceipt } from '../../src/ledger/receipt.ts'
import { verifyReceipt } from '../../src/ledger/verify-receipt.ts'
import { encodeCbor } from '../../src/protocol/cbor.ts'
import { saltedDigest, valueDigest } from '../../src/protocol/digest.ts'
import { peerIdFromBytes, toHex } from '../../src/protocol/ids.ts'
import type { Value } from '../../src/protocol/tensor.ts'
import { expectGolden, expectRefused, refusalOf } from '../fixtures/wire/golden.ts'
import { carPeer, flushHeader, leaf, nonce, salt, signers, task } from '../fixtures/wire/samples.ts'

const bytes = (text: string): Value['tensors'] => ({ text: { type: 'uint8', dims: [text.length], data: Buffer.from(text) } })
const input: Value = { kind: 'tensors', parameters: {}, tensors: bytes('question') }
const output: Value = { kind: 'tensors', parameters: {}, tensors: bytes('answer') }
const answered = { ...leaf, input: saltedDigest('input', salt, valueDigest(input)), output: saltedDigest('output', salt, valueDigest(output)) }
const binding = sealBinding(signers.carAccount, { peer: carPeer, client: signers.clientAccount.publicKey, nonce, expires: 1_800_086_400 })

function receiptOf(size: number, index: number): Receipt {
  const leaves = Array.from({ length: size }, (_, seq) => ({ ...answered, seq }))
  const signed = signFlush(signers.carAccount, flushHeader, leaves)
  const [encoded, proof] = [signed.leaves[index], signed.proofs[index]]
  if (encoded === undefined || proof === undefined) throw new RangeError('no such leaf')
  return { flush: signed.flush, leaf: encoded, proof: { index, path: [...proof.path] }, binding, opening: { salt } }
}

const receipt = receiptOf(5, 3)
const file = encodeReceipt(receipt)
const PARTS = /the receipt file's frame|the flush|the leaf|proof|the binding|the opening/

describe('a receipt file', () => {
  it('reads as it was written', () => {
    expect(decodeReceipt(file)).toEqual(receipt)
  })

  it('verifies alone, whatever the size of its tree', () => {
    for (const [size, index] of [
      [1, 0],
      [2, 1],
      [5, 3],
      [50, 49]
    ] as const) {
      const report = verifyReceipt(encodeReceipt(receiptOf(size, index)), { input, output })
      expect(report).toMatchObject({
        carAccount: toHex(signers.carAccount.publicKey),
        carPeer: peerIdFromBytes(carPeer),
        clientAccount: toHex(signers.clientAccount.publicKey),
        task: toHex(task),
        attempt: 1,
        part: 0,
        seq: index,
        redacted: false
      })
      expect(report.proved).toHaveLength(5)
      expect(report.declared).toEqual({
        class: flushHeader.class,
        together: 1,
        tokens: null,
        units: leaf.units,
        times: leaf.times,
        energy: leaf.energy,
        price: leaf.price
      })
    }
  })

  it('says nothing of values that it was not given', () => {
    expect(verifyReceipt(file).proved.join()).not.toMatch(/given/)
    expect(verifyReceipt(file, { input }).proved.join()).toMatch(/the input given/)
    expect(verifyReceipt(file, { input }).proved.join()).not.toMatch(/the output given/)
  })

  it('is refused for another input or output', () => {
    expect(refusalOf(() => verifyReceipt(file, { input: output }))?.message).toMatch(/the input given/)
    expect(refusalOf(() => verifyReceipt(file, { input, output: input }))?.message).toMatch(/the output given/)
    expectRefused(() => verifyReceipt(file, { output: { ...output, parameters: { seed: 1 } } }), 'ERR_BAD_RECEIPT')
  })

  it.each([
    ['whole', file],
    ['redacted', redactReceipt(file)]
  ])('is refused, and the part named, when any byte flips: %s', (_, bytesOfFile) => {
    const named = new Set<string>()
    for (let at = 0; at < bytesOfFile.length; at++) {
      const refusal = refusalOf(() => verifyReceipt(bytesOfFile.map((byte, index) => (index === at ? byte ^ (1 << (at % 8)) : byte))))
      if (refusal?.code !== 'ERR_BAD_RECEIPT') expect.fail(`byte ${at} may flip`)
      named.add(PARTS.exec(refusal.message)?.[0] ?? `byte ${at}: ${refusal.message}`)
    }
    expect([...named].sort()).toEqual(['the binding', 'the flush', 'the leaf', 'the opening', "the receipt file's frame"])
  })

  it('is refused when cut off anywhere or longer', () => {
    for (let length = 0; length < file.length; length++) expectRefused(() => verifyReceipt(file.subarray(0, length)), 'ERR_BAD_RECEIPT')
    expectRefused(() => verifyReceipt(Buffer.concat([file, Uint8Array.of(0)])), 'ERR_BAD_RECEIPT')
    expectRefused(() => verifyReceipt(new Uint8Array(1 << 20)), 'ERR_BAD_RECEIPT')
  })

  it('is refused with an unknown key or version, whoever made it', () => {
    expectRefused(() => verifyReceipt(encodeCbor({ v: 1, ...receipt, sum: new Uint8Array(8), extra: 1 })), 'ERR_BAD_RECEIPT')
    expectRefused(() => verifyReceipt(encodeCbor({ v: 2, ...receipt, sum: new Uint8Array(8) })), 'ERR_BAD_RECEIPT')
  })

  it('without its opening still verifies, and tells nothing to who guesses', () => {
    const redacted = redactReceipt(file)
    expect(verifyReceipt(redacted)).toMatchObject({ redacted: true, task: toHex(task) })
    expect(Buffer.from(redacted).includes(Buffer.from(salt))).toBe(false)
    expect(refusalOf(() => verifyReceipt(redacted, { output }))?.message).toMatch(/the opening was removed/)
    expect(redactReceipt(redacted)).toEqual(redacted)
  })

  it('is refused when put together from parts of different receipts', () => {
    const stranger = sealBinding(signers.carPeer, { peer: carPeer, client: signers.clientAccount.publicKey, nonce, expires: 1_800_086_400 })
    const otherClient = sealBinding(signers.carAccount, { peer: carPeer, client: signers.carPeer.publicKey, nonce, expires: 1_800_086_400 })
    const mixes: [Partial<Receipt>, RegExp][] = [
      [{ binding: stranger }, /the binding is another account's/],
      [{ binding: otherClient }, /the binding is for another client/],
      [{ leaf: receiptOf(5, 2).leaf }, /the leaf or its proof/],
      [{ proof: receiptOf(5, 2).proof }, /the leaf or its proof/],
      [{ flush: receiptOf(6, 3).flush }, /the leaf or its proof/],
      [{ flush: binding }, /the flush is wrong/],
      [{ binding: receipt.flush }, /the binding is wrong/]
    ]
    for (const [mix, reason] of mixes) expect(refusalOf(() => verifyReceipt(encodeReceipt({ ...receipt, ...mix })))?.message).toMatch(reason)
  })

  it('is refused when its opening was exchanged and the checksum with it, once a value is given', () => {
    const reopened = encodeReceipt({ ...receipt, opening: { salt: nonce } })
    expect(verifyReceipt(reopened).redacted).toBe(false)
    expectRefused(() => verifyReceipt(reopened, { input }), 'ERR_BAD_RECEIPT')
  })

  it('has the golden bytes', () => {
    expectGolden('receipt', { binding, 'one of one': encodeReceipt(receiptOf(1, 0)), 'four of five': file, redacted: redactReceipt(file) })
  })
})
