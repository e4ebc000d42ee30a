import { resolve } from 'node:path'
import type { Command } from 'commander'
import { MotorpoolError } from '../../protocol/errors.ts'
import { type PeerId, peerIdToBytes } from '../../protocol/ids.ts'
import { carNamed, readTestnet } from '../../testnet/testnet-state.ts'
import { adminRequest } from '../admin/client.ts'
import type { CommandContext } from '../context.ts'
import { dataFolderPath } from '../data-folder-path.ts'
import { type CommonOptions, withCommonOptions } from '../options.ts'
import { formatTable } from '../table.ts'
import { describeStatus } from './status.ts'

interface PeerCommandOptions extends CommonOptions {
  readonly dir?: string
  readonly car?: string
}

/** `motorpool peer ls|show|ping`: the mesh as a running car sees it. */
export function addPeer(program: Command, context: CommandContext): void {
  const peer = program.command('peer').description('look at the mesh as a running car sees it').addHelpText('after', '\nExample:\n  $ motorpool peer ls')
  const subcommand = (name: string, example: string) =>
    withCommonOptions(peer.command(name), example)
      .option('--dir <folder>', 'ask a car of the testnet there')
      .option('--car <name>', 'which car of the testnet', 'car-1')
  subcommand('ls', 'motorpool peer ls')
    .description('list the peers that it is connected to')
    .action(async (options: PeerCommandOptions) => {
      const peers = await adminRequest(await askedFolder(options, context), 'peers', {}, { signal: context.signal })
      context.print(
        options.json === true
          ? JSON.stringify(peers)
          : formatTable(
              ['peer', 'address'],
              peers.map(each => [each.peer, each.addresses[0] ?? ''])
            )
      )
    })
  subcommand('show', 'motorpool peer show')
    .description('show one connected peer, or the running car itself')
    .argument('[peer]', 'a peer id')
    .action(async (id: string | undefined, options: PeerCommandOptions) => show(id, options, context))
  subcommand('ping', 'motorpool peer ping 12D3KooW…')
    .description('measure the round trip to a peer')
    .argument('<peer>', 'a peer id')
    .action(async (id: string, options: PeerCommandOptions) => {
      checkPeerId(id)
      const { roundTripMs } = await adminRequest(await askedFolder(options, context), 'ping', { peer: id }, { signal: context.signal })
      context.print(options.json === true ? JSON.stringify({ peer: id, roundTripMs }) : `${roundTripMs.toFixed(2)} ms`)
    })
}

async function show(id: string | undefined, options: PeerCommandOptions, context: CommandContext): Promise<void> {
  const folder = await askedFolder(options, context)
  if (id === undefined) {
    const status = await adminRequest(folder, 'status', {}, { signal: context.signal })
    context.print(options.json === true ? JSON.stringify(status) : describeStatus(status))
    return
  }
  const peers = await adminRequest(folder, 'peers', {}, { signal: context.signal })
  const found = peers.find(each => each.peer === id)
  if (found === undefined) throw new MotorpoolError('ERR_PEER_UNREACHABLE', `no connection to ${id}; motorpool peer ls lists those there are`)
  context.print(options.json === true ? JSON.stringify(found) : [`peer     ${found.peer}`, ...found.addresses.map(address => `address  ${address}`)].join('\n'))
}

function checkPeerId(id: string): void {
  try {
    peerIdToBytes(id as PeerId)
  } catch (cause) {
    throw new MotorpoolError('ERR_INVALID_OPTION', `${id} is no peer id; motorpool peer ls lists those of connected peers`, { cause })
  }
}

async function askedFolder(options: PeerCommandOptions, context: CommandContext): Promise<string> {
  if (options.dir === undefined) return dataFolderPath(options.dataDir, context.environment)
  return carNamed(readTestnet(resolve(options.dir)), options.car ?? 'car-1').dataFolder
}
