import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { InvalidArgumentError } from 'commander'
import { loadOrCreateSeed } from '../ledger/store/key-file.ts'
import type { ModelPolicy } from '../models/model.ts'
import { type ModelCid, toHex } from '../protocol/ids.ts'
import { type Signer, signerFromSeed } from '../protocol/signer.ts'

const PUBLISHER_KEY = 'publisher.key'
const KEY_PATTERN = /^[0-9a-f]{64}$/
const CID_PATTERN = /^b[a-z2-7]{50,70}$/

/** Gathers `--allow`: a publisher's key in hex, or a model's CID. */
export function collectAllowed(text: string, previous: ModelPolicy | undefined): ModelPolicy {
  const publishers = previous?.publishers ?? []
  const models = previous?.models ?? []
  if (KEY_PATTERN.test(text)) return { publishers: [...publishers, text], models }
  if (CID_PATTERN.test(text)) return { publishers, models: [...models, text as ModelCid] }
  throw new InvalidArgumentError('give a publisher key (64 hex digits) or a model CID (b…), as motorpool model show prints them')
}

/** Signs manifests for this data folder's owner; makes the key at first use. */
export function publisherSigner(dataFolder: string): Signer {
  return signerFromSeed(loadOrCreateSeed(dataFolder, PUBLISHER_KEY))
}

/** What an owner who names nothing allows: the models that they published themselves. */
export function ownModelsPolicy(dataFolder: string): ModelPolicy {
  return existsSync(join(dataFolder, PUBLISHER_KEY)) ? { publishers: [toHex(publisherSigner(dataFolder).publicKey)] } : {}
}
