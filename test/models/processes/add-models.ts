/** `node add-models.ts STORE PATH NAME TIMES`: adds a model again and again, and prints each CID. */
import { openModelStore } from '../../../src/models/model-store.ts'
import { signerFromSeed } from '../../../src/protocol/signer.ts'

const [folder = '', path = '', name = '', times = '1'] = process.argv.slice(2)
const store = await openModelStore(folder)
for (let at = 0; at < Number(times); at++) {
  const { cid } = await store.add(path, { publisher: signerFromSeed(new Uint8Array(32).fill(1)), name, licence: `LicenseRef-${process.pid}-${at}` })
  console.log(cid)
}
