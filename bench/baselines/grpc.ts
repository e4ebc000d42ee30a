import { readFileSync } from 'node:fs'
import { credentials, makeGenericClientConstructor, Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js'
import { type Call, type Transport, toLeastBusy } from './transport.ts'

const asIs = (bytes: Buffer): Buffer => bytes
/** A unary method whose messages are the bytes themselves: less work than protobuf would be. */
const SERVICE: ServiceDefinition = {
  infer: {
    path: '/bench.Inference/Infer',
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs
  }
}
/** `localhost` is in the certificate, and a name where TLS wants one. */
const OPTIONS = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1, 'grpc.ssl_target_name_override': 'localhost' }

/** gRPC unary calls, one channel to each worker. */
export const grpc: Transport = {
  serve: (handler, { certificate }) => {
    const server = new Server(OPTIONS)
    server.addService(SERVICE, {
      infer: (call: { readonly request: Buffer }, done: (error: Error | null, reply?: Buffer) => void) => {
        handler(call.request).then(output => done(null, Buffer.from(output.buffer, output.byteOffset, output.byteLength)), done)
      }
    })
    const security =
      certificate === null
        ? ServerCredentials.createInsecure()
        : ServerCredentials.createSsl(null, [{ private_key: readFileSync(certificate.keyFile), cert_chain: readFileSync(certificate.certificateFile) }])
    return new Promise((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', security, (error, port) => (error === null ? resolve(port) : reject(error)))
    })
  },
  connect: async (ports, { certificate }) => {
    const Client = makeGenericClientConstructor(SERVICE, 'Inference')
    const security = certificate === null ? credentials.createInsecure() : credentials.createSsl(readFileSync(certificate.certificateFile))
    return toLeastBusy(
      ports.map((port): Call => {
        const client = new Client(`127.0.0.1:${port}`, security, OPTIONS)
        return input =>
          new Promise((resolve, reject) => {
            client.infer?.(input, (error: Error | null, reply: Buffer) => (error === null ? resolve(reply) : reject(error)))
          })
      })
    )
  }
}
