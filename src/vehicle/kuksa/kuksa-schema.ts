import { fromJSON } from '@grpc/proto-loader'

const field = (id: number, type: string, rule?: 'repeated') => ({ id, type, ...(rule === undefined ? {} : { rule }) })

const mapField = (id: number, keyType: string, type: string) => ({ id, keyType, type })
/** protobufjs's types want one. */
const UNCOMMENTED = { comment: '' }

/** The part of `kuksa.val.v2` that a car reads (Eclipse KUKSA databroker 0.7, proto/kuksa/val/v2), with its field numbers. */
const DESCRIPTOR = {
  nested: {
    google: { nested: { protobuf: { nested: { Timestamp: { fields: { seconds: field(1, 'int64'), nanos: field(2, 'int32') } } } } } },
    kuksa: {
      nested: {
        val: {
          nested: {
            v2: {
              nested: {
                SignalID: { oneofs: { signal: { oneof: ['id', 'path'] } }, fields: { id: field(1, 'int32'), path: field(2, 'string') } },
                Value: {
                  oneofs: { typed_value: { oneof: ['string', 'bool', 'int32', 'int64', 'uint32', 'uint64', 'float', 'double'] } },
                  fields: {
                    string: field(11, 'string'),
                    bool: field(12, 'bool'),
                    int32: field(13, 'sint32'),
                    int64: field(14, 'sint64'),
                    uint32: field(15, 'uint32'),
                    uint64: field(16, 'uint64'),
                    float: field(17, 'float'),
                    double: field(18, 'double')
                  }
                },
                Datapoint: { fields: { timestamp: field(1, 'google.protobuf.Timestamp'), value: field(2, 'Value') } },
                GetValuesRequest: { fields: { signal_ids: field(1, 'SignalID', 'repeated') } },
                GetValuesResponse: { fields: { data_points: field(1, 'Datapoint', 'repeated') } },
                SubscribeRequest: { fields: { signal_paths: field(1, 'string', 'repeated'), buffer_size: field(2, 'uint32') } },
                SubscribeResponse: { fields: { entries: mapField(1, 'string', 'Datapoint') } },
                VAL: {
                  methods: {
                    GetValues: { ...UNCOMMENTED, requestType: 'GetValuesRequest', responseType: 'GetValuesResponse' },
                    Subscribe: { ...UNCOMMENTED, requestType: 'SubscribeRequest', responseType: 'SubscribeResponse', responseStream: true }
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}

const LOADED = fromJSON(DESCRIPTOR, { keepCase: true, longs: Number, oneofs: true })['kuksa.val.v2.VAL']!
// A service, as the descriptor says: a message would have a format.
if ('format' in LOADED) throw new TypeError('kuksa.val.v2.VAL is no service')

/** gRPC methods of `kuksa.val.v2.VAL`, by their names: paths and codecs. */
export const KUKSA_METHODS = { GetValues: LOADED['GetValues']!, Subscribe: LOADED['Subscribe']! }
