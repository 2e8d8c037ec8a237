import type { Aggregate } from '../streams/index.ts'
import { decodeCounter, encodeCounter, LoginCounter } from './domain/login-counter.ts'
import { decodeDelta, encodeDelta, LoginDelta } from './domain/login-delta.ts'
import { encodeRow } from './domain/table-row.ts'
import type { Windows } from './domain/windows.ts'

/** How logins are counted: partial counts (deltas) add up to the counter of a table key, which shows as a table row. */
export function loginAggregate(windows: Windows): Aggregate<LoginDelta, LoginCounter> {
  return {
    createDelta: () => new LoginDelta(),
    encodeDelta,
    decodeDelta,
    createState: () => new LoginCounter(windows),
    add: (counter, delta, streamTime) => counter.add(delta, streamTime),
    encodeState: encodeCounter,
    decodeState: (bytes) => decodeCounter(bytes, windows),
    nextChange: (counter, streamTime) => counter.nextChange(streamTime),
    emit: (key, counter, streamTime) => encodeRow(key, counter, streamTime),
  }
}
