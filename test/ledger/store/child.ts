import { openCarJournal } from '../../../src/ledger/store/car-journal.ts'
import { openClientJournal } from '../../../src/ledger/store/client-journal.ts'
import { openDataFolder } from '../../../src/ledger/store/data-folder.ts'
import { sha256 } from '../../../src/protocol/ids.ts'

/** A process that writes journals until it is killed, and prints the number of each record once it is on disk. */
const [, , path = '', first = '0'] = process.argv
const carFolder = openDataFolder(path, 'car')
const clientFolder = openDataFolder(path, 'client')
const car = openCarJournal(carFolder)
const client = openClientJournal(clientFolder)
const account = new Uint8Array(32).fill(1)
process.stdout.write('ready\n')
for (let number = Number(first); ; number++) {
  const task = sha256(Buffer.from(`task ${number}`)).subarray(0, 16)
  const leaf = Buffer.from(`leaf ${number}`)
  const seq = car.nextSeq(account)
  car.recordLeaf(account, task, 0, 1, leaf)
  client.recordAttempt(task, 1, 'car')
  client.recordResult({ task, attempt: 1, receipt: { flush: leaf, leaf, proof: { index: 0, path: [] }, binding: leaf, opening: null }, car: 'car' })
  // Written synchronously, so that what the parent has read was on disk before.
  process.stdout.write(`${number} ${seq}\n`)
}
